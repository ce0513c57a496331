"""The few things asked of Linux about processes: prctl, pidfd, process groups, reaping.

Rule: standard library only; where the system does not know a call, the caller is told by a value.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import platform
import signal
import socket
from collections.abc import Mapping, Set

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 1, 4, 36
_TGKILL = {"x86_64": 234, "aarch64": 131, "riscv64": 131}.get(platform.machine())
WIDE = 1024 * 1024
"""Bytes that a stream between two processes holds."""
_libc = ctypes.CDLL(None, use_errno=True)


def guard_supervisor() -> None:
    """Nobody of the same user may ptrace us or read our descriptors; orphans become our children."""
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def become_kernel(supervisor: int) -> None:
    """Undo in a fork what `guard_supervisor` did, and die with the supervisor."""
    _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != supervisor:  # it died before the line above
        os._exit(1)


def hide() -> None:
    """Nobody may look into this process, nor change it, through /proc, where others can be seen.

    Where they cannot (Landlock alone) it stays as it is: who measures memory from outside, as the
    same user, could not look either.
    """
    with contextlib.suppress(OSError), open("/proc/self/stat", "rb"):
        _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def leave_group(supervisor: int) -> None:
    """Go to the supervisor's process group, so that what is left of one's own can be ended.

    Where that group is of another namespace nothing changes; there /proc shows what is left.
    """
    with contextlib.suppress(OSError):
        os.setpgid(0, os.getpgid(supervisor))


def nudge(leader: int, number: int) -> None:
    """A signal to the main thread of `leader` alone, where the system can do that."""
    if not _to_main_thread(leader, number):
        _kill(leader, number)


def offer_to_be_killed() -> None:
    """When memory runs out, this process first."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def flush_c_streams() -> None:
    """What C code has printed and not flushed must not be printed by a fork once more."""
    _libc.fflush(None)


def weight() -> int:
    """Bytes of memory that only this process has, with its share of what forks have in common.

    0 where it cannot be known.
    """
    try:
        with open("/proc/self/smaps_rollup", "rb") as file:
            fields = dict(line.split(b":", 1) for line in file.read().splitlines()[1:])
        return int((fields.get(b"Pss_Anon") or fields[b"Private_Dirty"]).split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 0


def anonymous_memory() -> int:
    """Bytes that are this process's own and no file's: what another copy of it may come to take.

    0 where it cannot be known.
    """
    try:
        with open("/proc/self/status", "rb") as file:
            line = next(line for line in file if line.startswith(b"RssAnon:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration, ValueError):
        return 0


def is_child(pid: int) -> bool:
    """Whether the system knows `pid` as a child of ours that has not been collected."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:
        return False
    return pid > 0


def pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where there is none."""
    try:
        return os.pidfd_open(pid)
    except (OSError, AttributeError):
        return None


def reap() -> dict[int, int]:
    """Collect every ended child: {pid: exit code, negative for a signal}."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


def interrupt(leader: int) -> None:
    """SIGINT to the main thread of `leader` and to every other process of its group.

    Not killpg: that signal may be taken by any thread of the leader, and then its Python handler
    raises in the main thread although that has the signal blocked (in the middle of a frame).
    """
    if not _to_main_thread(leader, signal.SIGINT):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGINT)
        return
    for pid in _group(leader):
        if pid != leader:
            _kill(pid, signal.SIGINT)


def _to_main_thread(leader: int, number: int) -> bool:
    """Whether it could be done."""
    return _TGKILL is not None and _libc.syscall(_TGKILL, leader, leader, int(number)) == 0


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    """A signal to a process that may be gone, or another user's."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def kill_all(leader: int) -> None:
    """SIGKILL to the kernel's group, then to every child that is left, until none is."""
    end_group(leader)
    for _ in range(100):  # a child of a killed child becomes ours and is seen in the next round
        reap()
        left = _children()
        if not left:
            return
        for pid in left:
            _kill(pid)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def end_group(leader: int) -> None:
    """SIGKILL to a kernel and what its code has started, but for what has a session of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def end_orphans(live: int, parked: Set[int]) -> None:
    """SIGKILL to what kernels before this one have left behind: all below us but for the parked
    ones, the live one and what that has started."""
    for pid in parked:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) != pid:  # it was the live one once, and left its group behind
                os.killpg(pid, signal.SIGKILL)
    parents = {pid: parent for pid, parent, _ in _processes()}
    for pid in parents.keys() - parked:
        above = _ancestors(pid, parents)
        if os.getpid() in above and live not in (pid, *above):
            _kill(pid)


def _ancestors(pid: int, parents: Mapping[int, int]) -> list[int]:
    found: list[int] = []
    while (pid := parents.get(pid, 0)) and pid not in found:
        found.append(pid)
    return found


def _group(leader: int) -> list[int]:
    return [pid for pid, _, group in _processes() if group == leader]


def _children() -> list[int]:
    me = os.getpid()
    return [pid for pid, parent, _ in _processes() if parent == me]


def _processes() -> list[tuple[int, int, int]]:
    """(pid, parent, group) of all that live, from /proc; [] where it cannot be read."""
    found = []
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    for name in names:
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                stat = file.read()
        except OSError:
            continue
        # The command is in brackets and may itself hold brackets and blanks.
        _, parent, group = stat[stat.rindex(b")") + 2 :].split()[:3]
        found.append((int(name), int(parent), int(group)))
    return found


def descriptors() -> list[int]:
    """Those that are open here; where that cannot be seen, those that may be."""
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return list(range(256))


def wide_pair() -> tuple[socket.socket, socket.socket]:
    """A connected pair of sockets that hold much: a large frame wakes its reader less often."""
    ends = socket.socketpair()
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, WIDE)  # the system may give less
    return ends


def wide_pipe() -> tuple[int, int]:
    """A pipe that takes a burst of prints without waiting for its reader: (read end, write end)."""
    ends = os.pipe()
    with contextlib.suppress(OSError):  # the user's share of pipe memory may be used up
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, WIDE)
    return ends
