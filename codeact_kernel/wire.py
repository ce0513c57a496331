"""The wire: bytes <-> frames. No socket, no I/O, standard library only; both sides import it.

Rule: this file knows the shape of a frame and not one word of what it means to anybody. The
far side is not trusted: every count and length is checked before memory is spent on it.

Layout, all integers big-endian:

    u32 size of all that follows | u16 n, number of parts (1..MAX_PARTS) | n x u32 length | parts

Part 0 is the head: one JSON object (UTF-8, at most MAX_HEAD bytes) with the key "t", the frame's
type. The other parts are raw bytes. What each type carries is the table in docs/wire.md.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

MAX_FRAME = 256 * 1024 * 1024
MAX_HEAD = 64 * 1024
MAX_PARTS = 1024

_SIZE = struct.Struct("!I")
_COUNT = struct.Struct("!H")
_SMALL = 4096
"""Bytes that are sooner copied than sent as a piece of their own."""

Bytes = bytes | bytearray | memoryview
T = TypeVar("T")


class BadFrame(ValueError):
    """The bytes are not a frame, or it is over a limit. Nothing behind it can be trusted."""


class Frame(NamedTuple):
    """One message. `head` holds "t" and small fields; `parts` the bytes that go with it."""

    head: dict[str, Any]
    parts: tuple[bytes, ...] = ()

    @property
    def type(self) -> str:
        return str(self.head["t"])


def encode(head: dict[str, Any], parts: Sequence[Bytes] = ()) -> list[Bytes]:
    """The frame as pieces to send in this order. Large parts are not copied.

    Raises BadFrame when it is over a limit, so that the sender hears of it and not the receiver.
    """
    first = _ENCODER.encode(head).encode()
    sizes = [len(first), *[memoryview(part).nbytes for part in parts]]
    count = len(sizes)
    size = _COUNT.size + _SIZE.size * count + sum(sizes)
    if len(first) > MAX_HEAD or count > MAX_PARTS or size > MAX_FRAME:
        raise BadFrame(
            f"a frame of {size} bytes in {count} parts, head {len(first)}, is over the limits"
        )
    prefix = struct.pack(f"!IH{count}I", size, count, *sizes) + first
    if size < _SMALL:
        return [b"".join((prefix, *parts))]
    pieces: list[Bytes] = [prefix]
    for part, length in zip(parts, sizes[1:], strict=True):
        if length < _SMALL and isinstance(pieces[-1], bytes):
            pieces[-1] = pieces[-1] + bytes(part)
        else:
            pieces.append(part)
    return pieces


class Decoder:
    """Collects bytes, gives whole frames. One decoder for each direction of a stream."""

    __slots__ = ("_buffer", "_limit")

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self._buffer = bytearray()
        self._limit = max_frame

    def feed(self, data: Bytes) -> Iterable[Frame]:
        """The frames that `data` completes, decoded. Raises BadFrame."""
        return self._take(data, decode)

    def split(self, data: Bytes) -> list[bytes]:
        """The frames that `data` completes, as raw bytes (for a relay). Raises BadFrame."""
        return self._take(data, bytes)

    def _take(self, data: Bytes, make: Callable[[memoryview], T]) -> list[T]:
        """Each frame is seen where it lies: a large one is copied once, by who makes something of it."""
        buffer = self._buffer
        buffer += data
        frames: list[T] = []
        start = 0
        while len(buffer) - start >= _SIZE.size:
            (size,) = _SIZE.unpack_from(buffer, start)
            if not _COUNT.size + _SIZE.size <= size <= self._limit:
                raise BadFrame(f"a frame says it has {size} bytes")
            end = start + _SIZE.size + size
            if len(buffer) < end:
                break
            with memoryview(buffer) as view, view[start:end] as raw:
                frames.append(make(raw))
            start = end
        if start:
            del buffer[:start]
        return frames

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._buffer)


def decode(raw: bytes | memoryview) -> Frame:
    """One whole raw frame, checked. Raises BadFrame."""
    sizes, at = _sizes(raw)
    if at + sum(sizes) != len(raw):
        raise BadFrame("the lengths of a frame's parts do not add up")
    head = _head(bytes(raw[at : at + sizes[0]]))
    at += sizes[0]
    parts = []
    for size in sizes[1:]:
        parts.append(bytes(raw[at : at + size]))
        at += size
    return Frame(head, tuple(parts))


def head_of(raw: bytes) -> dict[str, Any]:
    """Only the head of a raw frame, for a relay that looks and passes on. Raises BadFrame."""
    sizes, at = _sizes(raw)
    return _head(raw[at : at + sizes[0]])


def _sizes(raw: bytes | memoryview) -> tuple[tuple[int, ...], int]:
    """The lengths of the parts, and where the first one starts."""
    if len(raw) < _SIZE.size + _COUNT.size + _SIZE.size:
        raise BadFrame(f"a frame has only {len(raw)} bytes")
    (count,) = _COUNT.unpack_from(raw, _SIZE.size)
    at = _SIZE.size + _COUNT.size + _SIZE.size * count
    if not 1 <= count <= MAX_PARTS or at > len(raw):
        raise BadFrame(f"a frame of {len(raw)} bytes says it has {count} parts")
    return struct.unpack_from(f"!{count}I", raw, _SIZE.size + _COUNT.size), at


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _head(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_HEAD:
        raise BadFrame(f"a frame's head has {len(data)} bytes")
    try:
        head = _DECODER.decode(str(data, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadFrame("a frame's head is not JSON") from error
    if not isinstance(head, dict) or not isinstance(head.get("t"), str):
        raise BadFrame("a frame's head is not an object with a type")
    return head


# Made once: json.dumps and json.loads with options make one for each call.
_ENCODER = json.JSONEncoder(separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_constant=_no_constant)
