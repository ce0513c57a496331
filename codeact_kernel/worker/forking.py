"""The system call: a fork of this interpreter, its own child or the supervisor's.

Rule: whoever is between two processes ends at once and never returns to where its original is. What
Python's own fork changes though nobody asked for it, the random numbers, is put back.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import warnings
from collections.abc import Callable

from codeact_kernel.worker import process, sibling, tether


def fork_apart(supervisor: int, line: socket.socket, forked: Callable[[], None]) -> bool:
    """Fork a process that is the supervisor's child. True in it; False here, after `forked`.

    Code that waits for its children does not see it. What goes wrong is reported on the new one's
    line. Raises OSError when nothing was forked.
    """
    process.flush_c_streams()
    state = random.getstate()
    try:
        pid = sibling.fork(supervisor)
        between = fork() if pid is None else 0
    except OSError as error:
        tether.report(line, f"failed {error.errno}")
        raise
    if pid or between:
        forked()
        if between:
            wait_for(between)
        return False
    try:
        if pid is None:
            _fork_again(line)
        else:
            os.setpgid(0, 0)
        process.become_kernel(supervisor)
        random.setstate(state)  # the random module seeds itself anew in every fork
    except BaseException:  # noqa: BLE001  a copy must not return to where its original is
        os._exit(70)
    return True


def _fork_again(line: socket.socket) -> None:
    """A grandchild of who forked first, whose parent ends at once. Returns in it, when it has become
    the supervisor's."""
    parent = os.getpid()
    try:
        child = fork()
    except OSError as error:
        tether.report(line, f"failed {error.errno}")
        os._exit(1)
    with contextlib.suppress(OSError):  # both sides of the fork do it: neither may come too late
        os.setpgid(child, child)
    if child:
        os._exit(0)
    while os.getppid() == parent:
        os.sched_yield()


def fork() -> int:
    """os.fork without the warning about threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: of pools that outlive a fork
        return os.fork()


def wait_for(between: int) -> None:
    """Until the process between this one and its copy has ended; it does at once."""
    with contextlib.suppress(ChildProcessError):  # code ignores SIGCHLD
        os.waitpid(between, 0)
