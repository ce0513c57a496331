"""What a TLS client says first: the name of the server it wants, in the clear.

Rule: it has to be the name the tunnel was asked for. A server that stands in for many names (a
content network) would otherwise answer, behind one allowed name, for all the others. A name that
is missing or hidden is not taken on trust; what is not TLS at all is passed on as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from codeact_kernel.sandbox.egress import hosts
from codeact_kernel.sandbox.egress.messages import Malformed, Reader

_HANDSHAKE, _CLIENT_HELLO, _HOST_NAME = 22, 1, 0
_SERVER_NAME, _ENCRYPTED_HELLO = 0, 0xFE0D
_RECORD = 16384 + 256
_LONGEST = 64 * 1024


async def checked(reader: Reader, host: str) -> bytes:
    """The client's first bytes, when they may go to `host`; b"" when it says nothing. Raises Malformed."""
    raw = await reader.read(5)
    if not raw or raw[0] != _HANDSHAKE or hosts.literal(host) is not None:
        return raw
    raw, hello = await _hello(reader, raw)
    try:
        names = list(_names(hello))
    except IndexError:
        raise Malformed("the TLS greeting in the tunnel cannot be read") from None
    if len(names) != 1 or names[0] != host:
        said = f"asked for {names[0][:80]}" if names else "did not say which server it wants"
        raise Malformed(f"in the tunnel to {host} the client {said}")
    return raw


async def _hello(reader: Reader, raw: bytes) -> tuple[bytes, bytes]:
    """Everything read, and in it the first handshake message, which may come in many records."""
    message = b""
    start = 0
    while True:
        raw += await reader.readexactly(start + 5 - len(raw))
        head = raw[start : start + 5]
        size = int.from_bytes(head[3:5])
        if head[0] != _HANDSHAKE or head[1] != 3 or not 0 < size <= _RECORD:
            raise Malformed("the TLS greeting in the tunnel cannot be read")
        piece = await reader.readexactly(size)
        raw, message = raw + piece, message + piece
        start = len(raw)
        if len(message) >= 4:
            wanted = 4 + int.from_bytes(message[1:4])
            if message[0] != _CLIENT_HELLO or wanted > _LONGEST:
                raise Malformed("the TLS greeting in the tunnel cannot be read")
            if len(message) >= wanted:
                return raw, message[4:wanted]


def _names(hello: bytes) -> Iterator[str]:
    """The server names in a ClientHello's body. Raises IndexError, Malformed."""
    rest = _after(hello, 34)
    for width in (1, 2, 1):  # session id, cipher suites, compression methods
        _, rest = _vector(rest, width)
    extensions, _ = _vector(rest, 2) if rest else (b"", b"")
    while extensions:
        kind = int.from_bytes(_before(extensions, 2))
        value, extensions = _vector(_after(extensions, 2), 2)
        if kind == _ENCRYPTED_HELLO:
            raise Malformed("the client hides which server it wants (encrypted client hello)")
        if kind == _SERVER_NAME:
            yield from _listed(value)


def _listed(value: bytes) -> Iterator[str]:
    entries, _ = _vector(value, 2)
    while entries:
        kind = _before(entries, 1)[0]
        name, entries = _vector(_after(entries, 1), 2)
        if kind == _HOST_NAME:
            try:
                yield hosts.canonical(name.decode("ascii"))
            except ValueError:
                raise Malformed("the client names a server that is no host name") from None


def _vector(data: bytes, width: int) -> tuple[bytes, bytes]:
    size = width + int.from_bytes(_before(data, width))
    return _before(data, size)[width:], data[size:]


def _before(data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise IndexError
    return data[:size]


def _after(data: bytes, size: int) -> bytes:
    return data[len(_before(data, size)) :]
