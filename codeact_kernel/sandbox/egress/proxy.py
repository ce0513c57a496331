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
from collections.abc import Callable

from codeact_kernel.sandbox.egress import hosts, messages, upstream
from codeact_kernel.sandbox.egress.allowlist import Allowlist, Injection
from codeact_kernel.sandbox.egress.log import Log, Request
from codeact_kernel.sandbox.egress.messages import Head, Malformed
from codeact_kernel.sandbox.egress.passage import Passage, Spent
from codeact_kernel.sandbox.egress.upstream import Denied, Streams, Unreachable
from codeact_kernel.trace.values import NetworkRequest

log = logging.getLogger(__name__)

CONNECTIONS = 64
"""At a time; more of them wait to be accepted."""
HEAD_SECONDS = 30.0
IDLE_SECONDS = 300.0
_FAREWELL_SECONDS = 2.0
_PIECE = 64 * 1024


class Proxy:
    """Serves from `start` to `close`. `told` gets each request, on the event loop.

    `spent` are the bytes that sandboxes before this one have used of what the allowlist gives.
    """

    def __init__(
        self,
        allowlist: Allowlist,
        told: Callable[[NetworkRequest], None],
        *,
        spent: int = 0,
        resolve: upstream.Resolve = upstream.resolve,
        tls: ssl.SSLContext | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self.log = Log(told, allowlist.bytes_in_all - spent)
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
            sentence = f"The {spent} MB this notebook may exchange with the network are used up."
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
        passage = Passage(request, self.log, (reader, writer), server, self._idle_seconds)
        try:
            if tunnel:
                await passage.tunnel()
            else:
                await passage.forward(head, injection.headers if injection else (), port)
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
