"""Put what was staged into the real folder, or take away what was deleted.

Rule: every path is walked from the folder's own descriptor, one name at a time, through folders
only; a link on the way, or one that appears while we walk, ends it. Files are made anew beside
their place and renamed, so that what is there is whole, and a link in its place is replaced, not
followed. Owner: the folder's. Mode: what was staged, without set-user-ID bits.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator

from codeact_kernel.sandbox.staging.layer import FOLDER
from codeact_kernel.sandbox.staging.protected import is_protected

MAX_FILE = 2 << 30
"""Bytes of one file that is kept; who wrote more moves it by hand."""
_CHUNK = 1 << 20
_MAX_DEPTH = 200


class Refused(Exception):
    """It is not done, and this clause says why."""


class Tree:
    """A folder by its descriptor. What it does, it does below it and nowhere else."""

    def __init__(self, path: str) -> None:
        """Raises OSError when it is not a folder (or a link to one)."""
        self._root = os.open(path, FOLDER)
        found = os.fstat(self._root)
        self._owner = (found.st_uid, found.st_gid)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._root)

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stat(self, path: str) -> os.stat_result | None:
        """What is there, itself; None when there is nothing, or no way to it without a link."""
        try:
            with self._parent(path) as (folder, name):
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except (OSError, Refused):
            return None

    def stats(self, paths: Iterable[str]) -> dict[str, os.stat_result]:
        """As `stat`, for many paths at once: each folder is walked to once. Only what is there."""
        names: dict[str, list[str]] = {}
        for path in paths:
            above, _, name = path.rpartition("/")
            names.setdefault(above, []).append(name)
        found: dict[str, os.stat_result] = {}
        for above, those in names.items():
            start = f"{above}/" if above else ""
            with contextlib.suppress(OSError, Refused), self._parent(f"{start}x") as (folder, _):
                for name in those:
                    with contextlib.suppress(OSError):
                        seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
                        found[start + name] = seen
        return found

    def open_file(self, path: str) -> int:
        """A descriptor of a plain file, to read. Raises Refused, OSError."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with self._parent(path) as (folder, name):
            handle = os.open(name, flags, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise Refused("it is not a plain file")
        return handle

    def read_link(self, path: str) -> str:
        """Where a link points. Raises Refused, OSError."""
        with self._parent(path) as (folder, name):
            return os.readlink(name, dir_fd=folder)

    def put_file(
        self, path: str, source: int, mode: int, still: Callable[[], bool] = lambda: True
    ) -> None:
        """A copy of `source` at `path`, whatever was there but a folder. Raises Refused, OSError.

        `still` is asked when it has been read and before it is put in place.
        """
        with self._parent(path, make=True) as (folder, name):
            fresh = f".codeact-{secrets.token_hex(8)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            handle = os.open(fresh, flags, 0o600, dir_fd=folder)
            try:
                try:
                    _copy(source, handle)
                    if not still():
                        raise Refused("code is writing to it; list it again")
                    self._own(handle)
                    os.fchmod(handle, mode & 0o777)
                finally:
                    os.close(handle)
                os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(fresh, dir_fd=folder)
                raise

    def overwrite(self, path: str, source: int) -> None:
        """The content of `source` in the plain file that is there, which stays the same file."""
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with self._parent(path) as (folder, name):
            handle = os.open(name, flags, dir_fd=folder)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                raise Refused("it is not a plain file of one name")
            os.ftruncate(handle, 0)
            _copy(source, handle)
        finally:
            os.close(handle)

    def put_link(self, path: str, target: str) -> None:
        """A link, when it leads to something below the folder. Raises Refused, OSError."""
        if not stays_below(path, target):
            raise Refused("it is a link that leads out of the folder, or to what is protected")
        with self._parent(path, make=True) as (folder, name):
            fresh = f".codeact-{secrets.token_hex(8)}"
            os.symlink(target, fresh, dir_fd=folder)
            try:
                os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                os.unlink(fresh, dir_fd=folder)
                raise

    def put_folder(self, path: str) -> None:
        """A folder, when there is none. Raises Refused, OSError."""
        with self._parent(path, make=True) as (folder, name):
            self._enter(folder, name, make=True, close=True)

    def delete(self, path: str) -> None:
        """Delete what is there, a folder with all that is in it. Raises Refused, OSError."""
        with self._parent(path) as (folder, name):
            try:
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                return
            if not stat.S_ISDIR(found.st_mode):
                os.unlink(name, dir_fd=folder)
                return
            self._empty(folder, name)
            os.rmdir(name, dir_fd=folder)

    def remove(self, path: str, *, folder: bool) -> None:
        """Take one name away; a folder only when it is empty. Raises Refused, OSError."""
        with self._parent(path) as (above, name):
            if folder:
                os.rmdir(name, dir_fd=above)
            else:
                os.unlink(name, dir_fd=above)

    def empty(self, path: str) -> None:
        """Delete everything in a folder. Raises Refused, OSError."""
        with self._parent(path) as (folder, name):
            self._empty(folder, name)

    def _empty(self, folder: int, name: str) -> None:
        handle = os.open(name, FOLDER, dir_fd=folder)
        try:
            if protected := _protected_below(handle):
                raise Refused(f"{protected} in it is protected")
            _clear(handle)
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _parent(self, path: str, make: bool = False) -> Iterator[tuple[int, str]]:
        """The descriptor of the folder a path is in, and its last name."""
        *above, name = path.split("/")
        if name in ("", ".", "..") or len(above) > _MAX_DEPTH:
            raise Refused("it has no name in this folder")
        folder = os.dup(self._root)
        try:
            for part in above:
                below = self._enter(folder, part, make=make)
                os.close(folder)
                folder = below
            yield folder, name
        finally:
            os.close(folder)

    def _enter(self, folder: int, name: str, *, make: bool, close: bool = False) -> int:
        if name in ("", ".", ".."):
            raise Refused("it has no name in this folder")
        made = False
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=folder)
                made = True
        try:
            handle = os.open(name, FOLDER, dir_fd=folder)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise Refused(f"{name} on the way to it is a link or a file") from None
            raise
        if made:
            self._own(handle)
        if close:
            os.close(handle)
        return handle

    def _own(self, handle: int) -> None:
        if os.getuid() == 0:
            os.fchown(handle, *self._owner)


def stays_below(path: str, target: str) -> bool:
    """Whether a link at `path` with this target leads, read as text, to something below the folder."""
    if not target or target.startswith("/") or "\0" in target:
        return False
    place = path.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            if not place:
                return False
            place.pop()
        elif part not in ("", "."):
            place.append(part)
    return bool(place) and not is_protected("/".join(place))


def _copy(source: int, target: int) -> None:
    """Everything there is to read, up to MAX_FILE."""
    done = 0
    while True:
        try:
            count = os.copy_file_range(source, target, _CHUNK * 64)
        except OSError as error:
            if done or error.errno not in (
                errno.EXDEV,
                errno.EINVAL,
                errno.EOPNOTSUPP,
                errno.ENOSYS,
            ):
                raise
            _copy_by_hand(source, target)
            return
        if not count:
            return
        done += count
        if done > MAX_FILE:
            raise Refused(f"it is larger than {MAX_FILE >> 30} GB")


def _copy_by_hand(source: int, target: int) -> None:
    done = 0
    while data := os.read(source, _CHUNK):
        done += len(data)
        if done > MAX_FILE:
            raise Refused(f"it is larger than {MAX_FILE >> 30} GB")
        view = memoryview(data)
        while view:
            view = view[os.write(target, view) :]


def _protected_below(folder: int, depth: int = 0) -> str:
    """A protected name somewhere in a folder, "" when there is none."""
    if depth > _MAX_DEPTH:
        raise Refused("its folders are too deep")
    with os.scandir(folder) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in names:
        if is_protected(name):
            return name
        if is_folder:
            handle = os.open(name, FOLDER, dir_fd=folder)
            try:
                if found := _protected_below(handle, depth + 1):
                    return f"{name}/{found}"
            finally:
                os.close(handle)
    return ""


def _clear(folder: int) -> None:
    with os.scandir(folder) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in names:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
            continue
        handle = os.open(name, FOLDER, dir_fd=folder)
        try:
            _clear(handle)
        finally:
            os.close(handle)
        os.rmdir(name, dir_fd=folder)
