"""Control groups: the kernel's own limit on what all processes of a sandbox use together.

Rule: found out by doing. Where no group can be made the answer is None, and the watchdog stands in.
Whoever holds the lock owns the group; one whose lock is free was left behind and is swept.

Version 1 has a hierarchy for each controller, version 2 one for all. A group is made below our own,
and with version 2, where a group with processes cannot have children, beside it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from codeact_kernel.sandbox.policy import Policy

_PREFIX = "codeact-sandbox-"
_CONTROLLERS = ("memory", "pids", "cpu")
_PERIOD = 100_000
_SECONDS = 2.0
_SWEEP_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Group:
    """`folders` by controller; `locks` are held as long as the sandbox may run."""

    version: int
    folders: Mapping[str, str]
    locks: list[int] = field(default_factory=list)

    @contextlib.contextmanager
    def doors(self) -> Iterator[tuple[int, ...]]:
        """Descriptors; a process that writes "0" to each is in the group, and all it starts."""
        with contextlib.ExitStack() as stack:
            files = [
                stack.enter_context(open(f"{folder}/cgroup.procs", "wb", buffering=0))
                for folder in self._unique()
            ]
            yield tuple(file.fileno() for file in files)

    def is_joined(self) -> bool:
        """Is there anybody in it?"""
        return bool(_read(f"{self.folders['memory']}/cgroup.procs"))

    def memory_kills(self) -> int:
        """How many processes the kernel killed because the memory limit was reached."""
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        fields = dict(line.split()[:2] for line in _read(self._file(name)).splitlines())
        return int(fields.get("oom_kill", 0))

    def memory(self) -> int:
        """Bytes in use, with what of files is kept in memory."""
        name = "memory.usage_in_bytes" if self.version == 1 else "memory.current"
        return int(_read(self._file(name)) or 0)

    def tasks(self) -> int | None:
        """Processes and threads; None when that is not counted."""
        folder = self.folders.get("pids")
        return int(_read(f"{folder}/pids.current") or 0) if folder else None

    def remove(self) -> None:
        """Take it away; nothing of it runs any more, or is killed now. Idempotent."""
        for folder in self._unique():
            _remove(folder, _SECONDS)
        while self.locks:
            os.close(self.locks.pop())

    def _file(self, name: str) -> str:
        return f"{self.folders['memory']}/{name}"

    def _unique(self) -> list[str]:
        return list(dict.fromkeys(self.folders.values()))


def make(policy: Policy) -> Group | None:
    """A fresh group with the policy's limits; None where memory cannot be limited by one."""
    # In a group of its own a busy machine would count all of the sandbox as one process.
    wanted = [row for row in parents() if row[1] != "cpu" or policy.cpus is not None]
    return make_in(tuple(wanted), policy) if wanted else None


@functools.cache
def parents() -> tuple[tuple[int, str, str], ...]:
    """(version, controller, folder) to make groups in, each of them tried; () without memory."""
    for candidates in (_version_1(), *version_2()):
        with contextlib.suppress(OSError):
            group = make_in(candidates, Policy.strict())
            if group is not None:
                group.remove()
                return tuple(row for row in candidates if row[1] in group.folders)
    return ()


def sweep() -> None:
    """Take away the groups that killed kernels left behind."""
    for folder in {folder for _, _, folder in parents()}:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(_PREFIX):
                    _sweep(entry.path)


def _sweep(path: str) -> None:
    with contextlib.suppress(OSError):
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path, _SWEEP_SECONDS)
        finally:
            os.close(lock)


def make_in(candidates: tuple[tuple[int, str, str], ...], policy: Policy) -> Group | None:
    """A group below these (version, controller, folder); None when memory cannot be limited there."""
    name = f"{_PREFIX}{os.urandom(8).hex()}"
    group = Group(candidates[0][0] if candidates else 0, {})
    folders: dict[str, str] = {}
    locks: list[int] = []
    for version, controller, parent in candidates:
        folder = f"{parent}/{name}"
        group = Group(version, folders, locks)
        try:
            if folder not in folders.values():
                os.mkdir(folder)
                locks.append(_lock(folder))
            _limit(version, controller, folder, policy)
        except OSError:
            if folder not in folders.values():
                _remove(folder, 0)
            continue
        folders[controller] = folder
    if "memory" in folders:
        return group
    group.remove()
    return None


def _limit(version: int, controller: str, folder: str, policy: Policy) -> None:
    """Raises OSError when the limit that matters cannot be set."""
    memory = str(policy.memory)
    if controller == "memory" and version == 1:
        _write(f"{folder}/memory.limit_in_bytes", memory)
        _write_if_there(f"{folder}/memory.memsw.limit_in_bytes", memory)
    elif controller == "memory":
        _write(f"{folder}/memory.max", memory)
        _write_if_there(f"{folder}/memory.swap.max", "0")
        _write_if_there(f"{folder}/memory.oom.group", "1")
    elif controller == "pids":
        _write(f"{folder}/pids.max", str(policy.processes))
    elif policy.cpus is not None:
        quota = int(policy.cpus * _PERIOD)
        name, text = ("cfs_quota_us", f"{quota}") if version == 1 else ("max", f"{quota} {_PERIOD}")
        _write(f"{folder}/cpu.{name}", text)


def _version_1() -> tuple[tuple[int, str, str], ...]:
    """Our own group in each hierarchy that one of the controllers has for itself."""
    own = _own_groups()
    return tuple(
        (1, controller, folder)
        for controller in _CONTROLLERS
        if (folder := own.get(controller)) is not None
    )


def version_2(process: str = "/proc/self") -> Iterator[tuple[tuple[int, str, str], ...]]:
    """From our own group upwards, as far as we may write: those whose children have controllers."""
    folder = _own_groups(process).get("")
    while folder is not None and os.access(f"{folder}/cgroup.procs", os.W_OK):
        given = _read(f"{folder}/cgroup.subtree_control").split()
        if "memory" in given:
            yield tuple((2, name, folder) for name in _CONTROLLERS if name in given)
        folder = os.path.dirname(folder)


def _own_groups(process: str = "/proc/self") -> dict[str, str]:
    """By controller, "" for version 2: the folder of the group this process is in."""
    mounts = _mounts(process)
    own = {}
    for line in _read(f"{process}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            if controller in mounts:
                root, place = mounts[controller]
                below = path[len(root) :] if path.startswith(root) else ""
                own[controller] = f"{place}/{below.strip('/')}".rstrip("/")
    return own


def _mounts(process: str) -> dict[str, tuple[str, str]]:
    """By controller: which group is mounted as the root of its hierarchy, and where."""
    found = {}
    for line in _read(f"{process}/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        root, place = left.split(" ")[3:5]
        names = [""] if kind == "cgroup2" else options.split(",") if kind == "cgroup" else []
        for name in names:
            found[name] = (root.rstrip("/"), place)
    return found


def _lock(folder: str) -> int:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def _remove(folder: str, seconds: float) -> None:
    """Kill who is still in it, and rmdir; one that has just ended may be in it for a moment longer."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            os.rmdir(folder)
        except OSError as error:
            if error.errno != errno.EBUSY:
                return
            _kill_all(folder)
            if time.monotonic() >= deadline:
                return
            time.sleep(0.001)
        else:
            return


def _kill_all(folder: str) -> None:
    """Also who has no parent any more by which it could be found."""
    _write_if_there(f"{folder}/cgroup.kill", "1")
    for pid in _read(f"{folder}/cgroup.procs").split():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(int(pid), signal.SIGKILL)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _write_if_there(path: str, text: str) -> None:
    with contextlib.suppress(OSError):
        _write(path, text)


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
