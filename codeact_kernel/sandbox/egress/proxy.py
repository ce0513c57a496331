"""The proxy of one sandbox: CONNECT tunnels and plain requests to what its allowlist names.

Rule: it accepts on a socket that lies in the sandbox's own network, so nobody else can be its
client, and each sandbox has its own proxy with its own allowlist. One request per connection, no
redirect is followed, and a client that sends nonsense loses its connection, nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

from codeact_kernel.sandbox.egress import greeting, hosts, messages, upstream
from codeact_kernel.sandbox.egress.allowlist import Allowlist, Injection
from codeact_kernel.sandbox.egress.log import Log, Record, Request
from codeact_kernel.sandbox.egress.messages import Head, Malformed
from codeact_kernel.sandbox.egress.upstream import Denied, Streams, Unreachable

log = logging.getLogger(__name__)

CONNECTIONS = 64
"""At a time; more of them wait to be accepted."""
HEAD_SECONDS = 30.0
IDLE_SECONDS = 300.0
_FAREWELL_SECONDS = 2.0
_PIECE = 64 * 1024


class Spent(Exception):
    """The sandbox has used up the bytes it may exchange."""


class Proxy:
    """Serves from `start` to `close`. `told` gets a Record of each request, on the event loop."""

    def __init__(
        self,
        allowlist: Allowlist,
        told: Callable[[Record], None],
        *,
        resolve: upstream.Resolve = upstream.resolve,
        tls: ssl.SSLContext | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self.log = Log(told, allowlist.bytes_in_all)
        self._allowlist = allowlist
        self._resolve = resolve
        self._tls = tls
        self._idle_seconds = idle_seconds
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._clients: set[asyncio.Task[None]] = set()

    def start(self, listener: socket.socket) -> None:
        """Accept on `listener`, which is the proxy's from now on."""
        listener.setblocking(False)
        self._listener = listener
        self._accepting = asyncio.get_running_loop().create_task(self._accept(listener))

    def close(self) -> None:
        """Cut everything. Idempotent."""
        for task in (self._accepting, *self._clients):
            if task is not None:
                task.cancel()
        if self._listener is not None:
            self._listener.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        free = asyncio.Semaphore(CONNECTIONS)
        while True:
            await free.acquire()
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError as error:
                log.warning("the network proxy cannot accept: %s", error)
                free.release()
                await asyncio.sleep(0.2)
                continue
            task = loop.create_task(self._serve(client))
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)
            task.add_done_callback(lambda _: free.release())

    async def _serve(self, client: socket.socket) -> None:
        request = self.log.begin()
        streams: Streams | None = None
        try:
            streams = await asyncio.open_connection(sock=client, limit=messages.HEAD)
            await self._answer(request, *streams)
            self.log.end(request)  # at once: a step must not be over before its requests are told
            await _farewell(*streams)
        except OSError as error:
            log.debug("a connection through the proxy broke: %s", error)
        except Exception:
            log.exception("the network proxy failed")
        finally:
            self.log.end(request)
            if streams is None:
                client.close()
            else:
                streams[1].close()

    async def _answer(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry one request out; a refusal is an answer too."""
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                raw = await reader.readuntil(b"\r\n\r\n")
            await self._pass_on(request, messages.read_request(raw), reader, writer)
        except (TimeoutError, asyncio.IncompleteReadError):
            return
        except asyncio.LimitOverrunError:
            self._refuse(request, writer, 431, f"A head may have {messages.HEAD} bytes.")
        except Malformed as error:
            self._refuse(request, writer, 400, f"This is no request a proxy can pass on: {error}.")
        except Denied as error:
            self._refuse(request, writer, 403, str(error))
        except Unreachable as error:
            self._refuse(request, writer, 502, f"{error}.")
        except Spent:
            spent = self._allowlist.bytes_in_all // (1024 * 1024)
            sentence = f"The {spent} MB this sandbox may exchange with the network are used up."
            self._refuse(request, writer, 403, f"{sentence} Restart the kernel, or raise net_mb.")

    async def _pass_on(
        self,
        request: Request,
        head: Head,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        request.method, request.host, request.port = head.method[:20], head.host, head.port
        request.path = head.target.partition("?")[0][:200]
        entry = self._allowlist.entry_for(head.host, head.port)
        if entry is None:
            raise Denied(_not_listed(head))
        if self.log.left <= 0:
            raise Spent
        tunnel = head.method == "CONNECT"
        injection = None if tunnel else self._allowlist.injection_for(head.host, head.port)
        found = await upstream.permitted(head.host, entry, self._resolve)
        port, tls = self._way(head, injection)
        address, server = await upstream.connect(found, head.host, port, tls)
        request.address = str(address)
        try:
            if tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await self._tunnel(request, (reader, writer), server)
            else:
                added = injection.headers if injection else ()
                await self._forward(request, head, added, port, (reader, writer), server)
        finally:
            server[1].close()

    def _way(self, head: Head, injection: Injection | None) -> tuple[int, ssl.SSLContext | None]:
        """The port to connect to and, when the proxy itself speaks TLS, how."""
        if injection is None:
            return head.port, None
        if not injection.tls:
            return injection.upstream_port, None
        self._tls = self._tls or ssl.create_default_context()
        return injection.upstream_port, self._tls

    async def _tunnel(self, request: Request, client: Streams, server: Streams) -> None:
        """Bytes both ways until both sides are done, or one breaks, or nothing moves any more."""
        await _both(
            self._outward(request, client[0], server[1]),
            self._copy(request, server[0], client[1], outward=False),
        )

    async def _outward(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """The client's side of a tunnel: its first words are looked at, the rest is its own."""
        first = await self._in_time(greeting.checked(reader, request.host))
        self._count(request, len(first), outward=True)
        writer.write(first)
        await self._copy(request, reader, writer, outward=True)

    async def _forward(
        self,
        request: Request,
        head: Head,
        added: tuple[tuple[str, str], ...],
        port: int,
        client: Streams,
        server: Streams,
    ) -> None:
        """One request and its answer; not a byte of the client's goes on after the body."""
        server[1].write(messages.write_request(head, added, port))
        if head.expects:
            client[1].write(b"HTTP/1.1 100 Continue\r\n\r\n")
        sending = asyncio.create_task(self._send_body(request, head, client[0], server[1]))
        try:
            await self._return_answer(request, sending, server[0], client[1])
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await sending

    async def _send_body(
        self, request: Request, head: Head, reader: asyncio.StreamReader, to: asyncio.StreamWriter
    ) -> None:
        async for piece in messages.body(reader, head.length):
            self._count(request, len(piece), outward=True)
            to.write(piece)
            await self._in_time(to.drain())

    async def _return_answer(
        self,
        request: Request,
        sending: asyncio.Task[None],
        server: asyncio.StreamReader,
        client: asyncio.StreamWriter,
    ) -> None:
        head = asyncio.create_task(self._answer_head(server))
        try:
            await asyncio.wait((sending, head), return_when=asyncio.FIRST_COMPLETED)
            error = sending.exception() if sending.done() else None
            if error is not None and not isinstance(error, ConnectionError):
                raise error  # a server that hung up may have answered before it did
            client.write(await head)
        finally:
            head.cancel()
        with contextlib.suppress(TimeoutError, ConnectionError, Spent):  # the answer has begun
            await self._copy(request, server, client, outward=False)

    async def _answer_head(self, server: asyncio.StreamReader) -> bytes:
        interim = True
        raw = b""
        while interim:
            try:
                found = await self._in_time(server.readuntil(b"\r\n\r\n"))
                raw, interim = messages.write_answer(found)
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, Malformed):
                raise Unreachable("the server gave no answer that can be passed on") from None
        return raw

    async def _copy(
        self,
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        outward: bool,
    ) -> None:
        while piece := await self._in_time(reader.read(_PIECE)):
            self._count(request, len(piece), outward=outward)
            writer.write(piece)
            await self._in_time(writer.drain())
        if writer.can_write_eof():
            writer.write_eof()

    def _count(self, request: Request, size: int, *, outward: bool) -> None:
        """Raises Spent before what is too much is sent on."""
        if size > self.log.left:
            self.log.left = 0
            raise Spent
        self.log.left -= size
        if outward:
            request.sent += size
        else:
            request.received += size

    async def _in_time(self, moving: Coroutine[Any, Any, Any]) -> Any:
        async with asyncio.timeout(self._idle_seconds):
            return await moving

    def _refuse(
        self, request: Request, writer: asyncio.StreamWriter, status: int, sentence: str
    ) -> None:
        """The sentence is the reason phrase too: of a refused CONNECT, clients show only that."""
        request.problem = sentence
        if request.method == "CONNECT" and request.address:
            return  # within a tunnel there is nobody to tell
        words = sentence.encode("ascii", "replace").decode().replace("\r", " ").replace("\n", " ")
        lines = (
            f"HTTP/1.1 {status} {words}",
            "Content-Type: text/plain",
            f"Content-Length: {len(words) + 1}",
            "Connection: close",
            "",
            f"{words}\n",
        )
        writer.write("\r\n".join(lines).encode())


async def _both(*ways: Coroutine[Any, Any, None]) -> None:
    """Until both have ended; when one fails the other is ended too."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.gather(*tasks)
    except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
        return  # a side that breaks off, or falls silent, ends a tunnel in the ordinary way
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _farewell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """See that what was said last arrives: unread bytes would make the system take it back."""
    with contextlib.suppress(OSError):
        async with asyncio.timeout(_FAREWELL_SECONDS):
            if writer.can_write_eof():
                writer.write_eof()
            while await reader.read(_PIECE):
                pass
            await writer.drain()


def _not_listed(head: Head) -> str:
    host = hosts.joined(head.host, head.port)
    return (
        f"{host} is not on this sandbox's allowlist. The user can allow it: codeact run --allow-net "
        f"{host}, or allow_net in the configuration file."
    )
