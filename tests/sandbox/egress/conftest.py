"""A server to talk to, and a proxy in front of it, all on this machine's loopback."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from codeact_kernel.sandbox.egress import allowlist
from codeact_kernel.sandbox.egress.hosts import Address
from codeact_kernel.sandbox.egress.proxy import Proxy
from codeact_kernel.trace.values import NetworkRequest

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: timeout=9\r\n\r\nhello"


@dataclass
class Far:
    """A server that keeps what it was sent and answers every connection with `answer`."""

    answer: bytes = ANSWER
    closes: bool = True
    until: bytes = b""
    """It answers when what it heard ends with this."""
    heard: list[bytes] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer once, then listen until the client has gone."""
        place, answered = len(self.heard), False
        self.heard.append(b"")
        try:
            while data := await reader.read(65536):
                self.heard[place] += data
                if not answered and self.heard[place].endswith(self.until):
                    answered = True
                    writer.write(self.answer)
                    if self.closes:
                        writer.write_eof()
        except OSError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    """It runs until the test ends."""
    one = Far()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    yield one
    server.close()
    await _quiet()


class Near:
    """A proxy and its clients. `records` is what it told."""

    def __init__(
        self,
        allowed: allowlist.Allowlist,
        names: dict[str, list[str]],
        tls: ssl.SSLContext | None,
        idle: float,
    ) -> None:
        self.records: list[NetworkRequest] = []
        self.looked_up: list[str] = []
        self._names = names
        self.proxy = Proxy(
            allowed, self.records.append, resolve=self._resolve, tls=tls, idle_seconds=idle
        )
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()
        self.proxy.start(listener)

    async def _resolve(self, host: str) -> list[Address]:
        self.looked_up.append(host)
        if host not in self._names:
            raise OSError("no such name")
        return [ipaddress.ip_address(text) for text in self._names[host]]

    async def ask(self, raw: bytes, *, then: bytes = b"") -> bytes:
        """Send `raw`, and `then` after the first answer; all that comes until the proxy closes."""
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection(*self.address)
            try:
                writer.write(raw)
                found = b""
                if then:
                    found = await reader.read(65536)
                    writer.write(then)
                found += await _rest(reader)
            finally:
                writer.close()
        for _ in range(200):
            if not self.proxy.log.under_way:
                break
            await asyncio.sleep(0.02)
        return found


async def _rest(reader: asyncio.StreamReader) -> bytes:
    found = b""
    try:
        while data := await reader.read(65536):
            found += data
    except ConnectionResetError:
        pass
    return found


MakeNear = Callable[..., Near]


@pytest.fixture
async def near() -> AsyncIterator[MakeNear]:
    """Make proxies: `near("example.org", names={"example.org": ["127.0.0.1"]})`."""
    made: list[Near] = []

    def make(
        *entries: str,
        names: dict[str, list[str]] | None = None,
        headers: dict[str, dict[str, str]] | None = None,
        tls: ssl.SSLContext | None = None,
        bytes_in_all: int = 10_000_000,
        idle: float = 5.0,
    ) -> Near:
        parsed = allowlist.parse(entries, headers)
        assert parsed is not None
        allowed = allowlist.Allowlist(
            entries=parsed.entries, injections=parsed.injections, bytes_in_all=bytes_in_all
        )
        made.append(Near(allowed, names or {}, tls, idle))
        return made[-1]

    yield make
    for one in made:
        one.proxy.close()
    await _quiet()


async def _quiet() -> None:
    """Wait until the tasks that serve connections have seen that they are over."""
    for _ in range(100):
        if len(asyncio.all_tasks()) <= 2:
            return
        await asyncio.sleep(0.02)
