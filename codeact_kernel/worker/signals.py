"""When a signal may break something off.

Rule: `undisturbed` is exact in the main thread, where Python runs handlers; the supervisor sends its SIGINT to that
thread alone (process.py), so it waits until the mask is lifted.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal's own wrapper builds enums, tenfold cost
import signal
import threading
from collections.abc import Callable
from typing import TypeVar

_MAY_RAISE = tuple(
    int(number)
    for number in (
        signal.SIGINT,
        signal.SIGALRM,
        signal.SIGVTALRM,
        signal.SIGPROF,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGCHLD,
        signal.SIGURG,
    )
)

T = TypeVar("T")


def undisturbed(work: Callable[[], T]) -> T:
    """Do `work` with those signals blocked; handlers run when it is done."""
    if threading.get_ident() != threading.main_thread().ident:
        return work()
    # Two calls: the one that blocks may run a handler, and that may raise, after it has blocked.
    before = _signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        _signal.pthread_sigmask(signal.SIG_BLOCK, _MAY_RAISE)
        return work()
    finally:
        _signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Interrupts:
    """SIGINT raises while requests are handled, and only then.

    Between requests it is blocked, not ignored: one that comes after a request was taken and before
    its handler runs is still meant for it. One that came earlier is forgotten; if it was meant for
    a request on its way, the supervisor's `interrupt` frame, which is behind that one, says so. The
    frame and the signal are one interrupt: who was ended by the frame has used up the signal.
    """

    def __init__(self) -> None:
        self._handling: set[str] = set()
        self._waiting: set[str] = set()
        self._hit: set[str] = set()
        self._used_up = False

    def settle(self) -> None:
        """Start in the state between requests."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))

    def wait(self, name: str) -> None:
        """A cell has arrived whose handler begins later."""
        self._waiting.add(name)

    def give_up(self, name: str) -> None:
        """Its handler will not begin."""
        self._waiting.discard(name)

    def hit_waiting(self) -> None:
        """The `interrupt` frame: it was sent behind the cells that wait now."""
        self._hit = set(self._waiting)

    def on(self, name: str) -> None:
        """A request's handler begins. May raise at once; `off` is due all the same.

        Beside a cell that awaits, SIGINT goes on to mean that cell: it has a handler of its own.
        """
        self._waiting.discard(name)
        if not self._handling:
            _signal.signal(signal.SIGINT, signal.default_int_handler)
            if self._used_up:
                self._drop()
        self._used_up = name in self._hit
        self._handling.add(name)
        if self._used_up:
            self._hit.clear()
            raise KeyboardInterrupt
        _signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))

    def off(self, name: str) -> None:
        """A handler has ended; an interrupt that comes in this moment is too late for it.

        May be called twice: an interrupt can break off the first call on its first line.
        """
        while True:
            try:
                self._handling.discard(name)
                if not self._handling:
                    _signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
                return
            except KeyboardInterrupt:
                continue

    def forget(self) -> None:
        """A request arrives: what was sent before it was not meant for it."""
        if not self._handling:
            self._drop()

    def _drop(self) -> None:
        """Forget a signal that waits."""
        _signal.signal(signal.SIGINT, _signal.SIG_IGN)
        _signal.signal(signal.SIGINT, signal.default_int_handler)
