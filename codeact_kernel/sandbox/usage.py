"""What a tree of processes uses, asked of /proc from outside.

Rule: first the cheap question, then the dear one. Pages that a process shares with the one it was
forked from are counted for both by the first, so it only ever says too much.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from codeact_kernel.sandbox.layers.processes import descendants

_KIB = 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes and tasks (processes and threads)."""

    memory: int
    tasks: int


def tree(pid: int) -> list[int]:
    """`pid` and everything below it."""
    found = [pid]
    for each in found:
        try:
            for task in os.listdir(f"/proc/{each}/task"):
                with open(f"/proc/{each}/task/{task}/children") as file:
                    found += map(int, file.read().split())
        except FileNotFoundError:
            if not os.path.exists("/proc/self/task"):
                continue
            if not _lists_children():
                return [pid, *descendants(pid)]
        except OSError:
            continue
    return found


def at_most(pids: Iterable[int]) -> Usage:
    """Some 15 µs for each process; never too little."""
    memory = tasks = 0
    for pid in pids:
        fields = _fields(f"/proc/{pid}/status")
        memory += fields.get(b"RssAnon", 0) + fields.get(b"RssShmem", 0)
        tasks += fields.get(b"Threads", 0)
    return Usage(memory * _KIB, tasks)


def exact_memory(pids: Iterable[int]) -> int:
    """Bytes, each shared page counted once; milliseconds for each gigabyte."""
    total = 0
    for pid in pids:
        fields = _fields(f"/proc/{pid}/smaps_rollup")
        if b"Pss_Anon" not in fields:
            fields = _fields(f"/proc/{pid}/status")
        total += sum(fields.get(name, 0) for name in _COUNTED)
    return total * _KIB


_COUNTED = (b"Pss_Anon", b"Pss_Shmem", b"RssAnon", b"RssShmem")
"""One pair of the two is there."""


def _fields(path: str) -> dict[bytes, int]:
    """The numbers of a file of "Name:  number unit" lines; empty when it cannot be read."""
    try:
        with open(path, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        name, _, rest = line.partition(b":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0])
    return found


def _lists_children() -> bool:
    return os.path.exists(f"/proc/self/task/{os.getpid()}/children")


def is_running(pid: int) -> bool:
    """Does it run, or wait for a processor?"""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] == b"R"
    except OSError:
        return False
