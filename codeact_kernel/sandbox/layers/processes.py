"""Ending a tree of processes where no pid namespace does it for us.

Rule: nobody escapes by being orphaned. A guardian is the reaper of everything below it, so a
process that detached from its parents is still found among the guardian's descendants; and there
are two, so that there is still one when somebody kills the other.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator

from codeact_kernel.sandbox.layers import syscalls
from codeact_kernel.sandbox.layers.syscalls import prctl


def descendants(pid: int) -> list[int]:
    """Every process below `pid` that still runs (zombies do not), parents before children."""
    children: dict[int, list[int]] = {}
    for child, parent in _running():
        children.setdefault(parent, []).append(child)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def kill_below(pid: int, seconds: float = 5.0) -> bool:
    """SIGKILL everything below `pid` and wait until it is gone. False when something outlived it."""
    deadline = time.monotonic() + seconds
    empty = 0
    while empty < 2:  # one look is not enough: processes move up while we read one after the other
        handles = [handle for child in descendants(pid) if (handle := _open(child)) is not None]
        empty = 0 if handles else empty + 1
        try:
            for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that nothing forks
                for handle in handles:
                    _send(handle, number)
            if not _all_gone(handles, deadline):
                return False
        finally:
            for handle in handles:
                os.close(handle)
    return True


def guard() -> None:
    """Split in three: returns in the last; two guardians, one above the other, never return.

    A guardian ends with the code of the one below it (128 + number for a signal), after everything
    that was left behind there was killed; it does the same when the process that started it ends.
    So killing either of them from outside frees nobody: what the lower one leaves comes to the upper.
    """
    for _ in ("the upper", "the lower"):
        _stay_behind()


def _stay_behind() -> None:
    """Returns in a child of ours, in a process group of its own; we watch over it."""
    prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    starter = os.getppid()
    prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != starter:
        os._exit(1)
    guardian = os.getpid()
    child = os.fork()
    if child == 0:
        prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guardian:
            os._exit(1)
        os.setpgid(0, 0)  # a signal to the group of one of us is not for all
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGCHLD})
        return
    os.closerange(0, 1024)  # the wire is the child's alone: its end must be seen outside
    os._exit(_watch(child))


def _watch(child: int) -> int:
    status = None
    while status is None:
        if signal.sigwait({signal.SIGTERM, signal.SIGCHLD}) == signal.SIGTERM:
            break
        status = _reap(child)
    kill_below(os.getpid())
    _reap(child)
    code = 1 if status is None else os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _reap(child: int) -> int | None:
    """Collect everything that ended; the child's status when it is among them."""
    status = None
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == child:
            status = ended


def _running() -> Iterator[tuple[int, int]]:
    """(pid, parent) of every process that is not a zombie."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue
        if state not in (b"Z", b"X"):
            yield int(name), int(parent)


def _open(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _send(handle: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, number)


def _all_gone(handles: list[int], deadline: float) -> bool:
    """Wait for each process to end."""
    for handle in handles:
        left = max(deadline - time.monotonic(), 0)
        if not _ends(handle, left):
            return False
    return True


def _ends(handle: int, seconds: float) -> bool:
    poll = select.poll()  # not select(2), which cannot wait for descriptors beyond 1024
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
