"""Short pieces of work that no Python signal handler may break off.

Rule: exact in the main thread, where Python runs handlers; the supervisor sends its SIGINT to that
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
