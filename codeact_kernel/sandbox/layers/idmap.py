"""Owner swap: a mount on which one user's files appear as another's, and the other way round.

Rule: nothing on disk changes. Inside, files of the folder's owner belong to the unprivileged user
the sandbox runs as; what it makes there belongs, outside, to the folder's owner.

Needs CAP_SYS_ADMIN in the mount namespace, and a file system that can be mapped (ext4, xfs, btrfs,
newer tmpfs and overlayfs ...). Raises OSError where it cannot be had.
"""

from __future__ import annotations

import os
import signal
import struct

from codeact_kernel.sandbox.layers import syscalls
from codeact_kernel.sandbox.layers.syscalls import syscall

_AT_FDCWD = -100
_AT_EMPTY_PATH, _AT_RECURSIVE = 0x1000, 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 0x4
_MOUNT_ATTR_IDMAP = 0x00100000
_LAST_ID = 0xFFFFFFFE


def swap_owner(path: str, theirs: tuple[int, int], ours: int) -> None:
    """Mount `path`, and what is mounted below it, over itself with its owner swapped.

    `theirs` is the (uid, gid) of the folder on disk, `ours` the uid and gid of the sandbox.
    """
    where = os.fsencode(path) + b"\0"
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
    tree = syscall(syscalls.OPEN_TREE, _AT_FDCWD, where, flags)
    try:
        namespace = _user_namespace(theirs, ours)
        try:
            attributes = struct.pack("=QQQQ", _MOUNT_ATTR_IDMAP, 0, 0, namespace)
            flags = _AT_EMPTY_PATH | _AT_RECURSIVE
            syscall(syscalls.MOUNT_SETATTR, tree, b"\0", flags, attributes, len(attributes))
        finally:
            os.close(namespace)
        syscall(syscalls.MOVE_MOUNT, tree, b"\0", _AT_FDCWD, where, _MOVE_MOUNT_F_EMPTY_PATH)
    finally:
        os.close(tree)


def id_map(theirs: int, ours: int) -> str:
    """The lines of a uid_map: every id as it is, but `theirs` on disk is `ours` to look at.

    Id 0 is never given away: no file comes to look as if it were root's.
    """
    lines = [f"{theirs} {ours} 1"]
    start = 1
    for stop in sorted({theirs, ours} - {0}):
        if stop > start:
            lines.append(f"{start} {start} {stop - start}")
        start = stop + 1
    lines.append(f"{start} {start} {_LAST_ID - start}")
    if theirs:
        lines.append(f"{ours} {theirs} 1")
    return "\n".join(lines) + "\n"


def _user_namespace(theirs: tuple[int, int], ours: int) -> int:
    """A descriptor of a user namespace that holds the two maps; it outlives its only process."""
    ready, holder = os.pipe()
    pid = os.fork()
    if pid == 0:
        _hold_namespace(ready, holder)
    os.close(holder)
    try:
        if os.read(ready, 1) != b"+":
            raise OSError(0, "no user namespace can be made for the owner map")
        for name, disk in (("uid_map", theirs[0]), ("gid_map", theirs[1])):
            with open(f"/proc/{pid}/{name}", "w") as file:
                file.write(id_map(disk, ours))
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _hold_namespace(ready: int, holder: int) -> None:
    """In the child: enter the new namespace, say so, wait to be killed."""
    try:
        os.close(ready)
        syscall(syscalls.UNSHARE[syscalls.MACHINE], syscalls.CLONE_NEWUSER)
        os.write(holder, b"+")
        signal.pause()
    finally:
        os._exit(1)
