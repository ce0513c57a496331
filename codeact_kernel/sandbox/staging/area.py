"""The staging area of one notebook: a folder of the user's that outlives sandboxes and kernels.

Rule: whoever holds the lock may have a sandbox on it or decide about what is in it; nobody else
touches it. Standard library only, and little of it: this is on the kernel's start path.

    <state>/staged/<name>/  lock · about.json · ledger.json · upper/ (what was written) · work/
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FOLDER = "staged"
_TRIES = 100


@dataclass(frozen=True, slots=True)
class About:
    """Whose area it is: the workspace, and the notebook in it ("" when nobody named one)."""

    workspace: str
    notebook: str


@dataclass(frozen=True, slots=True)
class Area:
    """`lock` is a descriptor, held as long as the area is ours."""

    path: str
    about: About
    lock: int

    @property
    def upper(self) -> str:
        """Where the writes land."""
        return f"{self.path}/upper"

    @property
    def ledger(self) -> str:
        """What has been seen and decided."""
        return f"{self.path}/ledger.json"

    @property
    def uid(self) -> int:
        """Who the code runs as that writes here."""
        return os.stat(self.upper, follow_symlinks=False).st_uid

    def is_empty(self) -> bool:
        """Nothing was ever written, or everything has been decided about and tidied up."""
        with os.scandir(self.upper) as entries:
            return next(entries, None) is None

    def close(self, keep: bool = False) -> None:
        """Let it go; an empty one is taken away, unless the next kernel's sandbox has it already.

        No sandbox may run code on it any more.
        """
        with contextlib.suppress(OSError):
            if not keep and self.is_empty():
                _delete(self.path)
        with contextlib.suppress(OSError):
            os.close(self.lock)


def reserve(state: Path, about: About, uid: int) -> Area:
    """The notebook's area, made when there is none; another one while somebody else holds it.

    `uid`: who is to own what is staged in a new one. Raises OSError.
    """
    folder = state / _FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = _name(about)
    for number in range(_TRIES):
        path = f"{folder}/{name}" + (f"-{number}" if number else "")
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        lock = _lock(path)
        if lock is None:
            continue
        try:
            return _furnish(Area(path, about, lock), uid)
        except BaseException:
            os.close(lock)
            raise
    raise OSError(0, f"more than {_TRIES} kernels use {about.workspace}")


def find(state: Path, wanted: About | None = None) -> list[str]:
    """The paths of the areas there are: all, or those of a notebook (and of no named one in its folder)."""
    try:
        names = sorted(os.listdir(state / _FOLDER))
    except OSError:
        return []
    paths = [f"{state / _FOLDER}/{name}" for name in names]
    found = [(path, about) for path in paths if (about := read_about(path))]
    if wanted is None:
        return [path for path, _ in found]
    return [
        path
        for path, about in found
        if about.workspace == wanted.workspace and about.notebook in ("", wanted.notebook)
    ]


def open_existing(path: str) -> Area | None:
    """An area found by `find`; None when somebody holds it, or it is gone."""
    about = read_about(path)
    lock = _lock(path) if about else None
    return Area(path, about, lock) if about and lock is not None else None


def read_about(path: str) -> About | None:
    """Whose area it is; None when it is none."""
    try:
        with open(f"{path}/about.json", encoding="utf-8") as file:
            values: Any = json.load(file)
        return About(str(values["workspace"]), str(values["notebook"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _furnish(area: Area, uid: int) -> Area:
    if read_about(area.path) is None:
        text = json.dumps({"workspace": area.about.workspace, "notebook": area.about.notebook})
        Path(area.path, "about.json").write_text(text, encoding="utf-8")
    for name in ("upper", "work"):
        path = f"{area.path}/{name}"
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o755)
            if uid != os.getuid():
                os.chown(path, uid, uid)
    return area


def _lock(path: str) -> int | None:
    try:
        lock = os.open(f"{path}/lock", os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.stat(f"{path}/lock").st_ino == os.fstat(lock).st_ino:  # not taken away meanwhile
            return lock
    except OSError:
        pass
    os.close(lock)
    return None


def _name(about: About) -> str:
    text = f"{about.workspace}\0{about.notebook}".encode(errors="surrogateescape")
    words = "".join(c if c.isalnum() else "-" for c in os.path.basename(about.workspace))
    return f"{words[:40]}-{zlib.crc32(text):08x}{zlib.adler32(text):08x}"


def _delete(path: str) -> None:
    from codeact_kernel.sandbox.folder import delete

    delete(path)


@contextlib.contextmanager
def holding(path: str) -> Iterator[Area | None]:
    """An existing area while the block runs; None when somebody else holds it."""
    area = open_existing(path)
    try:
        yield area
    finally:
        if area is not None:
            area.close()
