"""Privileges: given up all at once, the user id with them.

Rule: after `drop` no capability is left in any set, none can be gained by running a program, and
the process is nobody's but its own user's.
"""

from __future__ import annotations

import os
import signal
import struct

from codeact_kernel.sandbox.layers import syscalls
from codeact_kernel.sandbox.layers.syscalls import prctl, syscall

_VERSION_3 = 0x20080522
_AMBIENT_CLEAR_ALL = 4


def drop(uid: int | None) -> None:
    """Become `uid` (None: stay who we are) and lose every capability, for good."""
    prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    _empty_bounding_set()
    prctl(syscalls.PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = struct.pack("=Ii", _VERSION_3, 0)
    syscall(syscalls.CAPSET[syscalls.MACHINE], header, bytes(24))
    if uid is not None:
        # A change of user makes the process undumpable: its own /proc/self would belong to root.
        prctl(syscalls.PR_SET_DUMPABLE, 1)


def die_with_parent() -> None:
    """Be killed when the parent's thread ends. Lost on every change of user: ask again then."""
    prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def _empty_bounding_set() -> None:
    for capability in range(64):
        try:
            prctl(syscalls.PR_CAPBSET_DROP, capability)
        except OSError:
            # EINVAL: past the last one. EPERM: not ours to drop (no privileges, no_new_privs
            # keeps what is left in the set from ever being gained); the self-test says which.
            return
