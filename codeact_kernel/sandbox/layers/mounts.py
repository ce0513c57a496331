"""A file system of one's own, put together from pieces of the one outside.

Rule: nothing here decides what is shown. Flags are only ever added to a mount, for all that is
mounted below it too. Needs CAP_SYS_ADMIN in a mount namespace of one's own; raises OSError.
"""

from __future__ import annotations

import ctypes
import os
import struct

from codeact_kernel.sandbox.layers import syscalls
from codeact_kernel.sandbox.layers.syscalls import syscall

NOSUID, NODEV, NOEXEC = 2, 4, 8
_BIND, _REC, _SLAVE = 4096, 16384, 1 << 19
_RDONLY = 1
_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "fd": "/proc/self/fd",
    "ptmx": "pts/ptmx",
}
_SWITCHES = ("sys", "sysrq-trigger", "irq", "bus")
"""Of /proc: writing there changes the machine."""

_libc = ctypes.CDLL(None, use_errno=True)


def keep_to_ourselves() -> None:
    """What is mounted from now on is not seen outside."""
    _mount("none", "/", None, _SLAVE | _REC)


def tmpfs(path: str, size: int, mode: int) -> None:
    """An empty file system in memory."""
    os.makedirs(path, exist_ok=True)
    _mount("tmpfs", path, "tmpfs", NOSUID | NODEV, f"size={size},mode={mode:o}")


def bind(source: str, path: str, *, writable: bool) -> None:
    """`source`, with what is mounted in it, at `path`; made when it is not there."""
    if os.path.isdir(source):
        os.makedirs(path, exist_ok=True)
    else:
        _touch(path)
    _mount(source, path, None, _BIND | _REC)
    _add_flags(path, NOSUID | NODEV | (0 if writable else _RDONLY), _AT_RECURSIVE)


def read_only(path: str) -> None:
    """This mount alone, not those in it."""
    _add_flags(path, _RDONLY, 0)


def proc(path: str) -> None:
    """The processes of our own namespace."""
    os.makedirs(path, exist_ok=True)
    _mount("proc", path, "proc", NOSUID | NODEV | NOEXEC)
    for name in _SWITCHES:
        if os.path.exists(f"{path}/{name}"):
            bind(f"{path}/{name}", f"{path}/{name}", writable=False)


def dev(path: str, source: str) -> None:
    """The harmless devices of `source`, and terminals of our own."""
    tmpfs(path, 1 << 20, 0o755)
    for name in _DEVICES:
        _touch(f"{path}/{name}")
        _mount(f"{source}/{name}", f"{path}/{name}", None, _BIND)
    for name, target in _LINKS.items():
        os.symlink(target, f"{path}/{name}")
    os.mkdir(f"{path}/shm")
    os.mkdir(f"{path}/pts")
    options = "newinstance,ptmxmode=0666,mode=620"
    _mount("devpts", f"{path}/pts", "devpts", NOSUID | NOEXEC, options)


def enter(path: str, old: str) -> None:
    """Make `path`, a mount, the root; the root until now is then at `old`, a folder in it."""
    _pivot(path, old)
    os.chdir("/")


def leave(old: str) -> None:
    """What is mounted at `old` is out of reach from now on."""
    if _libc.umount2(_raw(old), _DETACH) < 0:
        _fail(old)


def enter_for_good(path: str) -> None:
    """Make `path`, a mount, the root; the root until now is nowhere."""
    old = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.chdir(path)
    _pivot(".", ".")
    os.fchdir(old)  # it lies over the new one, and is reached only so
    os.close(old)
    leave(".")
    os.chdir("/")


def _pivot(path: str, old: str) -> None:
    syscall({"x86_64": 155, "aarch64": 41}[syscalls.MACHINE], _raw(path), _raw(old))


def _touch(path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, 0o444))


def _add_flags(path: str, flags: int, how: int) -> None:
    attributes = struct.pack("=QQQQ", flags, 0, 0, 0)
    syscall(syscalls.MOUNT_SETATTR, _AT_FDCWD, _raw(path), how, attributes, len(attributes))


def _mount(source: str, path: str, kind: str | None, flags: int, options: str = "") -> None:
    result = _libc.mount(
        _raw(source),
        _raw(path),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        options.encode() if options else None,
    )
    if result < 0:
        _fail(path)


def _fail(path: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), path)


def _raw(path: str) -> bytes:
    return os.fsencode(path) + b"\0"
