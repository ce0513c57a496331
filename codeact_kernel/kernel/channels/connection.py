"""The five sockets of a Jupyter kernel, on the asyncio loop.

Rule: bytes in, bytes out; what a message means is the relay's business. The sockets are read
straight from their file descriptors: zmq.asyncio costs a future per message.

A ZMQ descriptor is edge-triggered: it signals once, and any call on the socket, a send too, may
swallow the signal. So every reader drains until nothing is left, and every send looks again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.channels.messages import (
    EMPTY,
    BadMessage,
    Bytes,
    Incoming,
    Signer,
    to_json,
)
from codeact_kernel.kernel.channels.outlet import Outlet, limit, put

log = logging.getLogger(__name__)
_CHANNELS = ("shell", "control", "stdin", "iopub", "hb")
_AT_ONCE = 64
_SOON = 0.02
"""Seconds until a subscription is answered whose signal was swallowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFile:
    """What the connection file says."""

    transport: str
    ip: str
    ports: dict[str, int]
    key: bytes

    def address(self, channel: str) -> str:
        """Where a channel's socket is bound."""
        separator = ":" if self.transport == "tcp" else "-"
        return f"{self.transport}://{self.ip}{separator}{self.ports[channel]}"


def read_connection_file(path: Path) -> ConnectionFile:
    """The connection file a Jupyter client wrote for us. Raises UsageError."""
    try:
        data: dict[str, Any] = json.loads(path.read_text())
        scheme = data.get("signature_scheme") or "hmac-sha256"
        if scheme != "hmac-sha256":
            raise UsageError(f"The signature scheme {scheme!r} is not known; use hmac-sha256.")
        return ConnectionFile(
            transport=data.get("transport", "tcp"),
            ip=data["ip"],
            ports={channel: int(data[f"{channel}_port"]) for channel in _CHANNELS},
            key=data["key"].encode(),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"The connection file {path} cannot be used: {error!r}.") from error


class Connection:
    """The bound sockets. `on_message` is called on the loop with each verified message."""

    def __init__(self, file: ConnectionFile, signer: Signer) -> None:
        self.file = file
        self.signer = signer
        self._context = zmq.Context()
        self._sockets = {
            "shell": self._bind("shell", zmq.ROUTER),
            "control": self._bind("control", zmq.ROUTER),
            "stdin": self._bind("stdin", zmq.ROUTER),
            "iopub": self._bind("iopub", zmq.XPUB),
            "hb": self._bind("hb", zmq.REP),
        }
        self.outlet = Outlet(self._sockets["iopub"])
        self._looking: set[str] = set()
        self._on_message: Callable[[Incoming], None] = lambda message: None
        self._loop: asyncio.AbstractEventLoop | None = None

    def _bind(self, channel: str, kind: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.linger = 500
        socket.set_hwm(0)
        if kind == zmq.ROUTER:
            socket.router_handover = 1
        if kind == zmq.XPUB:
            socket.setsockopt(zmq.XPUB_VERBOSE, 1)
            limit(socket)
        socket.bind(self.file.address(channel))
        return socket

    def listen(self, on_message: Callable[[Incoming], None]) -> None:
        """Start reading on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        for channel, socket in self._sockets.items():
            self._loop.add_reader(_descriptor(socket), self._drain, channel)
            self._look_again(channel)

    def _look_again(self, channel: str) -> None:
        if channel in self._looking or self._loop is None:
            return
        self._looking.add(channel)
        if channel == "iopub":  # only subscriptions come there, and much is sent
            self._loop.call_later(_SOON, self._drain, channel)
        else:
            self._loop.call_soon(self._drain, channel)

    def _drain(self, channel: str) -> None:
        self._looking.discard(channel)
        socket = self._sockets.get(channel)
        if socket is None:
            return
        for _ in range(_AT_ONCE):
            events: Any = socket.get(zmq.EVENTS)
            if not events & zmq.POLLIN:
                return
            self._take(channel, socket, socket.recv_multipart(zmq.DONTWAIT))
        self._look_again(channel)

    def _take(self, channel: str, socket: zmq.Socket[bytes], frames: list[bytes]) -> None:
        if channel == "hb":
            socket.send_multipart(frames, zmq.DONTWAIT)
        elif channel == "iopub":
            self._welcome(frames[0])
        else:
            try:
                message = self.signer.read(channel, frames)
            except BadMessage as error:
                log.warning("dropped a message on %s: %s", channel, error)
                return
            self._on_message(message)

    def _welcome(self, subscription: bytes) -> None:
        if subscription[:1] != b"\x01":
            return
        topic = subscription[1:]
        content = to_json({"subscription": topic.decode("utf-8", "replace")})
        self._send("iopub", self.signer.frames([topic], "iopub_welcome", EMPTY, EMPTY, content))

    def send(
        self,
        channel: str,
        address: Sequence[bytes],
        kind: str,
        parent: bytes,
        metadata: Bytes,
        content: Bytes,
        buffers: Sequence[Bytes] = (),
    ) -> None:
        """Send one message. Never blocks; after `close` it does nothing."""
        if channel in self._sockets:
            frames = self.signer.frames(address, kind, parent, metadata, content, buffers)
            self._send(channel, frames)

    def _send(self, channel: str, frames: list[Bytes]) -> None:
        if channel == "iopub":
            self.outlet.send(frames)
        else:
            put(self._sockets[channel], frames)
        self._look_again(channel)

    def close(self) -> None:
        """Stop reading, let what was sent go out (0.5 s at most), close."""
        self.outlet.close()
        sockets, self._sockets = self._sockets, {}
        for socket in sockets.values():
            if self._loop is not None:
                self._loop.remove_reader(_descriptor(socket))
            socket.close()
        self._context.term()


def _descriptor(socket: zmq.Socket[bytes]) -> int:
    return int(socket.getsockopt(zmq.FD))
