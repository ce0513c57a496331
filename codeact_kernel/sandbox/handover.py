"""From one kernel to the next: the sandbox that stood by, when Jupyter restarts the kernel.

Rule: only one that no code ever ran in is handed over, by a kernel that ends in order, to the next
with the same connection file and the same user, within seconds (`keeper.py`). Whoever takes it
compares what it was made for with what it wants itself; another one is not used.

The keeper writes a note that says where it can be had, and takes it away; where that lies both
kernels know (`kernel/start.py`).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeact_kernel.sandbox import folder as folders
from codeact_kernel.sandbox.cgroups import Group
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.spawn import Kind, Spawned

PATIENCE = 10.0
"""Seconds the next kernel has to come: a busy machine takes some to start Python."""
_ADDRESS = "\0codeact-standby-"
"""No file: it is gone with who listens. What comes after it nobody can guess, and only the note tells."""
_MOST, _MOST_HANDLES = 1 << 20, 16
_SECONDS = 2.0
"""The keeper answers at once."""


@dataclass(slots=True)
class Adopted:
    """A process somebody else started: what `subprocess.Popen` is for one of our own."""

    pid: int
    pidfd: int
    channel: socket.socket
    """To its keeper: closing it ends the process."""
    returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, 1 when it could not say. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            poll = select.poll()
            poll.register(self.pidfd, select.POLLIN)
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired("keeper", timeout or 0)
            self.returncode = self._last_word()
            os.close(self.pidfd)
            self.channel.close()
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, number)

    def _last_word(self) -> int:
        try:
            return int(self.channel.recv(16, socket.MSG_DONTWAIT))
        except (OSError, ValueError):
            return 1


def leave(spawned: Spawned, made: str, place: Path, seconds: float = PATIENCE) -> bool:
    """Give it to its keeper for the next kernel; it is not ours any more. False: nobody keeps it."""
    if spawned.keeper is None or spawned.bell is None:
        return False
    group = spawned.group
    values = {
        "address": f"{_ADDRESS}{os.urandom(16).hex()}",
        "note": str(place),
        "seconds": seconds,
        "made": made,
        "kind": [spawned.kind.backend, spawned.kind.stronger],
        "notes": spawned.notes,
        "folder": spawned.folder.path,
        "group": group and [group.version, dict(group.folders)],
        "doorway": spawned.doorway is not None,
    }
    ends = [spawned.socket, spawned.bell, *([spawned.doorway] if spawned.doorway else [])]
    handles = [
        *(end.fileno() for end in ends), spawned.folder.lock, *(group.locks if group else ())
    ]  # fmt: skip
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket.send_fds(spawned.keeper, [json.dumps(values).encode()], handles)
    except OSError:
        return False
    spawned.let_go()
    return True


def take(policy: Policy, made: str, place: Path) -> Spawned | None:
    """What was left there, when it was made for the same; None: nothing, or nothing of use."""
    try:
        address = json.loads(place.read_text())["address"]
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        if not str(address).startswith(_ADDRESS):
            raise ValueError("that is no address of a keeper's")
        channel.settimeout(_SECONDS)
        channel.connect(address)
        values, handles = _receive(channel)
        spawned = _adopt(policy, values, handles, channel)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        channel.close()  # which ends what it may have given
        return None
    if values["made"] != made:
        spawned.kill()
        return None
    return spawned


def _receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    words, handles, _, _ = socket.recv_fds(channel, _MOST, _MOST_HANDLES, socket.MSG_CMSG_CLOEXEC)
    values = json.loads(words)
    if not isinstance(values, dict):
        raise TypeError("what was left is not an object")
    return values, handles


def _adopt(
    policy: Policy, values: dict[str, Any], handles: list[int], channel: socket.socket
) -> Spawned:
    raw = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", raw)
    if uid != os.getuid():
        raise OSError(errno.EPERM, "it is another user's")
    rest = iter(handles)
    wire, bell = socket.socket(fileno=next(rest)), socket.socket(fileno=next(rest))
    doorway = socket.socket(fileno=next(rest)) if values["doorway"] else None
    folder = folders.adopt(policy.runtime, values["folder"], next(rest))
    backend, stronger = values["kind"]
    group = values["group"]
    return Spawned(
        process=Adopted(pid, os.pidfd_open(pid), channel),
        socket=wire,
        kind=Kind(backend, tuple(stronger)),
        policy=policy,
        folder=folder,
        notes=tuple(values["notes"]),
        group=None if group is None else Group(group[0], group[1], list(rest)),
        doorway=doorway,
        bell=bell,
        outside=2,
    )
