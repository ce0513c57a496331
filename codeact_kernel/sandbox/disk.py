"""How much a sandbox wrote to a folder on disk, and whether that is too much.

Rule: the file system is asked first, which costs microseconds; files are counted only when it has
filled by half of what the folder has left. No link is followed, no more than a budget is looked at,
and what was deleted but is still open counts.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from codeact_kernel.sandbox.ended import MIB, Ended, disk_full
from codeact_kernel.sandbox.gauges import Reading

_BUDGET = 300_000
_DEPTH = 64
_BLOCK = 512


@dataclass(slots=True)
class Written:
    """Bytes and files; `complete` is False when there was too much, or too deep, to see it all."""

    size: int = 0
    files: int = 0
    seen: int = 0
    complete: bool = True


class Quota:
    """One folder. `since`: files that changed before (seconds since the epoch) are not its doing.

    `pids` lists the sandbox's processes, whose open files are looked at.
    """

    def __init__(
        self,
        path: str,
        place: str,
        *,
        size: int,
        files: int,
        since: float,
        pids: Callable[[], list[int]],
    ) -> None:
        self.level = 0
        self._path, self._place = path, place
        self._size, self._files = size, files
        self._since = since
        self._pids = pids
        self._room = (size, files)
        self._low = self._used = _filled(path)

    def look(self) -> Ended | None:
        """Ask the file system; never a verdict by itself."""
        self._used = _filled(self._path)
        self._low = (min(self._low[0], self._used[0]), min(self._low[1], self._used[1]))
        self.level = self._used[0] // MIB
        return None

    @property
    def doubtful(self) -> bool:
        """Has the file system filled so much that it may have been this sandbox?"""
        return any(
            now - low > room // 2
            for now, low, room in zip(self._used, self._low, self._room, strict=True)
        )

    def examine(self) -> Ended | None:
        """Count, in a thread."""
        grown = tuple(now - low for now, low in zip(self._used, self._low, strict=True))
        found = written(self._path, self._since)
        _count_deleted(found, self._pids(), self._path)
        size, files = found.size, found.files
        if not found.complete:
            size, files = max(size, grown[0]), max(files, grown[1])
        if size > self._size:
            return disk_full(self._place, f"{self._size // MIB} MB")
        if files > self._files:
            return disk_full(self._place, f"{self._files:,} files")
        self._room = (max(self._size - size, MIB), max(self._files - files, 100))
        self._low = self._used
        return None

    def reading(self) -> Reading:
        """By how much the file system has filled: what others write there counts, too."""
        used = max(0, self._used[0] - self._low[0])
        return Reading(name=f"disk: {self._place}", used=used, limit=self._size, unit="bytes")


def written(path: str, since: float) -> Written:
    """All that changed below `path` since then."""
    found = Written()
    with contextlib.suppress(OSError):
        top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _add(top, since, found, _DEPTH)
        finally:
            os.close(top)
    return found


def _add(folder: int, since: float, found: Written, depth: int) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            found.seen += 1
            if found.seen > _BUDGET:
                found.complete = False
                return
            try:
                about = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if about.st_ctime >= since:
                found.size += about.st_blocks * _BLOCK
                found.files += 1
            if stat.S_ISDIR(about.st_mode):
                _add_below(folder, entry.name, since, found, depth)


def _add_below(folder: int, name: str, since: float, found: Written, depth: int) -> None:
    if depth == 0:
        found.complete = False
        return
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        below = os.open(name, flags, dir_fd=folder)
    except OSError:
        found.complete = False  # forbidden to us, or gone meanwhile
        return
    try:
        _add(below, since, found, depth - 1)
    finally:
        os.close(below)


def _count_deleted(found: Written, pids: Iterable[int], path: str) -> None:
    """Files without a name, held open by one of `pids` on the file system of `path`."""
    try:
        device = os.stat(path).st_dev
    except OSError:
        return
    known: set[int] = set()
    for place, pid in enumerate(pids):
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except PermissionError:
            # The first two are ours; another one may have hidden itself for a reason.
            found.complete = found.complete and place < 2
            continue
        except OSError:
            continue
        for name in names:
            with contextlib.suppress(OSError):
                about = os.stat(f"/proc/{pid}/fd/{name}")
                if about.st_nlink == 0 and about.st_dev == device and about.st_ino not in known:
                    known.add(about.st_ino)
                    found.size += about.st_blocks * _BLOCK
                    found.files += 1


def _filled(path: str) -> tuple[int, int]:
    """Bytes and inodes in use on the file system; zeros when it cannot be asked."""
    try:
        found = os.statvfs(path)
    except OSError:
        return 0, 0
    return (found.f_blocks - found.f_bfree) * found.f_frsize, found.f_files - found.f_ffree
