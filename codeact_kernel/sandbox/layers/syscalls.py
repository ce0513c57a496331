"""System calls that the standard library has no function for.

Rule: this file knows numbers and errno, not what a call is good for. Linux on x86_64 and aarch64.
"""

from __future__ import annotations

import ctypes
import os

MACHINE = os.uname().machine
"""As the kernel names it: "x86_64" or "aarch64"; any other machine has no seccomp filter."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

SECCOMP = {"x86_64": 317, "aarch64": 277}
CAPSET = {"x86_64": 126, "aarch64": 91}
UNSHARE = {"x86_64": 272, "aarch64": 97}
OPEN_TREE = 428
MOVE_MOUNT = 429
MOUNT_SETATTR = 442
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_ADD_RULE = 445
LANDLOCK_RESTRICT_SELF = 446

CLONE_NEWUSER = 0x10000000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47


def syscall(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """The call's result. Raises OSError with the errno it gave."""
    result = int(_libc.syscall(ctypes.c_long(number), *map(_wide, arguments)))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), f"system call {number}")
    return result


def prctl(option: int, *arguments: int) -> int:
    """prctl(2) with its unused arguments zero. Raises OSError."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    result = int(_libc.prctl(ctypes.c_int(option), *map(ctypes.c_ulong, padded)))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), f"prctl {option}")
    return result


def _wide(argument: object) -> object:
    # Variadic: a bare int would be passed as 32 bits and the upper half left as it was.
    return ctypes.c_long(argument) if isinstance(argument, int) else argument
