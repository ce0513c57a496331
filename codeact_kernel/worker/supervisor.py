"""Process 1 of the sandbox: preloads, forks the live kernel, passes frames, sees it die.

Rules:
- Single-threaded; its own loop uses the standard library only and looks at no more than the head
  of a frame.
- It reads the outer kernel first, always, so that an interrupt is never behind output.
- It blocks on nobody. When the outer does not read it stops reading the kernel; when the kernel
  does not read and very much waits for it, it stops reading the outer.
- Before it reads a pipe of descriptor 1 or 2 it reads the link until that is empty: together with
  the kernel's own rule (link.py) output comes out in program order.

Between supervisor and kernel there are three frames more. `parent` {id}: what descriptors 1 and 2
say from here on belongs to this request. `mark`: sent back behind all requests that have arrived.
`interrupt`, when the kernel seems idle: it ends the cells that are on their way, for which the
signal came too early.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import signal
import time
from dataclasses import dataclass

from codeact_kernel.wire import BadFrame, Bytes, Decoder, encode, head_of
from codeact_kernel.worker import process
from codeact_kernel.worker.outbox import Outbox

HIGH = 8 * 1024 * 1024
"""Bytes that wait for the outer above which the kernel is no longer read."""
DEEP = 256 * 1024 * 1024
"""Bytes that wait for the kernel above which the outer is no longer read."""
POLITE, PATIENT = 1.0, 3.0
"""Seconds after `shutdown` until an interrupt, until SIGKILL."""
_READ = 256 * 1024
_RESERVED = frozenset({"selftest", "died"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Our ends of one live kernel: file descriptors and its pid."""

    pid: int
    link: int
    stdout: int
    stderr: int


class Supervisor:
    """The relay between the outer kernel and one live kernel."""

    def __init__(self, outer: int, kernel: Ends) -> None:
        self._outer_fd = outer
        self._kernel = kernel
        self._outer = Outbox(outer)
        self._inner = Outbox(kernel.link)
        self._from_outer = Decoder()
        self._from_kernel = Decoder()
        self._parent = ""
        self._busy = ""
        self._text = {
            fd: codecs.getincrementaldecoder("utf-8")("replace")
            for fd in (kernel.stdout, kernel.stderr)
        }
        self._status: int | None = None
        self._shutdown_at: float | None = None
        self._interrupted = False
        self._lost = False
        self._buffer = bytearray(_READ)
        self._selector = selectors.EpollSelector()
        self._pidfd = process.pidfd(kernel.pid)
        self._signals = self._watch_children()
        for fd in (kernel.link, kernel.stdout, kernel.stderr):
            os.set_blocking(fd, False)
        self._watched: dict[int, int] = {}

    # -- the loop ---------------------------------------------------------------------------

    def run(self) -> None:
        """Until the kernel ends or the outer closes the stream."""
        while self._status is None and not self._lost:
            self._watch()
            ready = {key.fd: mask for key, mask in self._selector.select(self._timeout())}
            self._turn(ready)
        if not self._lost:
            self._say_farewell()
        process.kill_all(self._kernel.pid)

    def _turn(self, ready: dict[int, int]) -> None:
        read = selectors.EVENT_READ
        kernel = self._kernel
        if ready.get(self._outer_fd, 0) & read:
            self._read_outer()
        pipes = [fd for fd in (kernel.stdout, kernel.stderr) if ready.get(fd, 0) & read]
        if pipes:
            self._read_pipes(pipes)
        elif ready.get(kernel.link, 0) & read:
            self._read_link()
        if self._signals in ready or self._pidfd in ready:
            self._reap()
        self._flush()
        self._shut_down()

    def _watch(self) -> None:
        """Tell epoll what we want to hear now: the two bounds of the module's docstring."""
        read, write = selectors.EVENT_READ, selectors.EVENT_WRITE
        hear_kernel = self._outer.size < HIGH
        wanted = {
            self._outer_fd: (read if self._inner.size < DEEP else 0)
            | (write if self._outer.size else 0),
            self._kernel.link: (read if hear_kernel else 0) | (write if self._inner.size else 0),
            self._kernel.stdout: read if hear_kernel else 0,
            self._kernel.stderr: read if hear_kernel else 0,
        }
        for fd, events in wanted.items():
            before = self._watched.get(fd, 0)
            if events == before or before < 0:
                continue
            if not before:
                self._selector.register(fd, events)
            elif not events:
                self._selector.unregister(fd)
            else:
                self._selector.modify(fd, events)
            self._watched[fd] = events

    def _timeout(self) -> float | None:
        return None if self._shutdown_at is None else 0.05

    # -- outer → kernel ---------------------------------------------------------------------

    def _read_outer(self) -> None:
        """Until there is no more, or the kernel has more than enough."""
        while self._inner.size < DEEP and not self._lost:
            data = self._read(self._outer_fd)
            if data is None:
                return
            try:
                frames = self._from_outer.split(data)
                for raw in frames:
                    self._from_outer_frame(raw)
            except BadFrame:
                self._lost = True
            if not data:
                self._lost = True

    def _from_outer_frame(self, raw: bytes) -> None:
        kind = head_of(raw)["t"]
        if kind == "interrupt":
            self._interrupt(raw)
            return
        if kind == "shutdown":
            self._shutdown_at = time.monotonic()
        if kind not in ("mark", "parent"):
            self._inner.push([raw])

    def _interrupt(self, raw: bytes) -> None:
        """The frame before the signal: who finds the signal too early finds the frame in time."""
        if not self._busy:
            self._inner.push([raw])
            self._flush()
        process.interrupt(self._kernel.pid)

    # -- kernel → outer ---------------------------------------------------------------------

    def _read_link(self) -> bool:
        """One read; whether there was something."""
        data = self._read(self._kernel.link)
        if data is None:
            return False
        if not data:  # it ends, or has cut a frame and given up: nothing more can come of it
            self._drop(self._kernel.link)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._kernel.pid, signal.SIGKILL)
            return False
        try:
            for raw in self._from_kernel.split(data):
                self._from_kernel_frame(raw)
        except BadFrame as error:
            self._log("error", f"the kernel sent a malformed frame and was ended: {error}")
            process.kill_all(self._kernel.pid)
            self._status = -int(signal.SIGKILL)
        return True

    def _from_kernel_frame(self, raw: bytes) -> None:
        head = head_of(raw)
        kind = head["t"]
        if kind == "parent":
            self._end_text()
            self._parent = self._busy = str(head.get("id", ""))
        elif kind == "mark":
            self._read_outer()
            self._inner.push([raw])
        elif kind not in _RESERVED:
            if kind == "reply" and head.get("parent") == self._busy:
                self._busy = ""
            self._outer.push([raw])

    def _read_pipes(self, pipes: list[int]) -> None:
        while self._read_link():
            if self._outer.size > HIGH or self._status is not None:
                return
        for fd in pipes:
            data = self._read(fd)
            if data == b"":
                self._drop(fd)
            elif data:
                self._say(fd, self._text[fd].decode(data))

    def _say(self, fd: int, text: str) -> None:
        if text:
            name = "stdout" if fd == self._kernel.stdout else "stderr"
            head = {"t": "stream", "name": name, "parent": self._parent}
            self._outer.push(encode(head, [text.encode()]))

    def _end_text(self) -> None:
        """Half a character at the end of a request's output is not the next one's."""
        for fd, decoder in self._text.items():
            self._say(fd, decoder.decode(b"", True))
            decoder.reset()

    # -- the end ----------------------------------------------------------------------------

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._signals, 4096)
        ended = process.reap()
        if self._kernel.pid in ended:
            self._status = ended[self._kernel.pid]

    def _shut_down(self) -> None:
        if self._shutdown_at is None or self._status is not None:
            return
        waited = time.monotonic() - self._shutdown_at
        if waited > PATIENT:
            process.kill_all(self._kernel.pid)
            self._status = -int(signal.SIGKILL)
        elif waited > POLITE and not self._interrupted:
            self._interrupted = True
            process.interrupt(self._kernel.pid)

    def _say_farewell(self) -> None:
        """What the kernel still said, then `died`, unless its end was asked for."""
        kernel = self._kernel
        for _ in range(1000):
            if not self._read_link():
                break
        for fd in (kernel.stdout, kernel.stderr):
            for _ in range(16):
                data = self._read(fd)
                if not data:
                    break
                self._say(fd, self._text[fd].decode(data))
        self._end_text()
        if self._shutdown_at is None:
            self._outer.push(encode({"t": "died", "status": self._status}))
        with contextlib.suppress(OSError):
            os.set_blocking(self._outer_fd, True)
            self._outer.flush()

    # -- small things -----------------------------------------------------------------------

    def _read(self, fd: int) -> bytes | None:
        """What is there; None when nothing is, b"" at the end of the stream."""
        try:
            size = os.readv(fd, [self._buffer])
        except BlockingIOError:
            return None
        except OSError:
            return b""
        return bytes(memoryview(self._buffer)[:size])

    def _flush(self) -> None:
        try:
            self._outer.flush()
        except OSError:
            self._lost = True
        with contextlib.suppress(OSError):  # a dead kernel is noticed by its pidfd
            self._inner.flush()

    def _drop(self, fd: int) -> None:
        """Listen no more to an end that is closed."""
        if self._watched.get(fd, 0) > 0:
            self._selector.unregister(fd)
        self._watched[fd] = -1

    def _log(self, level: str, text: str) -> None:
        pieces: list[Bytes] = encode({"t": "log", "level": level}, [text.encode()])
        self._outer.push(pieces)

    def _watch_children(self) -> int:
        ours, theirs = os.pipe()
        for fd in (ours, theirs):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
        self._selector.register(ours, selectors.EVENT_READ)
        if self._pidfd is not None:
            self._selector.register(self._pidfd, selectors.EVENT_READ)
        return ours
