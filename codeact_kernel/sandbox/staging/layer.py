"""What lies in the layer that took the writes, and what it would change in the folder.

Rule: names, kinds and stamps only; no content is read here. The layer is hostile: its folders are
opened one below the other, never through a link, and there is an end to counting them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

MAX_ENTRIES = 20_000
MAX_DEPTH = 60
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPAQUE = "user.overlay.opaque"


class TooMuch(Exception):
    """More was written than anybody could look through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something in the layer. `stamp` is another one whenever it was written to again."""

    kind: str
    """file, folder, link, deleted, or other (a pipe, a socket, a folder that cannot be opened)."""
    size: int
    mode: int
    """Permission bits; none that change who runs it."""
    stamp: str
    replaces: bool = False
    """A folder: what lay in the folder of that name before is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What keeping a path would do to the folder."""

    path: str
    act: str
    """created, changed, deleted, replaced (a folder whose old content goes, or another kind)."""
    entry: Entry


def scan(upper: str) -> dict[str, Entry]:
    """Everything in the layer by its path below it, folders before what is in them.

    Raises TooMuch, and OSError when the layer itself cannot be read.
    """
    found: dict[str, Entry] = {}
    root = os.open(upper, FOLDER)
    try:
        _scan(root, "", 0, found)
    finally:
        os.close(root)
    return found


def _scan(folder: int, above: str, depth: int, found: dict[str, Entry]) -> None:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    if len(found) + len(names) > MAX_ENTRIES or depth > MAX_DEPTH:
        raise TooMuch(
            f"More than {MAX_ENTRIES:,} files and folders, or {MAX_DEPTH} folders below each other, "
            "are staged"
        )
    for name in names:
        try:
            seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(seen.st_mode):
            found[above + name] = _entry(seen)
            continue
        try:
            child = os.open(name, FOLDER, dir_fd=folder)
        except OSError:
            found[above + name] = _entry(seen, "other")
            continue
        try:
            found[above + name] = _folder(child)
            _scan(child, f"{above}{name}/", depth + 1, found)
        finally:
            os.close(child)


def _entry(seen: os.stat_result, kind: str = "") -> Entry:
    return Entry(
        kind=kind or _kind(seen),
        size=seen.st_size,
        mode=stat.S_IMODE(seen.st_mode) & 0o777,
        stamp=stamp(seen),
    )


def stamp(seen: os.stat_result) -> str:
    """Of a file: another one after each write. The time of change cannot be set by code."""
    return f"{seen.st_ino}:{seen.st_size}:{seen.st_mtime_ns}:{seen.st_ctime_ns}:{seen.st_mode:o}"


def _folder(handle: int) -> Entry:
    seen = os.fstat(handle)
    try:
        replaces = os.getxattr(handle, _OPAQUE) == b"y"
    except OSError:
        replaces = False
    return Entry(
        kind="folder",
        size=0,
        mode=stat.S_IMODE(seen.st_mode) & 0o777,
        stamp=f"folder:{seen.st_ino}:{replaces}",
        replaces=replaces,
    )


def _kind(seen: os.stat_result) -> str:
    if stat.S_ISREG(seen.st_mode):
        return "file"
    if stat.S_ISLNK(seen.st_mode):
        return "link"
    if stat.S_ISCHR(seen.st_mode) and seen.st_rdev == 0:
        return "deleted"  # how an overlay notes it
    return "other"


def changes(entries: dict[str, Entry], real: dict[str, str]) -> Iterator[Change]:
    """What each entry would do, given the kind of what is in the folder under its name.

    `real` holds file, folder, link or other, and no key where there is nothing.
    """
    for path, entry in entries.items():
        there = real.get(path)
        if act := _act(entry, there):
            yield Change(path=path, act=act, entry=entry)


def _act(entry: Entry, there: str | None) -> str:
    if entry.kind == "deleted":
        return "deleted" if there else ""
    if there is None:
        return "created"
    if entry.kind == "folder":
        return "replaced" if entry.replaces or there != "folder" else ""
    return "changed" if there == entry.kind else "replaced"
