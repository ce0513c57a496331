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
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

MAX_FRAME = 256 * 1024 * 1024
MAX_HEAD = 64 * 1024
MAX_PARTS = 1024

_SIZE = struct.Struct("!I")
_COUNT = struct.Struct("!H")
_SMALL = 4096
"""Bytes that are sooner copied than sent as a piece of their own."""
_LARGE = 1024 * 1024

Bytes = bytes | bytearray | memoryview
Raw = bytes | bytearray
"""A whole frame as it came."""
Part = Bytes | tuple[Bytes, ...]
"""What is sent as one part of a frame; it may lie in pieces."""


class BadFrame(ValueError):
    """The bytes are not a frame, or it is over a limit. Nothing behind it can be trusted."""


class Frame(NamedTuple):
    """One message. `head` holds "t" and small fields; `parts` the bytes that go with it."""

    head: dict[str, Any]
    parts: tuple[Raw, ...] = ()

    @property
    def type(self) -> str:
        return str(self.head["t"])


def encode(head: dict[str, Any], parts: Sequence[Part] = ()) -> list[Bytes]:
    """The frame as pieces to send in this order. What is large is not copied.

    Raises BadFrame when it is over a limit, so that the sender hears of it and not the receiver.
    """
    first = _ENCODER.encode(head).encode()
    sizes = [len(first), *map(_size, parts)]
    count = len(sizes)
    size = _COUNT.size + _SIZE.size * count + sum(sizes)
    if len(first) > MAX_HEAD or count > MAX_PARTS or size > MAX_FRAME:
        raise BadFrame(
            f"a frame of {size} bytes in {count} parts, head {len(first)}, is over the limits"
        )
    pieces: list[Bytes] = [struct.pack(f"!IH{count}I", size, count, *sizes) + first]
    for part in parts:
        pieces += part if isinstance(part, tuple) else (part,)
    return [b"".join(pieces)] if size < _SMALL else _joined(pieces)


def _size(part: Part) -> int:
    return sum(map(_size, part)) if isinstance(part, tuple) else memoryview(part).nbytes


def _joined(pieces: Iterable[Bytes]) -> list[Bytes]:
    """The same with small neighbours as one."""
    joined: list[Bytes] = []
    small: list[Bytes] = []
    for piece in pieces:
        if memoryview(piece).nbytes < _SMALL:
            small.append(piece)
            continue
        if small:
            joined.append(b"".join(small))
            small = []
        joined.append(piece)
    return [*joined, b"".join(small)] if small else joined


class Decoder:
    """Collects bytes, gives whole frames. One decoder for each direction of a stream."""

    __slots__ = ("_buffer", "_limit")

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self._buffer = bytearray()
        self._limit = max_frame

    def feed(self, data: Bytes) -> list[Frame]:
        """The frames that `data` completes, decoded. Raises BadFrame.

        The last part of a large one is not copied: it keeps the memory in which it was collected.
        """
        self._buffer += data
        frames: list[Frame] = []
        start = 0
        while end := self._end_of_frame(start):
            if start == 0 and end > _LARGE:
                frames.append(_decode_in_place(self._take(end)))
            else:
                with memoryview(self._buffer) as view, view[start:end] as raw:
                    frames.append(decode(raw))
                start = end
        if start:
            del self._buffer[:start]
        return frames

    def split(self, data: Bytes) -> list[Raw]:
        """The frames that `data` completes, as they are (for a relay). Raises BadFrame.

        A large one is not copied, as in `feed`.
        """
        self._buffer += data
        frames: list[Raw] = []
        start = 0
        while end := self._end_of_frame(start):
            if start == 0 and end > _LARGE:
                frames.append(self._take(end))
            else:
                frames.append(bytes(self._buffer[start:end]))
                start = end
        if start:
            del self._buffer[:start]
        return frames

    def _take(self, end: int) -> bytearray:
        """What was collected up to there, to keep."""
        taken, self._buffer = self._buffer, self._buffer[end:]
        del taken[end:]
        return taken

    def _end_of_frame(self, start: int) -> int:
        """Where the frame that begins at `start` ends, 0 when it is not complete. Raises BadFrame."""
        buffer = self._buffer
        if len(buffer) - start < _SIZE.size:
            return 0
        (size,) = _SIZE.unpack_from(buffer, start)
        if not _COUNT.size + _SIZE.size <= size <= self._limit:
            raise BadFrame(f"a frame says it has {size} bytes")
        end: int = start + _SIZE.size + size
        return end if end <= len(buffer) else 0

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._buffer)


def decode(raw: Bytes) -> Frame:
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


def _decode_in_place(raw: bytearray) -> Frame:
    """As `decode`; the last part is what is left of `raw`, which is the caller's no more."""
    sizes, at = _sizes(raw)
    if len(sizes) == 1 or at + sum(sizes) != len(raw):
        return decode(raw)
    ends = list(accumulate(sizes[:-1], initial=at))
    head, *parts = (bytes(raw[start:end]) for start, end in pairwise(ends))
    frame_head = _head(head)
    del raw[: ends[-1]]
    return Frame(frame_head, (*parts, raw))


def head_of(raw: Raw) -> dict[str, Any]:
    """Only the head of a raw frame, for a relay that looks and passes on. Raises BadFrame."""
    sizes, at = _sizes(raw)
    return _head(bytes(raw[at : at + sizes[0]]))


def _sizes(raw: Bytes) -> tuple[tuple[int, ...], int]:
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
