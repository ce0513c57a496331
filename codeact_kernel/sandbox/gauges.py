"""What is measured of a running sandbox: memory and processes of all of it, inodes in memory.

Rule: `look` is cheap, runs on the event loop and ends the sandbox only for what is certain;
`doubtful` asks for `examine`, which runs in a thread. `level` changes when something is going on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from codeact_kernel.sandbox import usage
from codeact_kernel.sandbox.cgroups import Group
from codeact_kernel.sandbox.ended import (
    MIB,
    Ended,
    disk_full,
    out_of_memory,
    too_many_processes,
)

_CROWDED_SECONDS = 1.0
_CROWDED_LOOKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How much of something was used at the last look. `unit`: bytes, tasks or files."""

    name: str
    used: int
    limit: int
    unit: str


class Gauge(Protocol):
    """Something that may be used up."""

    level: int

    @property
    def doubtful(self) -> bool: ...
    def look(self) -> Ended | None: ...
    def examine(self) -> Ended | None: ...
    def reading(self) -> Reading: ...


class GroupMemory:
    """The kernel keeps the limit and kills; here it is seen that it did."""

    doubtful = False

    def __init__(self, group: Group, limit: int) -> None:
        self.level = 0
        self._group = group
        self._limit = limit

    def look(self) -> Ended | None:
        self.level = self._group.memory() // MIB
        return out_of_memory(self._limit) if self._group.memory_kills() else None

    def examine(self) -> Ended | None:
        return None

    def reading(self) -> Reading:
        return _of_memory(self.level, self._limit)


class TreeMemory:
    """Where there is no group: the sum over all processes, exact only when it has to be."""

    def __init__(self, pids: Callable[[], list[int]], limit: int) -> None:
        self.level = 0
        self._pids = pids
        self._limit = limit
        self._memory = 0

    @property
    def doubtful(self) -> bool:
        return self._memory > self._limit

    def look(self) -> Ended | None:
        self._memory = usage.at_most(self._pids()).memory
        self.level = self._memory // MIB
        return None

    def examine(self) -> Ended | None:
        memory = usage.exact_memory(self._pids())
        return out_of_memory(self._limit) if memory > self._limit else None

    def reading(self) -> Reading:
        return _of_memory(self.level, self._limit)


class Crowd:
    """Processes without end: the limit is reached, and for a second it goes on all the same.

    One that sleeps at the limit is harmless and is left alone; RLIMIT_NPROC has told its code.
    """

    doubtful = False

    def __init__(
        self, pids: Callable[[], list[int]], count: Callable[[], int | None], limit: int
    ) -> None:
        self.level = 0
        self._pids = pids
        self._count = count
        self._limit = limit
        self._before: set[int] = set()
        self._since = 0.0
        self._looks = 0

    def look(self) -> Ended | None:
        tasks = self._count()
        if tasks is None:
            tasks = usage.at_most(self._pids()[1:]).tasks
        self.level = tasks
        if tasks > 2 * self._limit:
            return too_many_processes(self._limit)
        if tasks < self._limit - 2 or not self._busy():
            self._looks = 0
            return None
        if not self._looks:
            self._since = time.monotonic()
        self._looks += 1
        lasted = time.monotonic() - self._since
        if self._looks >= _CROWDED_LOOKS and lasted >= _CROWDED_SECONDS:
            return too_many_processes(self._limit)
        return None

    def examine(self) -> Ended | None:
        return None

    def reading(self) -> Reading:
        return Reading(name="processes", used=self.level, limit=self._limit, unit="tasks")

    def _busy(self) -> bool:
        """Do processes come and go, or do most of them run, and are they not just threads?"""
        pids = self._pids()[1:]
        before, self._before = self._before, set(pids)
        if len(pids) < self._limit // 2:
            return False
        return before != self._before or 2 * sum(map(usage.is_running, pids)) > len(pids)


class Inodes:
    """Files in the file systems in memory, whose size is limited but not their number."""

    doubtful = False

    def __init__(self, root: Callable[[], str | None], places: Iterable[str], limit: int) -> None:
        self.level = 0
        self._root = root
        self._places = tuple(places)
        self._limit = limit

    def look(self) -> Ended | None:
        root = self._root()
        for place in self._places if root else ():
            try:
                found = os.statvfs(f"{root}{place}")
            except OSError:
                continue
            self.level = used = found.f_files - found.f_ffree
            if used > self._limit:
                return disk_full(place, f"{self._limit:,} files")
        return None

    def examine(self) -> Ended | None:
        return None

    def reading(self) -> Reading:
        return Reading(name="files in memory", used=self.level, limit=self._limit, unit="files")


def _of_memory(mebibytes: int, limit: int) -> Reading:
    return Reading(name="memory", used=mebibytes * MIB, limit=limit, unit="bytes")
