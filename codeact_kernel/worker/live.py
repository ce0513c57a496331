"""One live kernel as the supervisor sees it: its frames, its text, its process.

Rules:
- Before a pipe of descriptor 1 or 2 is read the link is read until that is empty: together with the
  kernel's own rule (link.py) output comes out in program order.
- In a flood the pipes are left alone for moments, so that it is read in few large pieces instead of
  one for each write. A kernel that waits for them says so: `drain`. Not before a flood: what two
  programs write to both in turn is in order because it is read at once.
- What it says is passed on by its head alone; a frame that is cut or malformed ends it.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from codeact_kernel.wire import BadFrame, Bytes, Decoder, Raw, encode, head_of
from codeact_kernel.worker import process
from codeact_kernel.worker.interest import READ, WRITE
from codeact_kernel.worker.outbox import Outbox

HIGH = 1024 * 1024
"""Bytes that wait for the outer above which the kernel is no longer read."""
_READ = process.WIDE
_REST = 0.002
"""Seconds. A pipe that could not be made large holds 64 KiB: 32 MB/s."""
_FLOOD, _SMALL, _PAUSE = 16, 4096, 0.005
"""So many reads of one pipe in a row, each of so few bytes, so few seconds apart."""

Take = Callable[[dict[str, Any], Raw], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Our ends of one live kernel: file descriptors and its pid."""

    pid: int
    link: int
    stdout: int
    stderr: int
    tether: socket.socket


class Live:
    """`outer` takes what it says; `take(head, raw)` every frame that is not about itself."""

    def __init__(self, ends: Ends, outer: Outbox, take: Take) -> None:
        self.pid = ends.pid
        self.tether = ends.tether
        self.pidfd = process.pidfd(ends.pid)
        self.broken = ""
        """Why it cannot be listened to any more; it has to be ended."""
        self.busy = ""
        """The request whose code runs, as far as it says so."""
        self._ends = ends
        self._outer = outer
        self._take = take
        self._inner = Outbox(ends.link)
        self._frames = Decoder()
        self._parent = ""
        self._text = {
            fd: codecs.getincrementaldecoder("utf-8")("replace")
            for fd in (ends.stdout, ends.stderr)
        }
        self._closed: set[int] = set()
        self._rests_until = 0.0
        self._hurried = False
        self._flood = 0
        self._flooding: list[int] = []
        self._last_read = 0.0
        self._buffer = bytearray(_READ)
        for fd in (ends.link, ends.stdout, ends.stderr):
            os.set_blocking(fd, False)

    # -- the loop's side --------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Bytes that wait for the kernel to read them."""
        return self._inner.size

    def wanted(self, hear: bool) -> dict[int, int]:
        """What epoll should say of whom. `hear`: whether there is room for what it says."""
        ends = self._ends
        if self._rests_until and time.monotonic() >= self._rests_until:
            self._rests_until = 0.0
        text = READ if hear and not self._rests_until else 0
        wanted = {
            ends.link: (READ if hear else 0) | (WRITE if self._inner.size else 0),
            ends.stdout: text,
            ends.stderr: text,
        }
        if self.pidfd is not None:
            wanted[self.pidfd] = READ
        for fd in self._closed:
            del wanted[fd]
        return wanted

    @property
    def deadline(self) -> float | None:
        """When `wanted` has to be asked again, by the monotonic clock; as it was last asked."""
        return self._rests_until or None

    def read(self, ready: dict[int, int]) -> None:
        """Take what is there."""
        ends = self._ends
        pipes = [fd for fd in (ends.stdout, ends.stderr) if ready.get(fd, 0) & READ]
        if pipes:
            self._read_pipes(pipes)
        elif ready.get(ends.link, 0) & READ:
            self.read_link()
            if self._hurried:
                self._read_pipes(self._open_pipes())

    def close(self, forget: Callable[[int], None]) -> None:
        """Let go of every descriptor but the tether's; `forget` is told before each."""
        for fd in (self._ends.link, self._ends.stdout, self._ends.stderr, self.pidfd):
            if fd is not None:
                forget(fd)
                os.close(fd)

    # -- to the kernel ----------------------------------------------------------------------

    def send(self, raw: Bytes | Sequence[Bytes]) -> None:
        """Queue a frame for it."""
        self._inner.push([raw] if isinstance(raw, Bytes) else raw)

    def flush(self) -> None:
        """Write what it takes now. A dead kernel is noticed by its pidfd."""
        with contextlib.suppress(OSError):
            self._inner.flush()

    # -- from the kernel --------------------------------------------------------------------

    def read_link(self) -> bool:
        """One read; whether there was something."""
        data = self._read(self._ends.link)
        if data is None:
            return False
        if not data:  # it ends, or has cut a frame and given up: nothing more can come of it
            self._closed.add(self._ends.link)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            return False
        try:
            for raw in self._frames.split(data):
                self._frame(raw)
        except BadFrame as error:
            self.broken = str(error)
        return True

    def _frame(self, raw: Raw) -> None:
        head = head_of(raw)
        if head["t"] == "drain":
            self._hurried = True
            return
        if head["t"] == "parent":
            self._end_text()
            self._parent = self.busy = str(head.get("id", ""))
            return
        if head["t"] == "reply" and head.get("parent") == self.busy:
            self.busy = ""
        self._take(head, raw)

    def _open_pipes(self) -> list[int]:
        pipes = (self._ends.stdout, self._ends.stderr)
        return [fd for fd in pipes if fd not in self._closed]

    def _read_pipes(self, pipes: list[int]) -> None:
        while self.read_link():
            if self._outer.size > HIGH or self.broken:
                return
        if self._hurried:
            pipes = self._open_pipes()
        size = 0
        for fd in pipes:
            data = self._read(fd)
            if data == b"":
                self._closed.add(fd)
            elif data:
                size += len(data)
                self._say(fd, self._text[fd].decode(data))
        self._rest(pipes, size)

    def _rest(self, pipes: list[int], size: int) -> None:
        """Leave the pipes alone for a moment when one of them is flooded with little at a time."""
        now = time.monotonic()
        hurried, self._hurried = self._hurried, False
        goes_on = pipes == self._flooding and now - self._last_read < _PAUSE + _REST
        self._flood = self._flood + 1 if goes_on else 0
        self._flooding, self._last_read = pipes, now
        rests = self._flood >= _FLOOD and size < _SMALL and not hurried
        self._rests_until = now + _REST if rests else 0.0

    def last_words(self) -> None:
        """What it still said."""
        for _ in range(1000):
            if not self.read_link():
                break
        for fd in (self._ends.stdout, self._ends.stderr):
            for _ in range(16):
                data = self._read(fd)
                if not data:
                    break
                self._say(fd, self._text[fd].decode(data))
        self._end_text()

    def _say(self, fd: int, text: str) -> None:
        if text:
            name = "stdout" if fd == self._ends.stdout else "stderr"
            head = {"t": "stream", "name": name, "parent": self._parent}
            # `print` is two writes, and the second one may be read later than the first.
            followed = not text.endswith("\n")
            self._outer.push(encode(head, [text.encode()]), followed=followed)

    def _end_text(self) -> None:
        """Half a character at the end of a request's output is not the next one's."""
        for fd, decoder in self._text.items():
            self._say(fd, decoder.decode(b"", True))
            decoder.reset()

    def _read(self, fd: int) -> bytes | None:
        return read(fd, self._buffer)


def read(fd: int, buffer: bytearray) -> bytes | None:
    """What is there; None when nothing is, b"" at the end of the stream."""
    try:
        size = os.readv(fd, [buffer])
    except BlockingIOError:
        return None
    except OSError:
        return b""
    return bytes(memoryview(buffer)[:size])
