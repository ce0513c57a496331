"""Locks and shared memory of `multiprocessing` where there is no /dev/shm: files in the temporary folder.

Rule: standard library only, and nothing is imported before code asks for it. libc makes named
semaphores and shared memory in /dev/shm and nowhere else; without namespaces that folder is the
machine's, and not shown. The same semaphores work in any file that is mapped into two processes.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_SIZE = 4096
_RECURSIVE_MUTEX = 0
_FOLDER = "shm"
_FIRST = (
    "import sys; sys.path.append({folder!r}); import codeact_shared_memory; "
    "codeact_shared_memory.install()"
)


def install() -> None:
    """From now on, in this process and its forks. Does nothing where /dev/shm can be used."""
    try:
        os.scandir("/dev/shm").close()  # noqa: S108 - what libc uses
    except PermissionError:
        sys.meta_path.insert(0, _Changed())


class _Changed:
    """Finds the modules that use /dev/shm, and changes them when they have been executed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        change = _CHANGES.get(name)
        if change is None:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            vars(spec)["loader"] = _Loader(spec.loader, change)
        return spec


class _Loader:
    """The module's own, and the change."""

    def __init__(self, own: Loader, change: Callable[[ModuleType], None]) -> None:
        self._own = own
        self._change = change

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._own.exec_module(module)
        self._change(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)


def _change_semaphores(module: ModuleType) -> None:
    vars(module).update(SemLock=SemLock, sem_unlink=_unlink)


def _change_memory(module: ModuleType) -> None:
    vars(module).update(shm_open=_open, shm_unlink=_unlink)


def _change_heap(module: Any) -> None:
    module.Arena._dir_candidates = []


def _change_spawn(module: Any) -> None:
    """A Python that it starts is told, as this one was, to ignore the variable that names our folder."""
    command = module.get_command_line

    def with_us(**how: Any) -> list[str]:
        words: list[str] = command(**how)
        if "-c" in words:
            place = words.index("-c") + 1
            folder = os.path.dirname(os.path.abspath(__file__))
            words[place] = f"{_FIRST.format(folder=folder)}; {words[place]}"
        return words

    module.get_command_line = with_us


_CHANGES: dict[str, Callable[[ModuleType], None]] = {
    "_multiprocessing": _change_semaphores,
    "_posixshmem": _change_memory,
    "multiprocessing.heap": _change_heap,
    "multiprocessing.spawn": _change_spawn,
}


def _path(name: str) -> str:
    name = name.lstrip("/")
    if not name or "/" in name or name in (".", ".."):
        raise ValueError(f"{name!r} is not a name")
    import tempfile

    folder = os.path.join(tempfile.gettempdir(), _FOLDER)
    os.makedirs(folder, 0o700, exist_ok=True)
    return os.path.join(folder, name)


def _open(path: str, flags: int, mode: int = 0o777) -> int:
    return os.open(_path(path), flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode)


def _unlink(name: str) -> None:
    os.unlink(_path(name))


class SemLock:
    """As `_multiprocessing.SemLock`, with its semaphore in a file."""

    SEM_VALUE_MAX = 2**31 - 1
    name: str | None

    def __init__(self, kind: int, value: int, maxvalue: int, name: str, unlink: bool) -> None:
        descriptor = _open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.ftruncate(descriptor, _SIZE)
            self._map(kind, maxvalue, name, descriptor)
        finally:
            os.close(descriptor)
        self._call("sem_init", 1, value)
        if unlink:
            self.name = None  # so nobody takes it away a second time
            _unlink(name)

    @classmethod
    def _rebuild(cls, handle: int, kind: int, maxvalue: int, name: str) -> SemLock:
        self = cls.__new__(cls)
        descriptor = _open(name, os.O_RDWR)
        try:
            self._map(kind, maxvalue, name, descriptor)
        finally:
            os.close(descriptor)
        return self

    def _map(self, kind: int, maxvalue: int, name: str, descriptor: int) -> None:
        import ctypes
        import mmap
        import threading

        self.kind, self.maxvalue, self.name = kind, maxvalue, name
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._held = ctypes.c_char.from_buffer(mmap.mmap(descriptor, _SIZE))
        self.handle = ctypes.addressof(self._held)
        self._me = threading.get_ident
        self._times, self._owner = 0, 0

    def _call(self, name: str, *arguments: Any) -> int:
        """The number of the error, 0 for none. libc lets go of Python while it waits."""
        import ctypes

        function = getattr(self._libc, name)
        failed = function(ctypes.c_void_p(self.handle), *arguments)
        return ctypes.get_errno() if failed else 0

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Wait for it, for `timeout` seconds when that is given."""
        if self.kind == _RECURSIVE_MUTEX and self._is_mine():
            self._times += 1
            return True
        if self._call("sem_trywait") and not (block and self._wait(timeout)):
            return False
        self._times += 1
        self._owner = self._me()
        return True

    def __enter__(self) -> bool:
        return self.acquire()

    def _wait(self, timeout: float | None) -> bool:
        import errno

        until = () if timeout is None else (_at(max(timeout, 0)),)
        while error := self._call("sem_timedwait" if until else "sem_wait", *until):
            if error == errno.ETIMEDOUT:
                return False
            if error != errno.EINTR:  # a signal: its handler has run when we come here
                raise OSError(error, os.strerror(error))
        return True

    def release(self) -> None:
        """Let the next one go on."""
        if self.kind == _RECURSIVE_MUTEX:
            if not self._is_mine():
                raise AssertionError("attempt to release recursive lock not owned by thread")
            if self._times > 1:
                self._times -= 1
                return
        elif self._get_value() >= self.maxvalue:
            raise ValueError("semaphore or lock released too many times")
        self._call("sem_post")
        self._times -= 1

    def __exit__(self, *_: object) -> None:
        self.release()

    def _count(self) -> int:
        return self._times

    def _is_mine(self) -> bool:
        return self._times > 0 and self._owner == self._me()

    def _get_value(self) -> int:
        import ctypes

        value = ctypes.c_int()
        self._call("sem_getvalue", ctypes.byref(value))
        return value.value

    def _is_zero(self) -> bool:
        return self._get_value() == 0

    def _after_fork(self) -> None:
        self._times = 0


def _at(seconds: float) -> Any:
    """A moment so many seconds from now, as sem_timedwait wants it."""
    import ctypes
    import time

    class Moment(ctypes.Structure):
        _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))

    whole, rest = divmod(time.time() + seconds, 1)
    return ctypes.byref(Moment(int(whole), int(rest * 1e9)))
