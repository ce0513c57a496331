"""The kernel's event loop, and every private name of the standard library that it takes.

Rule: nobody else touches an underscore of asyncio. `check` says whether the names are still there,
so that a new Python fails at the start and not in the middle of a cell.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import select
import selectors
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


def release(loop: asyncio.AbstractEventLoop) -> None:
    """In a fork: let go of the kernel objects that are shared with the loop of the other process.

    Closed, not unregistered: that would edit what the other one listens to.
    """
    signal.set_wakeup_fd(-1)
    loop._selector._selector.close()  # type: ignore[attr-defined]


def renew(loop: asyncio.AbstractEventLoop) -> None:
    """Give a loop that was released objects of its own.

    The loop stays the same object, so that tasks, timers, locks and readers of the notebook, which
    all refer to it, go on as if nothing had happened.
    """
    selector = loop._selector  # type: ignore[attr-defined]
    selector._selector = select.epoll()
    for key in list(selector._fd_to_key.values()):
        mask = select.EPOLLIN * bool(key.events & selectors.EVENT_READ)
        mask |= select.EPOLLOUT * bool(key.events & selectors.EVENT_WRITE)
        try:
            selector._selector.register(key.fd, mask)
        except OSError:  # code has closed it without a word
            del selector._fd_to_key[key.fd]
    loop._close_self_pipe()  # type: ignore[attr-defined]
    loop._make_self_pipe()  # type: ignore[attr-defined]
    asyncio.set_event_loop(loop)
    wake_on_signals(loop)


def own_descriptors(loop: asyncio.AbstractEventLoop) -> frozenset[int]:
    """Those that the loop itself has opened."""
    own = (loop._ssock, loop._csock, loop._selector)  # type: ignore[attr-defined]
    return frozenset(each.fileno() for each in own)


def rest(loop: asyncio.AbstractEventLoop) -> None:
    """End the threads of `asyncio.to_thread` when all of them wait; the next call makes new ones."""
    executor = loop._default_executor  # type: ignore[attr-defined]
    try:
        idle = executor._idle_semaphore._value
        if executor._work_queue.empty() and idle >= len(executor._threads):
            loop._default_executor = None  # type: ignore[attr-defined]
            executor.shutdown(wait=True)
    except AttributeError:  # there is none, or code has set one of its own
        return


def check(loop: asyncio.AbstractEventLoop) -> None:
    """Self-test of what this file takes. Raises UnknownLoop."""
    try:
        own_descriptors(loop)
        loop._selector._selector.register  # type: ignore[attr-defined]  # noqa: B018
        loop._selector._fd_to_key  # type: ignore[attr-defined]  # noqa: B018
        loop._close_self_pipe  # type: ignore[attr-defined]  # noqa: B018
        loop._make_self_pipe  # type: ignore[attr-defined]  # noqa: B018
        loop._default_executor  # type: ignore[attr-defined]  # noqa: B018
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
