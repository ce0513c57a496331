"""What a fork does not take along: said before anybody relies on it.

Rules: cheap, because it is asked before every step; no code of the notebook's is run. Reasons are
facts, not sentences: a kind, a number and some names; the words are the outer kernel's.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import stat
import sys
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from codeact_kernel.worker import loop as loops
from codeact_kernel.worker import process

NAMES = 5
_LENGTH = 80
_REST_SECONDS, _ENDING_SECONDS = 0.02, 2.0
"""A thread that rests so long will not end by itself; one that runs is given so long to do so."""
_SURVIVES = ("numpy", "pyarrow", "duckdb")
"""Libraries whose pools of threads are made anew in a fork."""
_OPENMP = ("libgomp", "libomp", "libiomp", "libtorch", "libtensorflow")
"""Libraries whose pools are not: code that uses them afterwards waits for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Something that stays as it is, or is lost, when the state goes back. `stops`: no checkpoint."""

    kind: str
    count: int = 1
    names: tuple[str, ...] = ()
    stops: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def reasons(ours: Collection[int]) -> list[Reason]:
    """What there is now. `ours`: descriptors that are not the notebook's."""
    found: list[Reason] = []
    threads = [each for each in threading.enumerate() if each is not threading.main_thread()]
    if threads:
        found.append(_reason("threads", [each.name for each in threads], stops=True))
    native = _native(len(threads))
    if native:
        found.append(Reason(kind="pools", count=native, stops=True))
    children = _children()
    if children:
        found.append(_reason("processes", children))
    found += _open(ours)
    return found


def tidy(shell: Any, loop: asyncio.AbstractEventLoop) -> None:
    """End threads that only wait for work, of IPython's and asyncio's own."""
    if threading.active_count() == 1:
        return
    scripts = shell.magics_manager.registry.get("ScriptMagics")
    stop = getattr(scripts, "stop_event_loop", None)
    if stop is not None and not scripts.bg_processes:
        stop()
    loops.rest(loop)


def _reason(kind: str, names: Collection[str], *, stops: bool = False) -> Reason:
    shown = tuple(name[:_LENGTH] for name in list(names)[:NAMES])
    return Reason(kind=kind, count=len(names), names=shown, stops=stops)


def _native(python: int) -> int:
    """Threads beside so many of Python's that do not outlive a fork.

    One that was joined may be there for a moment longer; on a busy machine it waits for its turn to
    end, which a pool that waits for work does not.
    """
    if len(_tasks()) <= python or _is_known_pool():
        return 0
    began = time.monotonic()
    while (waited := time.monotonic() - began) < _ENDING_SECONDS:
        time.sleep(0.001)
        tasks = _tasks()
        if len(tasks) <= python:
            return 0
        if waited > _REST_SECONDS and not any(map(_is_running, tasks)):
            break
    return max(0, len(_tasks()) - python)


def _tasks() -> list[str]:
    """Threads of this process beside the main one, Python's and others; none where they are hidden."""
    try:
        return [task for task in os.listdir("/proc/self/task") if int(task) != os.getpid()]
    except OSError:
        return []


def _is_running(task: str) -> bool:
    """Whether this thread has something to do."""
    try:
        with open(f"/proc/self/task/{task}/stat", "rb") as file:
            state = file.read().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in (b"S", b"T", b"t")


def _is_known_pool() -> bool:
    """Are there only libraries that know about forks?"""
    if not any(name in sys.modules for name in _SURVIVES):
        return False
    try:
        with open("/proc/self/maps") as file:
            return not any(name in line for line in file for name in _OPENMP)
    except OSError:
        return False


def _children() -> list[str]:
    """Names of the processes code has started and not yet waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return []
    names = []
    with contextlib.suppress(OSError):
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/children") as file:
                for pid in file.read().split():
                    names.append(_program(pid))
    return names or [""]


def _program(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _open(ours: Collection[int]) -> Iterable[Reason]:
    """Files that are written, sockets and pipes."""
    files, sockets, pipes = [], 0, 0
    own = {(each.st_dev, each.st_ino) for each in _stats(ours)}
    for fd in process.descriptors():
        try:
            about = os.fstat(fd)
            flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        except OSError:
            continue
        if (about.st_dev, about.st_ino) in own:
            continue
        if stat.S_ISSOCK(about.st_mode):
            sockets += 1
        elif stat.S_ISFIFO(about.st_mode):
            pipes += 1
        elif stat.S_ISREG(about.st_mode) and flags & os.O_ACCMODE != os.O_RDONLY:
            files.append(_name(fd))
    if files:
        yield _reason("files", files)
    if sockets:
        yield Reason(kind="sockets", count=sockets)
    if pipes:
        yield Reason(kind="pipes", count=pipes)


def _stats(fds: Iterable[int]) -> Iterable[os.stat_result]:
    for fd in fds:
        with contextlib.suppress(OSError):
            yield os.fstat(fd)


def _name(fd: int) -> str:
    try:
        path = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""
    return os.path.relpath(path) if path.startswith(os.getcwd()) else path
