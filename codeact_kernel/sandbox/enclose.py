"""Namespaces without bubblewrap: a program that understands the options we give to bwrap.

    python -I -S enclose.py OPTION ... -- PROGRAM ARGUMENT ...

Rule: standard library only. One list of options says what is shown, whichever of the two reads it
(`backends/bubblewrap.py`); an option that is not known here ends it. Our process stays outside and
ends with the program's exit code, 128 + number for a signal; when it ends, everything inside ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

FAILED = 70
_BASE, _NEW, _OLD = "/tmp", "/new", "/old"  # noqa: S108 - covered by a file system of our own
_FLAGS = {
    "--unshare-ipc": 0x08000000,
    "--unshare-pid": 0x20000000,
    "--unshare-net": 0x40000000,
    "--unshare-uts": 0x04000000,
    "--unshare-user": 0x10000000,
    "--unshare-cgroup-try": 0x02000000,
}
_NEWNS = 0x00020000
_IGNORED = ("--die-with-parent", "--new-session", "--as-pid-1")
"""It is always so here."""
_CAPABILITIES = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_FOWNER": 3,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_SETPCAP": 8,
    "CAP_SYS_ADMIN": 21,
}
_SIOCSIFFLAGS, _UP_AND_RUNNING = 0x8914, 0x1 | 0x40


@dataclass
class Enclosure:
    """What the options say. `mounts` are carried out in order, inside, before the root is left."""

    flags: int = _NEWNS
    hostname: str = ""
    capabilities: list[int] = field(default_factory=list)
    mounts: list[Callable[[], None]] = field(default_factory=list)
    program: list[str] = field(default_factory=list)


def main() -> None:
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    try:
        enclosure = read(sys.argv[1:])
        child = _begin(enclosure)
    except Exception as error:  # noqa: BLE001 - whatever it was, nothing may run
        _give_up(error)
    os.closerange(0, 1024)  # the wire is the child's alone
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def read(words: list[str]) -> Enclosure:
    """The options. Raises ValueError for one that bwrap may know but we do not."""
    from codeact_kernel.sandbox.layers import mounts

    found = Enclosure()
    mode, size = 0o755, 0
    rest = iter(words)
    for word in rest:
        if word == "--":
            found.program = list(rest)
        elif word in _FLAGS:
            found.flags |= _FLAGS[word]
        elif word == "--hostname":
            found.hostname = next(rest)
        elif word == "--cap-drop":
            next(rest)
        elif word == "--cap-add":
            found.capabilities.append(_CAPABILITIES[next(rest)])
        elif word == "--perms":
            mode = int(next(rest), 8)
        elif word == "--size":
            size = int(next(rest))
        elif word == "--tmpfs":
            found.mounts.append(_later(mounts.tmpfs, _NEW + next(rest), size, mode))
        elif word == "--dir":
            found.mounts.append(_later(_folder, _NEW + next(rest), mode))
        elif word == "--symlink":
            found.mounts.append(_later(_link, next(rest), _NEW + next(rest)))
        elif word in ("--bind", "--ro-bind"):
            source = _OLD + os.path.realpath(next(rest))
            found.mounts.append(_binding(source, _NEW + next(rest), word == "--bind"))
        elif word == "--proc":
            found.mounts.append(_later(mounts.proc, _NEW + next(rest)))
        elif word == "--dev":
            found.mounts.append(_later(mounts.dev, _NEW + next(rest), f"{_OLD}/dev"))
        elif word == "--remount-ro":
            found.mounts.append(_later(mounts.read_only, (_NEW + next(rest)).rstrip("/")))
        elif word not in _IGNORED:
            raise ValueError(f"the option {word} is not known")
    return found


def _later(function: Callable[..., None], *arguments: object) -> Callable[[], None]:
    return lambda: function(*arguments)


def _binding(source: str, path: str, writable: bool) -> Callable[[], None]:
    from codeact_kernel.sandbox.layers import mounts

    return lambda: mounts.bind(source, path, writable=writable)


def _folder(path: str, mode: int) -> None:
    if not os.path.isdir(path):
        os.makedirs(path)
        os.chmod(path, mode)


def _link(target: str, path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.symlink(target, path)


def _begin(enclosure: Enclosure) -> int:
    """Enter the namespaces and start the first process in them; its pid, outside."""
    from codeact_kernel.sandbox.layers import capabilities, mounts, syscalls

    starter = os.getppid()
    capabilities.die_with_parent()
    if os.getppid() != starter:
        os._exit(1)
    uid, gid = os.getuid(), os.getgid()
    syscalls.syscall(syscalls.UNSHARE[syscalls.MACHINE], enclosure.flags)
    if enclosure.flags & _FLAGS["--unshare-user"]:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    mounts.keep_to_ourselves()
    outside = os.pidfd_open(os.getpid())
    child = os.fork()
    if child == 0:
        try:
            capabilities.die_with_parent()
            if select.select([outside], [], [], 0)[0]:
                os._exit(1)
            os.close(outside)
            _become_first(enclosure)
        except BaseException as error:  # noqa: BLE001 - the copy of us must not go on
            _give_up(error)
    return child


def _become_first(enclosure: Enclosure) -> None:
    """Process 1 inside: the file system, then no more rights than named, then the program."""
    _build(enclosure)
    if enclosure.hostname:
        socket.sethostname(enclosure.hostname)
    with contextlib.suppress(OSError), socket.socket() as any_socket:
        request = struct.pack("16sh14x", b"lo", _UP_AND_RUNNING)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)
    _keep_capabilities(enclosure.capabilities)
    os.execv(enclosure.program[0], enclosure.program)  # noqa: S606 - what it is for


def _build(enclosure: Enclosure) -> None:
    from codeact_kernel.sandbox.layers import mounts

    os.umask(0)
    mounts.tmpfs(_BASE, 1 << 20, 0o755)
    for folder in (_NEW, _OLD):
        os.mkdir(_BASE + folder, 0o755)
    mounts.enter(_BASE, _BASE + _OLD)
    os.umask(0o022)
    mounts.tmpfs(_NEW, 1 << 20, 0o755)
    for mount in enclosure.mounts:
        mount()
    mounts.leave(_OLD)
    mounts.enter_for_good(_NEW)


def _keep_capabilities(kept: list[int]) -> None:
    """These alone, also over exec, and no way to any other."""
    from codeact_kernel.sandbox.layers import syscalls
    from codeact_kernel.sandbox.layers.syscalls import prctl, syscall

    for number in range(64):
        if number not in kept:
            try:
                prctl(syscalls.PR_CAPBSET_DROP, number)
            except OSError:
                break  # past the last one there is
    bits = sum(1 << number for number in kept)
    header = struct.pack("=Ii", 0x20080522, 0)
    syscall(
        syscalls.CAPSET[syscalls.MACHINE], header, struct.pack("=6I", bits, bits, bits, 0, 0, 0)
    )
    for number in kept:
        prctl(syscalls.PR_CAP_AMBIENT, 2, number)
    prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)


def _give_up(error: BaseException) -> None:
    os.write(2, f"sandbox: {type(error).__name__}: {error}\n".encode())
    os._exit(FAILED)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    main()
