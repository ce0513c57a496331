"""The kernel's end of the stream to the supervisor: whole frames out (frames in: inbound.py).

Rules:
- A frame is never cut. Signals that may raise are blocked while the main thread sends; other
  threads wait at a lock; code that runs in the middle of a send of its own thread (`__del__`, a
  signal handler) leaves its frame in a queue that the sender empties.
- A frame follows all output that descriptors 1 and 2 took before it: the sender waits until the
  supervisor has drained their pipes.
- Each piece that is sent wakes two processes. Frames that are known to follow each other at once,
  with no code of a cell between them, go out as one: `cork`, `uncork`.
- Only the process that opened the link may use it. A fork of it sends nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sys
import termios
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from codeact_kernel.wire import Bytes, Part, encode
from codeact_kernel.worker.inbound import Inbound, LinkClosed
from codeact_kernel.worker.signals import undisturbed

_PATIENCE = 0.25  # seconds a frame waits for a pipe that somebody keeps filling
_STANDSTILL = 0.05  # seconds without movement: nobody floods, the supervisor waits for the outer
_YIELDS = 60  # turns before it sleeps: a sleep takes longer than the supervisor usually needs
_GIVE_UP = 5.0  # seconds, whatever the reason
_NOTHING = bytes(4)
_ioctl = fcntl.ioctl
_DRAIN = encode({"t": "drain"})
_PIECES = 1000  # in one sendmsg; Linux takes 1024


class Link:
    """The kernel's connection. Built closed; `open` after the fork."""

    def __init__(self) -> None:
        self.inbound = Inbound()
        self._socket: socket.socket | None = None
        self._pid = -1
        self._pipes: tuple[int, ...] = ()
        self._hurry_until = 0.0
        self._lock = threading.Lock()
        self._sender = 0
        self._queue: deque[list[Bytes]] = deque()
        self._corked_by = 0
        self._held: list[Bytes] = []

    def open(self, sock: socket.socket, pipes: Sequence[int]) -> None:
        """Connect in this process. `pipes`: private copies of descriptors 1 and 2."""
        sock.setblocking(True)  # reads ask for MSG_DONTWAIT, sends want to wait
        self._socket = sock
        self.inbound.open(sock)
        self._pipes = tuple(pipes)
        self._pid = os.getpid()

    def reopen(self) -> None:
        """In a fork that is the kernel now: the same descriptors lead to the supervisor anew."""
        self._pid = os.getpid()
        self._hurry_until = 0.0
        self._queue.clear()
        self._corked_by, self._held = 0, []
        self.inbound.reset()

    def let_go(self) -> None:
        """In a copy of the kernel that says nothing: there are no pipes to wait for."""
        self._pipes = ()

    @property
    def mine(self) -> bool:
        """Whether this process may use the link (False in a fork made by a cell)."""
        return self._pid == os.getpid()

    def send(self, head: dict[str, Any], parts: Sequence[Part] = ()) -> bool:
        """Send one frame; False when there is no link or it is another process's.

        Raises BadFrame when it is over the limits, LinkClosed when the supervisor is gone.
        """
        if self._socket is None or self._pid != os.getpid():
            return False
        pieces = encode(head, parts)
        me = threading.get_ident()
        if self._sender == me:
            self._queue.append(pieces)
        elif self._corked_by == me:
            self._held += pieces
        else:
            self._drain_pipes()
            undisturbed(lambda: self._send(me, pieces))
        return True

    def cork(self) -> None:
        """From here on what this thread sends waits for `uncork`. For moments in which nothing waits."""
        self._corked_by = threading.get_ident()

    def uncork(self) -> None:
        """Send what waits. When it is broken off nothing is lost: it goes on waiting."""
        if self._held and self._pid == os.getpid():
            self._drain_pipes()
            undisturbed(self._send_held)
        self._corked_by = 0

    def _send_held(self) -> None:
        held, self._held = self._held, []
        self._send(threading.get_ident(), held)

    def _send(self, me: int, pieces: list[Bytes]) -> None:
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
        try:
            sent = sock.sendmsg(pieces[:_PIECES])
            for piece in pieces:  # nearly always there is nothing left of any
                size = memoryview(piece).nbytes
                if sent < size:
                    sock.sendall(memoryview(piece).cast("B")[sent:])
                sent = max(0, sent - size)
        except OSError as error:
            self._close()
            raise LinkClosed("the supervisor is gone") from error
        except BaseException:
            self._close()  # a cut frame: the supervisor must not read on
            raise

    def _close(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # close alone is not seen while a fork has it too
            sock.close()

    def wait_for_others(self, pipe: int) -> None:
        """Before text goes into `pipe`: what the other descriptor took comes out first."""
        for other in self._pipes:
            if other != pipe and _pending(other) and self._pid == os.getpid():
                self._drain_pipes((other,))

    def wait_for_text(self) -> None:
        """Return when all text written so far has been read; sooner when somebody floods."""
        if self._pid == os.getpid():
            self._drain_pipes()

    def _hurry(self) -> None:
        """Say that we wait; in the middle of a frame of this thread's it is read soon all the same."""
        me = threading.get_ident()
        if self._sender != me:
            undisturbed(lambda: self._send(me, _DRAIN))

    def _drain_pipes(self, pipes: Sequence[int] | None = None) -> None:
        pipes = self._pipes if pipes is None else pipes
        waiting = sum(map(_pending, pipes))
        if not waiting:
            return
        start = moved = time.monotonic()
        turns = 0
        if start < self._hurry_until:
            return
        self._hurry()
        while waiting:
            now = time.monotonic()
            if now - start > _PATIENCE and (now - moved < _STANDSTILL or now - start > _GIVE_UP):
                self._hurry_until = now + 1.0  # somebody floods: order is lost, not time
                return
            turns += 1
            if turns < _YIELDS:
                os.sched_yield()
            else:
                time.sleep(0.00002)
            before, waiting = waiting, sum(map(_pending, pipes))
            if waiting != before:
                moved = time.monotonic()


def _pending(pipe: int) -> int:
    """Bytes in a pipe that nobody has read."""
    return int.from_bytes(_ioctl(pipe, termios.FIONREAD, _NOTHING), sys.byteorder)
