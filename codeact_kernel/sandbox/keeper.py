"""Who starts a sandbox that stands by, so that it can outlive the kernel that wanted it.

    python -I -S keeper.py CHANNEL -- PROGRAM ARGUMENT ...

Rule: standard library only. It ends with the program's exit code, and ends the program when the
kernel at the other end of CHANNEL is gone, however that went. Only a kernel that said `keep` before
it went (Jupyter restarts it) is waited for, for some seconds: the first process of the same user
that asks gets what was left here for it, and is the kernel from then on.

On CHANNEL, a socket of whole messages: from the kernel `keep`, a JSON object, with descriptors; to
it the program's exit code, when it has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import sys
import time
from dataclasses import dataclass
from typing import Any

FAILED = 70
_MOST = 1 << 20
_MOST_DESCRIPTORS = 16


@dataclass(slots=True)
class Legacy:
    """What one kernel leaves to the next: `note` is the file that says where, `words` and `handles` what."""

    listener: socket.socket
    note: str
    words: bytes
    handles: list[int]
    seconds: float
    """How long the next kernel has to come, once the last one is gone."""
    until: float = 0.0

    def give(self, channel: socket.socket) -> bool:
        """Hand it to whoever called, if it is the same user."""
        credentials = channel.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
        )
        _, uid, _ = struct.unpack("3i", credentials)
        if uid != os.getuid():
            return False
        self._take_note_away()
        socket.send_fds(channel, [self.words], self.handles)
        return True

    def forget(self) -> None:
        """It is somebody's, or nobody's."""
        self.listener.close()
        for handle in self.handles:
            os.close(handle)
        self._take_note_away()

    def _take_note_away(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self.note)


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    program = sys.argv[sys.argv.index("--") + 1 :]
    child = _start(program, channel)
    for first, last in ((0, channel.fileno()), (channel.fileno() + 1, 4096)):
        os.closerange(first, last)
    Keeper(child, channel).run()


def _start(program: list[str], channel: socket.socket) -> int:
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from codeact_kernel.sandbox.layers import capabilities

    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            channel.close()
            capabilities.die_with_parent()
            if os.getppid() == keeper:
                os.execv(program[0], program)  # noqa: S606 - what it is for
        finally:
            os._exit(FAILED)
    return child


class Keeper:
    """Watches the program and the kernel until one of them has ended."""

    def __init__(self, child: int, channel: socket.socket) -> None:
        self._child = child
        self._channel: socket.socket | None = channel
        self._end = os.pidfd_open(child)
        self._legacy: Legacy | None = None

    def run(self) -> None:
        while True:
            ready = self._wait()
            if self._end in ready:
                self._leave()
            elif self._channel is not None and self._channel.fileno() in ready:
                self._hear(self._channel)
            elif self._legacy is not None and self._channel is None:
                self._serve(self._legacy)

    def _wait(self) -> list[int]:
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        timeout = None
        if self._channel is not None:
            poll.register(self._channel, select.POLLIN)
        elif self._legacy is not None:
            poll.register(self._legacy.listener, select.POLLIN)
            timeout = max(self._legacy.until - time.monotonic(), 0) * 1000
        return [handle for handle, _ in poll.poll(timeout)]

    def _hear(self, channel: socket.socket) -> None:
        try:
            words, handles, _, _ = socket.recv_fds(channel, _MOST, _MOST_DESCRIPTORS)
        except OSError:
            words, handles = b"", []
        if words:
            self._legacy = _legacy(words, handles)
            return
        channel.close()
        self._channel = None
        if self._legacy is None:
            self._give_up()
        else:
            self._legacy.until = time.monotonic() + self._legacy.seconds

    def _serve(self, legacy: Legacy) -> None:
        """Somebody calls, or nobody came."""
        if time.monotonic() >= legacy.until:
            self._give_up()
        with contextlib.suppress(OSError):
            channel, _ = legacy.listener.accept()
            try:
                given = legacy.give(channel)
            except OSError:
                given = False
            if given:
                legacy.forget()
                self._legacy, self._channel = None, channel
            else:
                channel.close()

    def _leave(self) -> None:
        """The program has ended."""
        _, status = os.waitpid(self._child, 0)
        code = os.waitstatus_to_exitcode(status)
        code = code if code >= 0 else 128 - code
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._channel.send(str(code).encode(), socket.MSG_NOSIGNAL)
        if self._legacy is not None:
            self._legacy.forget()
        os._exit(code)

    def _give_up(self) -> None:
        """Nobody wants it any more."""
        from codeact_kernel.sandbox.layers import processes

        if self._legacy is not None:
            self._legacy.forget()
        processes.kill_below(os.getpid())
        os._exit(FAILED)


def _legacy(words: bytes, handles: list[int]) -> Legacy | None:
    """Offer it; None when it cannot be offered."""
    values: dict[str, Any] = json.loads(words)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        listener.bind(values["address"])
        listener.listen(1)
        with open(os.open(values["note"] + ".new", flags, 0o600), "w") as file:
            json.dump({"address": values["address"]}, file)
        os.replace(values["note"] + ".new", values["note"])
    except OSError:
        listener.close()
        return None
    return Legacy(listener, values["note"], words, handles, values["seconds"])


if __name__ == "__main__":
    main()
