"""HTTP/1.1 as the proxy reads and writes it: one request, one answer, nothing between the lines.

Rule: whatever two readers could understand differently is refused: bare line feeds, folded lines,
two lengths, a length beside chunks, user information in a URL. What is sent on is written anew.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from codeact_kernel.sandbox.egress import hosts
from codeact_kernel.sandbox.egress.allowlist import HOP_BY_HOP

HEAD = 64 * 1024
"""Bytes a head may have."""
_PIECE = 64 * 1024
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_TARGET = re.compile(r"[\x21-\x7e]+", re.ASCII)
_FIELD = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_URL = re.compile(r"http://([^/?#]+)([^#]*)(?:#.*)?", re.IGNORECASE)
Headers = list[tuple[str, str]]


class Malformed(ValueError):
    """What came is no request that can be passed on. The text is for the client."""


class Reader(Protocol):
    """What is needed of asyncio.StreamReader."""

    async def readuntil(self, separator: bytes = ...) -> bytes: ...
    async def readexactly(self, n: int) -> bytes: ...
    async def read(self, n: int = ...) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A request's head. `target` is "" for CONNECT; `length` None: chunked, 0: no body."""

    method: str
    host: str
    port: int
    target: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = 0
    expects: bool = False
    """The client waits for "100 Continue" before it sends its body."""


def read_request(raw: bytes) -> Head:
    """The head of a request to a proxy. Raises Malformed."""
    first, headers = _lines(raw)
    method, target, version = _words(first)
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise Malformed("only HTTP/1.1 is spoken here")
    if method == "CONNECT":
        host, port = _authority(target)
        if port is None:
            raise Malformed("CONNECT needs host:port")
        return Head(method=method, host=host, port=port)
    match = _URL.fullmatch(target)
    if match is None:
        raise Malformed("a plain request must name http://host/path; for https use CONNECT")
    host, port = _authority(match.group(1))
    path = match.group(2)
    return Head(
        method=method,
        host=host,
        port=port or 80,
        target=path if path.startswith("/") else f"/{path}",
        headers=tuple(_end_to_end(headers)),
        length=_length(headers),
        expects=any(name.lower() == "expect" for name, _ in headers),
    )


def write_request(head: Head, added: tuple[tuple[str, str], ...] = (), port: int = 0) -> bytes:
    """The head as it is sent on, with `added` in place of what the client said under these names.

    `port` is the port that is really connected to, when that differs from the client's.
    """
    replaced = {name.lower() for name, _ in added}
    port = port or head.port
    bare = f"[{head.host}]" if ":" in head.host else head.host
    lines = [f"{head.method} {head.target} HTTP/1.1"]
    lines.append(f"Host: {bare if port in (80, 443) else hosts.joined(head.host, port)}")
    lines += [f"{name}: {value}" for name, value in head.headers if name.lower() not in replaced]
    lines += [f"{name}: {value}" for name, value in added]
    if head.length is None:
        lines.append("Transfer-Encoding: chunked")
    elif head.length or head.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {head.length}")
    lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def write_answer(raw: bytes) -> tuple[bytes, bool]:
    """A server's head, so that the client does not use the connection again; is it an interim one?

    Raises Malformed.
    """
    first, headers = _lines(raw)
    match = re.fullmatch(r"HTTP/1\.[01] (\d{3})(?: (.*))?", first)
    if match is None or match.group(1) == "101":
        raise Malformed("the server's answer is not HTTP/1.1")
    if match.group(1).startswith("1"):
        return b"", True
    dropped = _named_by_connection(headers) | {"connection", "keep-alive", "upgrade"}
    lines = [first, *(f"{name}: {value}" for name, value in headers if name.lower() not in dropped)]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"), False


async def body(reader: Reader, length: int | None) -> AsyncIterator[bytes]:
    """The body's bytes as they are to be sent on; chunks are read and written anew. Raises Malformed."""
    if length is None:
        async for piece in _chunks(reader):
            yield piece
        return
    while length:
        piece = await reader.read(min(length, _PIECE))
        if not piece:
            raise Malformed("the request's body ended too early")
        length -= len(piece)
        yield piece


async def _chunks(reader: Reader) -> AsyncIterator[bytes]:
    while True:
        line = await reader.readuntil(b"\r\n")
        match = re.fullmatch(rb"([0-9A-Fa-f]{1,8})\r\n", line)
        if match is None:
            raise Malformed("a chunk's size is not a plain number")
        left = int(match.group(1), 16)
        if left == 0:
            break
        yield f"{left:x}\r\n".encode()
        while left:
            piece = await reader.read(min(left, _PIECE))
            if not piece:
                raise Malformed("the request's body ended too early")
            left -= len(piece)
            yield piece
        if await reader.readexactly(2) != b"\r\n":
            raise Malformed("a chunk is longer than it said")
        yield b"\r\n"
    if await reader.readexactly(2) != b"\r\n":
        raise Malformed("fields after the last chunk are not passed on")
    yield b"0\r\n\r\n"


def _lines(raw: bytes) -> tuple[str, Headers]:
    text = raw.decode("latin-1")
    if not text.endswith("\r\n\r\n"):
        raise Malformed("the head does not end")
    first, *rest = text[:-4].split("\r\n")
    headers = []
    for line in rest:
        name, colon, value = line.partition(":")
        value = value.strip(" \t")
        if not colon or not _TOKEN.fullmatch(name) or not _FIELD.fullmatch(value):
            raise Malformed("a header line is not one")
        headers.append((name, value))
    return first, headers


def _words(line: str) -> tuple[str, str, str]:
    words = line.split(" ")
    if len(words) != 3 or not _TOKEN.fullmatch(words[0]) or not _TARGET.fullmatch(words[1]):
        raise Malformed("the first line is not a request")
    return words[0], words[1], words[2]


def _authority(text: str) -> tuple[str, int | None]:
    try:
        return hosts.split(text)
    except ValueError as error:
        raise Malformed(str(error)) from None


def _length(headers: Headers) -> int | None:
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    codings = [value for name, value in headers if name.lower() == "transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise Malformed("a request has one length: Content-Length or Transfer-Encoding, once")
    if codings:
        if codings[0].lower() != "chunked":
            raise Malformed("the only transfer coding is chunked")
        return None
    if lengths and not re.fullmatch(r"[0-9]{1,15}", lengths[0]):
        raise Malformed("Content-Length is not a number")
    return int(lengths[0]) if lengths else 0


def _end_to_end(headers: Headers) -> Headers:
    dropped = HOP_BY_HOP | _named_by_connection(headers)
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in dropped and not name.lower().startswith("proxy-")
    ]


def _named_by_connection(headers: Headers) -> set[str]:
    listed = [value for name, value in headers if name.lower() == "connection"]
    return {name.strip().lower() for value in listed for name in value.split(",")}
