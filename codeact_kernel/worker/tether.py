"""The line on which a process that can fork takes its orders, and reports itself to the supervisor.

Rules:
- Descriptors travel inwards only: the supervisor makes them all, so that nothing inside can fill
  its table. Who reports is said by the system (credentials), not by the report.
- A message is one short word with numbers behind it; one packet each, so none is ever cut.

| word | to | with | meaning |
|---|---|---|---|
| park N | the live kernel | the new one's tether | the fork that a `fork` frame asks for |
| leave N | the live kernel, aside | - | another one took over: wait as checkpoint N |
| stay N | the live kernel, aside | - | none did: go on |
| wake | a parked one | tether, link, 1, 2 | fork, and the fork is the live kernel |
| weigh | a parked one | - | how much memory is yours? |
| parked, awake | the supervisor | - | this process exists, and does what it should |
| weighs N | the supervisor | - | bytes that only this process has, and its share of others |
| failed N | the supervisor | - | there was no fork: errno |
"""

from __future__ import annotations

import array
import os
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

_SIZE = 64
_FDS = 4
_INT = array.array("i").itemsize
_CREDENTIALS = struct.Struct("3i")


class Order(NamedTuple):
    """One message to a process that can fork. `word` is "" when the supervisor is gone."""

    word: str
    number: int
    fds: tuple[int, ...]


class Report(NamedTuple):
    """One message of such a process. `word` is "" when it is gone."""

    word: str
    number: int
    pid: int


def pair() -> tuple[socket.socket, socket.socket]:
    """(the supervisor's end, the other)."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    ours.setblocking(False)
    return ours, theirs


def order(line: socket.socket, word: str, fds: Sequence[int] = ()) -> None:
    """Send an order. Raises OSError: the other end is gone, or does not listen."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    line.sendmsg([word.encode()], rights)


def report(line: socket.socket, word: str) -> None:
    """Say what became of an order. Raises OSError when the supervisor is gone."""
    line.send(word.encode(), socket.MSG_NOSIGNAL)


def next_order(line: socket.socket, *, wait: bool = True) -> Order:
    """The next order; its descriptors are the caller's to close. Raises BlockingIOError."""
    how = 0 if wait else socket.MSG_DONTWAIT
    data, control, _, _ = line.recvmsg(_SIZE, socket.CMSG_SPACE(_FDS * _INT), how)
    fds = array.array("i")
    for level, kind, value in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(value[: len(value) - len(value) % _INT])
    for fd in fds:
        os.set_inheritable(fd, False)
    return Order(*_read(data), tuple(fds))


def next_report(line: socket.socket) -> Report | None:
    """A report, if there is one. What somebody else put on the line is a report like any other."""
    try:
        data, control, _, _ = line.recvmsg(_SIZE, socket.CMSG_SPACE(_CREDENTIALS.size))
    except BlockingIOError:
        return None
    except OSError:
        data, control = b"", []
    pid = 0
    for level, kind, value in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            pid = _CREDENTIALS.unpack(value[: _CREDENTIALS.size])[0]
    return Report(*_read(data), pid)


def _read(data: bytes) -> tuple[str, int]:
    word, _, number = data.decode("ascii", "replace").partition(" ")
    return word, int(number) if number.isascii() and number.isdigit() else 0
