"""Bytes between a client and a server that were found to be allowed: a tunnel, or one request.

Rule: whatever moves is counted before it is sent on, and where nothing has moved for the idle time,
in either direction, it is over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from codeact_kernel.sandbox.egress import greeting, messages
from codeact_kernel.sandbox.egress.log import Log, Request
from codeact_kernel.sandbox.egress.messages import Head, Malformed
from codeact_kernel.sandbox.egress.upstream import Streams, Unreachable

_PIECE = 64 * 1024


class Spent(Exception):
    """The bytes that may be exchanged are used up."""


class Passage:
    """One connection's way through; `idle_seconds` is how long nothing may move."""

    def __init__(
        self, request: Request, log: Log, client: Streams, server: Streams, idle_seconds: float
    ) -> None:
        self._request = request
        self._log = log
        self._client, self._server = client, server
        self._idle_seconds = idle_seconds
        self._limit = asyncio.timeout(idle_seconds)

    async def tunnel(self) -> None:
        """Both ways until both sides are done, or one breaks off, or nothing moves any more."""
        self._client[1].write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            async with self._limit:
                await _both(
                    self._outward(), self._copy(self._server[0], self._client[1], outward=False)
                )

    async def forward(self, head: Head, added: tuple[tuple[str, str], ...], port: int) -> None:
        """One request and its answer; not a byte of the client's goes on after the body."""
        self._server[1].write(messages.write_request(head, added, port))
        if head.expects:
            self._client[1].write(b"HTTP/1.1 100 Continue\r\n\r\n")
        sending = asyncio.create_task(self._send_body(head))
        try:
            async with self._limit:
                await self._return_answer(sending)
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await sending

    async def _outward(self) -> None:
        """The client's side of a tunnel: its first words are looked at, the rest is its own."""
        reader, writer = self._client[0], self._server[1]
        first = await greeting.checked(reader, self._request.host)
        self._count(len(first), outward=True)
        writer.write(first)
        await self._copy(reader, writer, outward=True)

    async def _send_body(self, head: Head) -> None:
        async for piece in messages.body(self._client[0], head.length):
            self._count(len(piece), outward=True)
            self._server[1].write(piece)
            await self._server[1].drain()

    async def _return_answer(self, sending: asyncio.Task[None]) -> None:
        head = asyncio.create_task(self._answer_head())
        try:
            await asyncio.wait((sending, head), return_when=asyncio.FIRST_COMPLETED)
            error = sending.exception() if sending.done() else None
            if error is not None and not isinstance(error, ConnectionError):
                raise error  # a server that hung up may have answered before it did
            self._client[1].write(await head)
        finally:
            head.cancel()
        with contextlib.suppress(ConnectionError, Spent):  # the answer has begun: it can only end
            await self._copy(self._server[0], self._client[1], outward=False)

    async def _answer_head(self) -> bytes:
        interim = True
        raw = b""
        while interim:
            try:
                found = await self._server[0].readuntil(b"\r\n\r\n")
                raw, interim = messages.write_answer(found)
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, Malformed):
                raise Unreachable("the server gave no answer that can be passed on") from None
        return raw

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, outward: bool
    ) -> None:
        while piece := await reader.read(_PIECE):
            self._count(len(piece), outward=outward)
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    def _count(self, size: int, *, outward: bool) -> None:
        """Something moves. Raises Spent before what is too much is sent on."""
        if size > self._log.left:
            self._log.left = 0
            raise Spent
        self._log.left -= size
        if outward:
            self._request.sent += size
        else:
            self._request.received += size
        if not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time() + self._idle_seconds)


async def _both(*ways: Coroutine[Any, Any, None]) -> None:
    """Until both have ended; when one fails the other is ended too."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
