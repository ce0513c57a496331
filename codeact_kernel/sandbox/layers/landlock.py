"""Landlock: what of the file system a process can reach, by rules it can never take back.

Rule: everything is refused but what is granted here; TCP (but to the proxy's port, where there is
one), abstract sockets and signals to the outside are refused without exception where the kernel
can. Bits and sizes grow with the ABI.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterable

from codeact_kernel.sandbox.layers import syscalls
from codeact_kernel.sandbox.layers.syscalls import syscall

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
MAKE_CHAR, MAKE_BLOCK = 1 << 6, 1 << 11
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15

READ = EXECUTE | READ_FILE | READ_DIR
LIST = READ_DIR
DEVICE = READ_FILE | WRITE_FILE | IOCTL_DEV
_ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_ABSENT = (errno.ENOSYS, errno.EOPNOTSUPP)
_PATH_BENEATH, _NET_PORT = 1, 2
_CONNECT_TCP = 2
_KNOWS_TCP = 4
_VERSION = 1


def abi() -> int:
    """The kernel's Landlock version; 0 where there is none."""
    try:
        return syscall(syscalls.LANDLOCK_CREATE_RULESET, None, 0, _VERSION)
    except OSError as error:
        if error.errno in _ABSENT:
            return 0
        raise


def restrict(grants: Iterable[tuple[str, str]], ports: Iterable[int] = ()) -> int:
    """Keep this process and its children to `grants`; the ABI in force, 0 without Landlock.

    `ports` are those that TCP connections may be made to, at any address.

    A grant is (path, kind) with kind "read", "write", "list" or "device". A path that is not
    there, or is a link, is left out: nothing is granted by it. "/proc/self" is this process's.
    Needs no_new_privs.
    """
    version = abi()
    if not version:
        return 0
    handled = _handled(version)
    ruleset = _create(version, handled)
    kinds = {
        "read": READ,
        "list": LIST,
        "device": DEVICE,
        "write": handled & ~(MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV),
    }
    try:
        # Rules are about files, not names: it has to be the folder it stands for now.
        ours = f"/proc/{os.getpid()}"
        for path, kind in grants:
            _allow(ruleset, ours if path == "/proc/self" else path, kinds[kind] & handled)
        _enforce(ruleset, version, ports)
    finally:
        os.close(ruleset)
    return version


def restrict_all_but_files(ports: Iterable[int] = ()) -> None:
    """TCP, abstract sockets and signals alone, where the kernel can; `restrict` may come after."""
    version = abi()
    if version < _KNOWS_TCP:
        return
    ruleset = _create(version, 0)
    try:
        _enforce(ruleset, version, ports)
    finally:
        os.close(ruleset)


def _enforce(ruleset: int, version: int, ports: Iterable[int]) -> None:
    for port in ports if version >= _KNOWS_TCP else ():
        rule = struct.pack("=QQ", _CONNECT_TCP, port)
        syscall(syscalls.LANDLOCK_ADD_RULE, ruleset, _NET_PORT, rule, 0)
    syscall(syscalls.LANDLOCK_RESTRICT_SELF, ruleset, 0)


def _handled(version: int) -> int:
    bits = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)
    return (1 << bits) - 1


def _create(version: int, handled: int) -> int:
    network = 3 if version >= _KNOWS_TCP else 0
    scoped = 3 if version >= 6 else 0
    size = 8 if version < 4 else 16 if version < 6 else 24
    attributes = struct.pack("=QQQ", handled, network, scoped)[:size]
    return syscall(syscalls.LANDLOCK_CREATE_RULESET, attributes, size, 0)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISLNK(mode):
            return
        if not stat.S_ISDIR(mode):
            access &= _ON_FILES
        if access:
            rule = struct.pack("=Qi", access, handle)
            syscall(syscalls.LANDLOCK_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(handle)
