"""SIGINT while the main thread stands at a breakpoint.

Rule: nothing may raise out of the middle of pydevd's wait, or it takes the thread for stopped ever
after. So the handler asks for everything to go on, and the interrupt is raised when the wait is over.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_WAITS = "_do_wait_suspend"
_OF_THE_WAIT = ("/pydevd.py", "/threading.py", "_pydevd_bundle", "_pydev_bundle")


class Standstill:
    """Put around the wait of `pydb`. `go_on` lets every thread run, soon."""

    def __init__(self, pydb: Any, go_on: Callable[[], None]) -> None:
        self._go_on = go_on
        self._wait = pydb.do_wait_suspend
        self._interrupted = False
        pydb.do_wait_suspend = self._stand

    def _stand(self, *args: Any, **kwargs: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            return self._wait(*args, **kwargs)
        self._interrupted = False
        before = signal.signal(signal.SIGINT, self._on_sigint)
        try:
            result = self._wait(*args, **kwargs)
        finally:
            signal.signal(signal.SIGINT, before)
        if self._interrupted:
            raise KeyboardInterrupt
        return result

    def _on_sigint(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = True
        self._go_on()
        while frame is not None and frame.f_code.co_name != _WAITS:
            if not any(part in frame.f_code.co_filename for part in _OF_THE_WAIT):
                raise KeyboardInterrupt  # code that is evaluated there; pydevd catches it
            frame = frame.f_back
