"""The kernel's end of the stream to the supervisor: whole frames out, whole frames in.

Rules:
- A frame is never cut. Signals that may raise are blocked in the main thread while it sends; other
  threads wait at a lock; code that runs in the middle of a send of its own thread (`__del__`, a
  signal handler) leaves its frame in a queue that the sender empties.
- A frame follows all output that file descriptors 1 and 2 took before it: the sender waits until
  the supervisor has drained their pipes.
- Only the process that opened the link may use it. A fork of it sends nothing.
- One thread reads at a time. Whoever waits for an answer reads for all; what is not an answer goes
  to `inbox` and the event loop is woken.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal's own wrapper builds enums, tenfold cost
import array
import fcntl
import os
import select
import signal
import socket
import termios
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from codeact_kernel.wire import BadFrame, Bytes, Decoder, Frame, encode

_MAY_RAISE = tuple(
    int(number)
    for number in (
        signal.SIGINT,
        signal.SIGALRM,
        signal.SIGVTALRM,
        signal.SIGPROF,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGCHLD,
    )
)
_PATIENCE = 0.25  # seconds a frame waits for a pipe that somebody keeps filling
_READ = 256 * 1024


class LinkClosed(ConnectionError):
    """The supervisor is gone, or a frame was cut; nothing can be sent any more."""


class Waiter:
    """One open question and, later, the frame that answers it."""

    __slots__ = ("answer", "done")

    def __init__(self) -> None:
        self.answer: Frame | None = None
        self.done = False


class Link:
    """The kernel's connection. Built closed; `open` after the fork."""

    def __init__(self) -> None:
        self.inbox: deque[Frame] = deque()
        """Frames nobody waits for, in order; the event loop takes them."""
        self.wake: Callable[[], object] = lambda: None
        """Called from any thread when `inbox` got something behind the event loop's back."""
        self._socket: socket.socket | None = None
        self._pid = -1
        self._pipes: tuple[int, ...] = ()
        self._size = array.array("i", [0])
        self._hurry_until = 0.0
        self._lock = threading.Lock()
        self._sender = 0
        self._queue: deque[list[Bytes]] = deque()
        self._decoder = Decoder()
        self._turn = threading.Condition(threading.Lock())
        self._reading = False
        self._waiters: dict[tuple[str, str], Waiter] = {}

    def open(self, sock: socket.socket, pipes: Sequence[int]) -> None:
        """Connect in this process. `pipes`: private copies of descriptors 1 and 2."""
        sock.setblocking(True)  # reads ask for MSG_DONTWAIT, sends want to wait
        self._socket = sock
        self._pipes = tuple(pipes)
        self._pid = os.getpid()

    @property
    def mine(self) -> bool:
        """Whether this process may use the link (False in a fork made by a cell)."""
        return self._pid == os.getpid()

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def fileno(self) -> int:
        if self._socket is None:
            raise LinkClosed("the link is not open")
        return self._socket.fileno()

    # -- out --------------------------------------------------------------------------------

    def send(self, head: dict[str, Any], parts: Sequence[Bytes] = ()) -> bool:
        """Send one frame; False when there is no link or it is another process's.

        Raises BadFrame when it is over the limits, LinkClosed when the supervisor is gone.
        """
        if self._socket is None or self._pid != os.getpid():
            return False
        pieces = encode(head, parts)
        me = threading.get_ident()
        if self._sender == me:
            self._queue.append(pieces)
            return True
        if me == threading.main_thread().ident:
            self._drain_pipes()
            before = _signal.pthread_sigmask(signal.SIG_BLOCK, _MAY_RAISE)
            try:
                self._send_locked(me, pieces)
            finally:
                _signal.pthread_sigmask(signal.SIG_SETMASK, before)
        else:
            self._drain_pipes()
            self._send_locked(me, pieces)
        return True

    def _send_locked(self, me: int, pieces: list[Bytes]) -> None:
        with self._lock:
            self._sender = me
            try:
                self._write(pieces)
                while self._queue:
                    self._write(self._queue.popleft())
            finally:
                self._sender = 0

    def _write(self, pieces: list[Bytes]) -> None:
        sock = self._socket
        if sock is None:
            raise LinkClosed("the link to the supervisor is closed")
        total = sum(memoryview(piece).nbytes for piece in pieces)
        try:
            sent = sock.sendmsg(pieces[:1000])
            if sent != total:
                self._write_rest(sock, pieces, sent)
        except OSError as error:
            self._close()
            raise LinkClosed("the supervisor is gone") from error
        except BaseException:
            self._close()  # a cut frame: the supervisor must not read on
            raise

    @staticmethod
    def _write_rest(sock: socket.socket, pieces: list[Bytes], sent: int) -> None:
        for piece in pieces:
            view = memoryview(piece).cast("B")
            if sent >= view.nbytes:
                sent -= view.nbytes
                continue
            sock.sendall(view[sent:])
            sent = 0

    def _close(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    def _drain_pipes(self) -> None:
        if all(self._pending(fd) == 0 for fd in self._pipes):
            return
        start = time.monotonic()
        if start < self._hurry_until:
            return
        while any(self._pending(fd) for fd in self._pipes):
            now = time.monotonic()
            if now - start > _PATIENCE:  # a background process floods: order is lost, not time
                self._hurry_until = now + 1.0
                return
            time.sleep(0.00002)

    def _pending(self, fd: int) -> int:
        try:
            fcntl.ioctl(fd, termios.FIONREAD, self._size, True)
        except OSError:
            return 0
        return self._size[0]

    # -- in ---------------------------------------------------------------------------------

    def pump(self) -> bool:
        """Read what is there and sort it; False when the supervisor is gone. For the event loop.

        Does nothing while another thread waits for an answer: that thread reads.
        """
        with self._turn:
            if self._reading:
                return True
            self._reading = True
        try:
            return self._read()
        finally:
            self._hand_over()

    def expect(self, kind: str, key: str) -> None:
        """Announce that `wait` will be called for the frame `kind` with this key."""
        self._waiters[kind, key] = Waiter()

    def forget(self, kind: str, key: str) -> None:
        """Nobody waits any more; a late answer is dropped."""
        self._waiters.pop((kind, key), None)

    def wait(self, kind: str, key: str) -> Frame:
        """Block this thread until the expected frame came. Raises LinkClosed; interruptible."""
        waiter = self._waiters[kind, key]
        try:
            while not waiter.done:
                if self._take_turn(waiter):
                    self._read_for(waiter)
        finally:
            self.forget(kind, key)
        if waiter.answer is None:
            raise LinkClosed("the supervisor is gone")
        return waiter.answer

    def _take_turn(self, waiter: Waiter) -> bool:
        with self._turn:
            while self._reading and not waiter.done:
                self._turn.wait()
            if waiter.done:
                return False
            self._reading = True
            return True

    def _read_for(self, waiter: Waiter) -> None:
        try:
            poll = select.poll()
            poll.register(self.fileno(), select.POLLIN)
            while not waiter.done:
                poll.poll()
                if not self._read():
                    return
                if self.inbox:
                    self.wake()
        finally:
            self._hand_over()

    def _hand_over(self) -> None:
        with self._turn:
            self._reading = False
            self._turn.notify_all()

    def _read(self) -> bool:
        sock = self._socket
        if sock is None:
            return False
        try:
            data = sock.recv(_READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        try:
            frames = self._decoder.feed(data)
        except BadFrame:
            data, frames = b"", []
        if not data:
            self._gone()
            return False
        for frame in frames:
            self._sort(frame)
        return True

    def _sort(self, frame: Frame) -> None:
        kind = frame.type
        if kind not in ("result", "input"):
            self.inbox.append(frame)
            return
        waiter = self._waiters.get((kind, str(frame.head.get("id", ""))))
        if waiter is not None:
            waiter.answer = frame
            waiter.done = True

    def _gone(self) -> None:
        for waiter in list(self._waiters.values()):
            waiter.done = True
        self.wake()
