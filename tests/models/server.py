"""A small scripted server that speaks OpenAI's chat completions with server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Say:
    """A streamed reply. `then`: "end" well, "cut" the connection, "stall", "stop" without a
    finish reason, "length" for the output limit."""

    text: str = "hello"
    then: str = "end"
    usage: dict[str, Any] | None = field(
        default_factory=lambda: {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    )


@dataclass(frozen=True, kw_only=True)
class Fail:
    """An error status with a body as OpenAI has it."""

    status: int
    message: str = "no"
    kind: str = "error"
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """What the test sees: the address, the requests so far, and whether the client hung up."""

    address: str
    script: list[Say | Fail]
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    streaming: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.requests.append(json.loads(body))
            self.headers.append(headers)
            item = self.script.pop(0) if self.script else Fail(status=500, message="script is over")
            await (
                self._fail(item, writer)
                if isinstance(item, Fail)
                else self._say(item, reader, writer)
            )
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up.set()
        finally:
            writer.close()

    async def _fail(self, item: Fail, writer: asyncio.StreamWriter) -> None:
        error = {"message": item.message, "type": item.kind, "param": None, "code": item.code}
        body = json.dumps({"error": error}).encode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in item.headers.items())
        head = (
            f"HTTP/1.1 {item.status} No\r\ncontent-type: application/json\r\n{extra}"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await writer.drain()

    async def _say(
        self, item: Say, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        )
        for start in range(0, len(item.text), 4):
            await _event(writer, _delta({"content": item.text[start : start + 4]}))
        self.streaming.set()
        if item.then == "cut":
            writer.transport.abort()
            return
        if item.then == "stall":
            await reader.read()
            self.hung_up.set()
            return
        if item.then != "stop":
            await _event(writer, _delta({}, "length" if item.then == "length" else "stop"))
            if item.usage is not None:
                await _event(writer, {**_delta({}), "choices": [], "usage": item.usage})
            await _event(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")
        await writer.drain()


@asynccontextmanager
async def serving(*script: Say | Fail) -> AsyncIterator[Server]:
    """A server on a free port that answers request after request with `script`."""
    made = Server(address="", script=list(script))
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


def _delta(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "served",
        "choices": [choice],
    }


async def _event(writer: asyncio.StreamWriter, data: dict[str, Any] | str) -> None:
    text = data if isinstance(data, str) else json.dumps(data)
    body = f"data: {text}\n\n".encode()
    writer.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")
    await writer.drain()
