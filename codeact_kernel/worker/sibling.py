"""A fork that is the child of this process's parent: one system call and nobody in between.

Rules:
- Only where it is known to be right: one thread, a known machine, the supervisor is the parent. Else
  None, and it has to be done otherwise.
- What the C library's own fork does beside the call is done here: Python's handlers run, the C
  library knows its thread's new number, the list of robust locks is registered. Handlers that
  libraries have for forks are not called; they look after threads, and there are none.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import platform
from dataclasses import dataclass

from codeact_kernel.worker.signals import undisturbed

_CLONE_PARENT, _CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x8000, 0x200000, 0x1000000
_FLAGS = _CLONE_PARENT | _CLONE_CHILD_CLEARTID | _CLONE_CHILD_SETTID
_PR_GET_TID_ADDRESS = 40
_NOT_HERE = frozenset({errno.EINVAL, errno.EPERM, errno.ENOSYS})
_python = ctypes.PyDLL(None, use_errno=True)
"""The C library and the interpreter, called without letting go of the interpreter's lock."""


@dataclass(frozen=True, slots=True)
class _Machine:
    """Numbers of system calls, and which of clone's arguments is the thread's number."""

    clone: int
    number_at: int
    set_robust_list: int
    get_robust_list: int


_MACHINES = {
    "x86_64": _Machine(56, 3, 273, 274),
    "aarch64": _Machine(220, 4, 99, 100),
    "riscv64": _Machine(220, 4, 99, 100),
}


def fork(parent: int) -> int | None:
    """The pid of a new child of `parent`, 0 in that child; None where it cannot be had so.

    Raises OSError when there is no room for another process.
    """
    machine = _MACHINES.get(platform.machine())
    place = ctypes.c_void_p()
    if machine is None or os.getppid() != parent or not _is_alone():
        return None
    if _python.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(place), 0, 0, 0) != 0 or not place:
        return None
    return undisturbed(lambda: _fork(machine, place))


def _fork(machine: _Machine, place: ctypes.c_void_p) -> int | None:
    arguments = [ctypes.c_ulong(_FLAGS), *[ctypes.c_void_p()] * 4]
    arguments[machine.number_at] = place
    clone = ctypes.c_long(machine.clone)
    locks, size = ctypes.c_void_p(), ctypes.c_size_t()
    _call(machine.get_robust_list, ctypes.c_long(0), ctypes.byref(locks), ctypes.byref(size))
    collects = gc.isenabled()
    gc.disable()  # nothing of the notebook's may run before the third of these, nor be called between
    _python.PyOS_BeforeFork()
    pid: int = _python.syscall(clone, *arguments)
    error = ctypes.get_errno()
    (_python.PyOS_AfterFork_Parent if pid else _python.PyOS_AfterFork_Child)()
    if collects:
        gc.enable()
    if pid == 0:
        _call(machine.set_robust_list, locks, size)
    if pid >= 0:
        return pid
    if error in _NOT_HERE:
        return None
    raise OSError(error, os.strerror(error))


def _call(number: int, *arguments: object) -> None:
    _python.syscall(ctypes.c_long(number), *arguments)


def _is_alone() -> bool:
    """Whether the main thread is the only one; not where that cannot be seen."""
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False
