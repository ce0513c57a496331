"""Iopub's way out, where the slowest subscriber decides how fast anything may be written.

Rule: who reads loses nothing, and memory is bounded all the same: when so much waits for a subscriber
that its pipe is full, what follows waits here and `on_full(True)` says that no more should be made.
Somebody who has taken nothing for `patience` seconds loses messages, alone, until there is room again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import zmq

from codeact_kernel.kernel.channels.messages import Bytes

HIGH = 200
"""Messages that wait for one subscriber; when it has taken half of them, it takes more."""
_AGAIN = 0.005
_COPY_BELOW = 65536
# Plain numbers: adding up zmq's enums for every frame costs as much as sending it.
_LAST = int(zmq.DONTWAIT)
_MORE = int(zmq.DONTWAIT) | int(zmq.SNDMORE)


def put(socket: zmq.Socket[bytes], frames: Sequence[Bytes]) -> None:
    """One message, now. Raises zmq.Again."""
    send, last = socket.send, len(frames) - 1
    for number, frame in enumerate(frames):
        send(frame, _MORE if number < last else _LAST, len(frame) < _COPY_BELOW)


def limit(socket: zmq.Socket[bytes]) -> None:
    """Make an XPUB socket say when a pipe is full. Before it is bound: later it has no effect."""
    socket.sndhwm = HIGH
    socket.setsockopt(zmq.XPUB_NODROP, 1)


class Outlet:
    """Sends on a socket that was given its `limit`; owner of what waits."""

    def __init__(self, socket: zmq.Socket[bytes], patience: float = 5.0) -> None:
        self._socket = socket
        self._patience = patience
        self._held: deque[list[Bytes]] = deque()
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.on_full: Callable[[bool], None] = lambda full: None

    def send(self, frames: list[Bytes]) -> None:
        """One message, behind those that wait. Never blocks."""
        if self._held or not self._write(frames):
            self._hold(frames)

    def close(self) -> None:
        """Whatever still waits goes out to those who read."""
        if self._timer is not None:
            self._timer.cancel()
        self._written()
        while self._held:
            self._let_go()

    def _write(self, frames: list[Bytes]) -> bool:
        """False when a subscriber's pipe is full; then nothing was sent.

        Only the first part can meet that: pipes count whole messages.
        """
        try:
            put(self._socket, frames)
        except zmq.Again:
            return False
        return True

    def _hold(self, frames: list[Bytes]) -> None:
        self._held.append(frames)
        if len(self._held) == 1:
            loop = asyncio.get_running_loop()
            self._since = loop.time()
            self._timer = loop.call_later(_AGAIN, self._try_again)
            self.on_full(True)

    def _try_again(self) -> None:
        loop = asyncio.get_running_loop()
        if self._written():
            self._since = loop.time()
        elif loop.time() - self._since > self._patience:
            self._let_go()
        if self._held:
            self._timer = loop.call_later(_AGAIN, self._try_again)
        else:
            self._timer = None
            self.on_full(False)

    def _written(self) -> bool:
        """Write what can be; whether anything could."""
        before = len(self._held)
        while self._held and self._write(self._held[0]):
            self._held.popleft()
        return len(self._held) < before

    def _let_go(self) -> None:
        """Write one message to whoever has room; who has none is passed over from now on until it has."""
        self._socket.setsockopt(zmq.XPUB_NODROP, 0)
        self._write(self._held.popleft())
        self._socket.setsockopt(zmq.XPUB_NODROP, 1)
        self._written()
