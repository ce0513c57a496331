"""The self-test: what a process inside sees of its own walls, found out by trying.

Rule: standard library only, runs inside after the last layer and before any code of the user.
It asks the kernel, never the orders it was started with; the orders only say where to look.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

FAMILIES = {
    "unix": 1,
    "inet": 2,
    "inet6": 10,
    "netlink": 16,
    "packet": 17,
    "alg": 38,
    "vsock": 40,
}
_CLONE_NEWUSER = 0x10000000
_MPTCP = 262
_ENTRIES = 50
_STAGED = "codeact-staged"
"""As `layers.overlay` names its mount."""
_NAMESPACES = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")


def run(
    look: Mapping[str, Any], landlock_abi: int, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The report as JSON values. `look` names the canary, the forbidden places, the limits.

    `before` is what `legacy` saw, where something of our own has been added since.
    """
    status = _status()
    return {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": os.getgroups(),
        "seccomp": int(status.get("Seccomp", "0")),
        "no_new_privs": status.get("NoNewPrivs") == "1",
        "capabilities": {
            name: int(status.get(name, "0"), 16)
            for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")
        },
        "landlock_abi": landlock_abi,
        "namespaces": _namespaces(),
        "sockets": {name: _tried(_open_socket, number) for name, number in FAMILIES.items()},
        "network": _network(look["proxy"]),
        "canary": _tried(_read, look["canary"]),
        "writes": {place: _tried(_write, place) for place in look["forbidden"]},
        "scratch": _tried(_write, look["scratch"]),
        "workspace": _workspace(look["workspace"]),
        "staging": look["staging"],
        "swapped": [path for path, mark in look["marks"].items() if not _is(path, mark)],
        "unreadable": {path: _tried(_read, path) for path in look["masked"]},
        "interfaces": _interfaces(),
        "processes": _processes(look["ours"]),
        "limits": _limits(look["limits"]),
        "tmp_size": _size(look["tmp"]),
        "new_namespace": _tried(_new_namespace, status),
        "python": sys.version.split()[0],
        **(legacy() if before is None else before),
    }


def legacy(but: Collection[int] = ()) -> dict[str, Any]:
    """What came in from outside with this process: its variables, its descriptors `but` these."""
    found = _descriptors()
    return {
        "environment": sorted(os.environ),  # noqa: TID251 - inside, it is what is tested
        "descriptors": None if found is None else [fd for fd in found if fd not in but],
    }


def _tried(attempt: Callable[[Any], object], argument: object) -> str:
    """The word "done" when the attempt succeeded, else the errno's name."""
    try:
        attempt(argument)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return "done"


def _read(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    os.close(handle)


def _write(folder: str) -> None:
    """Make a file without a name; where the file system cannot, one with a name, taken away."""
    try:
        handle = os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
        path = os.path.join(folder, f".codeact-{os.urandom(8).hex()}")
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        os.unlink(path)
    os.close(handle)


def _list(path: str) -> None:
    os.listdir(path)


def _workspace(path: str | None) -> str:
    """One of none, ro, rw, cow (writes are staged), partly (only entries of it can be written), or an errno."""
    if path is None:
        return "none"
    seen = _tried(_list, path)
    if seen != "done":
        return seen
    if _tried(_write, path) == "done":
        return "cow" if _is_staged(path) else "rw"
    entries = [os.path.join(path, name) for name in os.listdir(path)[:_ENTRIES]]
    return "partly" if any(_tried(_change, entry) == "done" for entry in entries) else "ro"


def _is_staged(path: str) -> bool:
    """Is what is mounted there last of all the layer that takes writes for the folder?"""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        rows = [line.split() for line in file]
    escaped = path
    for character in "\\ \t\n":
        escaped = escaped.replace(character, f"\\{ord(character):03o}")
    here = [row[row.index("-") + 1 :] for row in rows if row[4] == escaped]
    return bool(here) and here[-1][:2] == ["overlay", _STAGED]


def _change(path: str) -> None:
    """Open for writing without changing anything."""
    if os.path.isdir(path):
        _write(path)
    else:
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        os.close(os.open(path, flags))


def _is(path: str, mark: list[int]) -> bool:
    """Is this still the file that was looked at before it was mounted here?"""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    return [found.st_dev, found.st_ino] == mark


def _open_socket(family: int) -> None:
    kind = socket.SOCK_RAW if family in (16, 17) else socket.SOCK_STREAM
    if family == 38:
        kind = socket.SOCK_SEQPACKET
    socket.socket(family, kind).close()


def _network(proxy: int | None) -> dict[str, str]:
    """Where there is a proxy: can it be reached, and can anything else? Empty where there is none."""
    if proxy is None:
        return {}
    return {
        "proxy": _tried(_connect, ("127.0.0.1", proxy)),
        "another port": _tried(_connect, ("127.0.0.1", proxy + 1)),
        "an address outside": _tried(_connect, ("192.0.2.1", proxy)),
        "a datagram socket": _tried(_open_inet, (socket.SOCK_DGRAM, 0)),
        "a raw socket": _tried(_open_inet, (socket.SOCK_RAW, socket.IPPROTO_ICMP)),
        "a multipath socket": _tried(_open_inet, (socket.SOCK_STREAM, _MPTCP)),
        "a listener": _tried(_listen, None),
    }


def _connect(address: tuple[str, int]) -> None:
    with socket.socket() as stream:
        stream.settimeout(5)
        stream.connect(address)


def _open_inet(kind: tuple[int, int]) -> None:
    socket.socket(socket.AF_INET, *kind).close()


def _listen(_: object) -> None:
    with socket.socket() as stream:
        stream.listen()


def _new_namespace(status: Mapping[str, str]) -> None:
    from codeact_kernel.sandbox.layers import syscalls

    if status.get("Seccomp") == "2":
        # Refused, as a rule; if not, this process is not used. A copy of it would cost more than all else.
        syscalls.syscall(syscalls.UNSHARE[syscalls.MACHINE], _CLONE_NEWUSER)
        return
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.syscall(syscalls.UNSHARE[syscalls.MACHINE], _CLONE_NEWUSER)
        except OSError as error:
            os._exit(min(error.errno or 255, 255))
        os._exit(0)
    _, ended = os.waitpid(pid, 0)
    if code := os.waitstatus_to_exitcode(ended):
        raise OSError(code, "refused")


def _status() -> dict[str, str]:
    with open("/proc/self/status") as file:
        lines = [line.partition(":") for line in file]
    return {name: value.strip() for name, _, value in lines}


def _namespaces() -> dict[str, int]:
    """The inode of each namespace this process is in, as far as it may know."""
    found = {}
    for kind in _NAMESPACES:
        try:
            found[kind] = os.stat(f"/proc/self/ns/{kind}").st_ino
        except OSError:
            continue
    return found


def _interfaces() -> list[str] | None:
    """Network interfaces beside the loopback; None where they cannot be listed."""
    try:
        with open("/proc/self/net/dev") as file:
            names = [line.partition(":")[0].strip() for line in file.readlines()[2:]]
    except OSError:
        return None
    return [name for name in names if name != "lo"]


def _processes(ours: Iterable[int]) -> int | None:
    """How many other processes but `ours` can be seen; None where they cannot be listed."""
    known = {os.getpid(), *ours}
    try:
        return sum(name.isdigit() and int(name) not in known for name in os.listdir("/proc"))
    except OSError:
        return None


def _limits(names: Iterable[str]) -> dict[str, int]:
    """The hard limits in force; -1 is none."""
    return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1] for name in names}


def _size(path: str) -> int:
    """Bytes the file system at `path` can hold; 0 when it cannot be asked."""
    try:
        found = os.statvfs(path)
    except OSError:
        return 0
    return found.f_blocks * found.f_frsize


def _descriptors() -> list[int] | None:
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return None
    return [fd for fd in sorted(map(int, names)) if _is_open(fd)]


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
