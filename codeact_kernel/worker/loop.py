"""The kernel's event loop, and every private name of the standard library that it takes.

Rule: nobody else touches an underscore of asyncio. `check` says whether the names are still there,
so that a new Python fails at the start and not in the middle of a cell.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import threading
from typing import NoReturn


class UnknownLoop(RuntimeError):
    """This Python's asyncio has not the insides the worker knows."""


def new_loop() -> asyncio.AbstractEventLoop:
    """A fresh loop, set as this thread's. Call after the fork: an epoll object must not be shared."""
    loop = asyncio.SelectorEventLoop()
    check(loop)
    asyncio.set_event_loop(loop)
    wake_on_signals(loop)
    return loop


def wake_on_signals(loop: asyncio.AbstractEventLoop) -> None:
    """Make every signal wake the loop out of its wait.

    A handler that only schedules a callback is otherwise not noticed by an idle loop: the wait is
    restarted after the handler has run (PEP 475).
    """
    signal.set_wakeup_fd(loop._csock.fileno(), warn_on_full_buffer=False)  # type: ignore[attr-defined]


def check(loop: asyncio.AbstractEventLoop) -> None:
    """Self-test of what this file takes. Raises UnknownLoop."""
    try:
        loop._csock.fileno()  # type: ignore[attr-defined]
        loop._selector  # type: ignore[attr-defined]  # noqa: B018
        threading._shutdown  # type: ignore[attr-defined]  # noqa: B018
        atexit._run_exitfuncs  # noqa: B018
    except AttributeError as error:
        raise UnknownLoop(f"this Python is not one the worker knows: {error}") from error


def leave(status: int) -> NoReturn:
    """End this process as an interpreter does: threads, then atexit, then out.

    Not `sys.exit`: the stack below belongs to the supervisor this process was forked from.
    """
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    finally:
        os._exit(status)
