"""seccomp: a filter in front of every system call, for this process and all it starts.

Rule: the errno is part of the design. `clone3` must be ENOSYS so that libc falls back to `clone`,
whose flags can be seen; a refused socket family is EOPNOTSUPP, because libraries abort on EPERM.

The program is classic BPF over `struct seccomp_data`: u32 nr, u32 arch, u64 ip, u64 args[6].
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Iterable

from codeact_kernel.sandbox.layers import syscalls
from codeact_kernel.sandbox.layers.calls import (
    EXAMINED,
    MACHINES,
    NOT_OURS,
    ONLY_ONESELF,
    REFUSED,
    UNHEARD,
    UNSUPPORTED,
)
from codeact_kernel.sandbox.layers.syscalls import syscall

_NR, _ARCH = 0, 4
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_NEW_NAMESPACES = 0x7E020080
"""Every CLONE_NEW* flag."""
_TERMINAL_MISUSE = (0x5412, 0x541C, 0x5423)
"""TIOCSTI, TIOCLINUX: typing into somebody's terminal. TIOCSETD: line disciplines, which are old
kernel modules that are loaded on demand."""
_FILE_FLAGS = (0x40086602, 0x40046602, 0x401C5820)
"""FS_IOC_SETFLAGS, its 32-bit form, FS_IOC_FSSETXATTR: they need no right to write."""
_SET_ID = 0o6000
_KIND, _PIPE = 0o170000, 0o010000
_CREATES = 0o100 | 0o20000000
"""O_CREAT, O_TMPFILE: only then does open(2) have a mode."""
_AF_UNIX = 1
_STREAM, _SEQPACKET, _TYPE_MASK = 1, 5, 0xF
_TCP = 6

_LOAD, _EQUAL, _ABOVE, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_SET_MODE_FILTER, _TSYNC = 1, 1

Step = tuple[int, int, int, int]
"""One instruction: code, jump when true, jump when false, operand."""


def restrict(families: Iterable[int] = (), absent: Iterable[str] = ()) -> None:
    """Put the filter on, for all threads, for good. Needs no_new_privs. Raises OSError.

    `families` are the address families socket(2) may still make streams of, and connect them; none
    by default. `absent` names calls that are to look as if this kernel did not have them.
    """
    _install(program(syscalls.MACHINE, families, absent))


def restrict_shared() -> None:
    """What is asked besides where files and processes are the machine's own. Call it before
    `restrict`: of two refusals the newer filter's errno is the one that is seen.
    """
    _install(shared_program(syscalls.MACHINE))


def _install(steps: list[Step]) -> None:
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code, len(code))
    fprog = struct.pack("@HP", len(steps), ctypes.addressof(buffer))
    syscall(syscalls.SECCOMP[syscalls.MACHINE], _SET_MODE_FILTER, _TSYNC, fprog)


def program(machine: str, families: Iterable[int] = (), absent: Iterable[str] = ()) -> list[Step]:
    """The filter for `machine`. Raises OSError(ENOSYS) for one without a table."""
    column = _column(machine)
    steps: list[Step] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        _refuse(errno.EPERM),  # the 32-bit doors, which have other numbers
        (_LOAD, 0, 0, _NR),
    ]
    if machine == "x86_64":
        steps += [(_ABOVE, 0, 1, _X32_BIT), _refuse(errno.ENOSYS)]
    families = tuple(families)
    for name, row in REFUSED.items():
        if name == "connect" and families:
            continue
        if (refused := row[column]) is not None:
            steps += [(_EQUAL, 0, 1, refused), _refuse(errno.EPERM)]
    bodies = {
        "clone3": [_refuse(errno.ENOSYS)],
        "openat2": [_refuse(errno.ENOSYS)],  # its mode is in memory, where no filter can look
        "clone": _plain_clone(),
        "ioctl": _other_ioctl(_TERMINAL_MISUSE),
        "socket": _family_of(families),
        "socketpair": _connected_pair(),
        "mknod": _only_pipe(1),
        "mknodat": _only_pipe(2),
        "chmod": _no_set_id(1),
        "fchmod": _no_set_id(1),
        "fchmodat": _no_set_id(2),
        "fchmodat2": _no_set_id(2),
        "creat": _no_set_id(1),
        "open": _no_set_id(2, flags=1),
        "openat": _no_set_id(3, flags=2),
    }
    bodies |= {name: [_refuse(errno.ENOSYS)] for name in absent}
    for name, body in bodies.items():
        if (examined := EXAMINED[name][column]) is not None:
            steps += [(_EQUAL, 0, len(body), examined), *body]
    return [*steps, _allow()]


def shared_program(machine: str) -> list[Step]:
    """The second filter for `machine`. Raises OSError(ENOSYS) for one without a table."""
    column = _column(machine)
    steps: list[Step] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        _refuse(errno.EPERM),
        (_LOAD, 0, 0, _NR),
    ]
    answers = ((UNSUPPORTED, errno.EOPNOTSUPP), (NOT_OURS, errno.EPERM), (UNHEARD, 0))
    for table, answer in answers:
        for row in table.values():
            if (number := row[column]) is not None:
                steps += [(_EQUAL, 0, 1, number), _refuse(answer)]
    for place, row in ONLY_ONESELF.values():
        if (number := row[column]) is not None:
            body = [_argument(place), (_EQUAL, 1, 0, 0), _refuse(errno.EPERM), _allow()]
            steps += [(_EQUAL, 0, len(body), number), *body]
    if (ioctl := EXAMINED["ioctl"][column]) is not None:
        body = _other_ioctl(_FILE_FLAGS)
        steps += [(_EQUAL, 0, len(body), ioctl), *body]
    return [*steps, _allow()]


def _column(machine: str) -> int:
    if machine not in MACHINES:
        raise OSError(errno.ENOSYS, f"no system call table for {machine}")
    return MACHINES.index(machine)


def _only_pipe(mode: int) -> list[Step]:
    """A named pipe, no device and no file with odd bits. `mode`: the argument's place."""
    return [
        _argument(mode),
        (_ANY_BIT, 3, 0, _SET_ID),
        (_AND, 0, 0, _KIND),
        (_EQUAL, 0, 1, _PIPE),
        _allow(),
        _refuse(errno.EPERM),
    ]


def _no_set_id(mode: int, flags: int | None = None) -> list[Step]:
    """No file that makes who runs it, outside, its owner. `mode`, `flags`: the arguments' places."""
    check = [_argument(mode), (_ANY_BIT, 0, 1, _SET_ID), _refuse(errno.EPERM), _allow()]
    if flags is None:
        return check
    return [_argument(flags), (_ANY_BIT, 0, len(check) - 1, _CREATES), *check]


def _plain_clone() -> list[Step]:
    return [_argument(0), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), _refuse(errno.EPERM), _allow()]


def _other_ioctl(refused: Iterable[int]) -> list[Step]:
    steps = [_argument(1)]
    for request in refused:
        steps += [(_EQUAL, 0, 1, request), _refuse(errno.EPERM)]
    return [*steps, _allow()]


def _family_of(families: Iterable[int]) -> list[Step]:
    """Streams of these families over their usual protocol: no datagrams, no MPTCP, nothing raw."""
    usual = [
        _argument(1),
        (_AND, 0, 0, _TYPE_MASK),
        (_EQUAL, 0, 4, _STREAM),
        _argument(2),
        (_EQUAL, 1, 0, 0),
        (_EQUAL, 0, 1, _TCP),
        _allow(),
        _refuse(errno.EOPNOTSUPP),
    ]
    steps = [_argument(0)]
    for family in families:
        steps += [(_EQUAL, 0, len(usual), family), *usual]
    return [*steps, _refuse(errno.EOPNOTSUPP)]


def _connected_pair() -> list[Step]:
    """A pair must be AF_UNIX and connected: a datagram socket could send to any socket by path."""
    return [
        _argument(0),
        (_EQUAL, 1, 0, _AF_UNIX),
        _refuse(errno.EOPNOTSUPP),
        _argument(1),
        (_AND, 0, 0, _TYPE_MASK),
        (_EQUAL, 1, 0, _STREAM),
        (_EQUAL, 0, 1, _SEQPACKET),
        _allow(),
        _refuse(errno.EPERM),
    ]


def _argument(index: int) -> Step:
    return (_LOAD, 0, 0, 16 + 8 * index)  # the lower half: both machines are little-endian


def _allow() -> Step:
    return (_RETURN, 0, 0, _ALLOW)


def _refuse(error: int) -> Step:
    return (_RETURN, 0, 0, _ERRNO | error)
