"""The workspace as a copy that is written: a layer of its own over the folder, which stays as it is.

Rule: runs in the launcher while it may still mount. Either everything written below the workspace
lands in the staging area, or the workspace stays read-only as it was mounted before; what was to be
hidden or kept read-only in it is mounted anew on top, or the launcher ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Mapping
from typing import Any

from codeact_kernel.sandbox.layers import syscalls
from codeact_kernel.sandbox.layers.syscalls import syscall

SOURCE = "codeact-staged"
"""What the mount is called in /proc/self/mountinfo: how the self-test knows it from another."""

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND = 1, 2, 4, 8, 4096
_CLONE_NEWNS = 0x00020000
_OPTIONS = "userxattr,redirect_dir=nofollow,metacopy=off,index=off"

_libc = ctypes.CDLL(None, use_errno=True)


def keep_mounts_apart(orders: Mapping[str, Any]) -> None:
    """Before `stage`, in the process whose mounts these are, or a parent of it. Raises OSError."""
    if orders["nested"]:
        # bubblewrap's mounts belong to a user namespace around ours; in a copy we may mount.
        syscall(syscalls.UNSHARE[syscalls.MACHINE], _CLONE_NEWNS)


def stage(orders: Mapping[str, Any]) -> str:
    """Mount it as `orders` say; "done", or the errno's name when it cannot be had here.

    Keys: nested (in a user namespace of its own), path, place (the folder that holds lower and area), lower, area, mark ([device, inode] of
    the lower folder), covers ([source, path] pairs to be mounted on top, read-only).
    Raises OSError when what must be on top cannot be mounted.
    """
    found = os.stat(orders["lower"], follow_symlinks=False)
    if [found.st_dev, found.st_ino] != orders["mark"]:
        raise OSError(errno.ESTALE, "the folder was replaced while the sandbox started")
    try:
        _overlay(orders)
    except OSError as error:
        _cover(orders["place"])
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    for source, path in orders["covers"]:
        # What is not there any more, because code deleted or replaced it, need not be hidden.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            _mount(source, path, None, _MS_BIND)
    _cover(orders["place"])
    return "done"


def note(look: dict[str, Any], path: str, result: str) -> None:
    """What the self-test has to know of `result`, which `stage` gave for the folder at `path`."""
    look["staging"] = result
    if result == "done":
        # A copy has other numbers; the folder below it was compared.
        marks = look["marks"].items()
        look["marks"] = {
            name: mark for name, mark in marks if name != path and not name.startswith(f"{path}/")
        }


def _overlay(orders: Mapping[str, Any]) -> None:
    area = orders["area"]
    layers = f"lowerdir={orders['lower']},upperdir={area}/upper,workdir={area}/work"
    flags = _MS_NOSUID | _MS_NODEV
    _mount(SOURCE, orders["path"], "overlay", flags, f"{layers},{_OPTIONS}")


def _cover(place: str) -> None:
    """Nobody reaches the layers by themselves: they are under an empty file system."""
    flags = _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    _mount("none", place, "tmpfs", flags, "size=4k,mode=000")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        None if kind is None else kind.encode(),
        ctypes.c_ulong(flags),
        options.encode() if options else None,
    )
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)
