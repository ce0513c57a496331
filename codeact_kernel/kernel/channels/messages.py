"""Jupyter messages as frames: signing, checking, building. No socket, no I/O.

Rule: every header that leaves is built here, with this kernel's one session id. A front end drops
messages whose session differs from the newest one it saw, so there is only one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

PROTOCOL = "5.4"
DELIMITER = b"<IDS|MSG>"
EMPTY = b"{}"
MAX_ID = 256
MAX_DEPTH = 100
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_REMEMBERED = 65536
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_LARGE, _FEW = 65536, 1000

Raw = bytes | bytearray
Bytes = Raw | memoryview
Frames = list[Bytes]


class BadMessage(ValueError):
    """Frames from a client that are not a signed Jupyter message; they are dropped."""


class Incoming(NamedTuple):
    """One message of a front end: verified, its header read, the rest as it came."""

    channel: str
    idents: tuple[bytes, ...]
    type: str
    id: str
    session: str
    header: bytes
    metadata: bytes
    content: bytes
    buffers: tuple[bytes, ...] = ()
    parent: bytes = EMPTY

    def read_content(self) -> dict[str, Any]:
        """The content as a dict. Raises BadMessage."""
        return as_object(self.content)

    def read_metadata(self) -> dict[str, Any]:
        """The metadata as a dict. Raises BadMessage."""
        return as_object(self.metadata)

    def read_parent(self) -> dict[str, Any]:
        """The header of the message this one answers, empty for none. Raises BadMessage."""
        return as_object(self.parent)


def as_object(raw: Raw) -> dict[str, Any]:
    """As `as_value`, an object. Raises BadMessage."""
    value = as_value(raw)
    if not isinstance(value, dict):
        raise BadMessage("not a JSON object")
    return value


def as_value(raw: Raw) -> Any:
    """Strict JSON (UTF-8, no NaN). Raises BadMessage.

    Strict, because a browser's JSON.parse takes nothing else, and one bad message would be lost
    without a word there. At most `MAX_DEPTH` levels deep, because whoever handles it later may
    recurse.
    """
    try:
        value = _DECODER.decode(str(raw, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadMessage("not JSON") from error
    if _too_deep(raw, value):
        raise BadMessage(f"JSON more than {MAX_DEPTH} levels deep")
    return value


def whole_object(raw: Raw) -> tuple[Raw, dict[str, Any]]:
    """As `as_object`, with the bytes to pass on: JSON can spell half of a character (a surrogate), and
    a notebook that holds one cannot be saved. Raises BadMessage."""
    value = as_object(raw)
    if b"\\" not in raw or _HALF.search(raw) is None:  # one character is found ten times faster
        return raw, value
    raw = to_json(value)
    return raw, as_object(raw)


def _too_deep(raw: Raw, value: object) -> bool:
    """Whether the nesting is over the limit; a walk only where counting brackets does not tell.

    Counting goes through every byte, so first it is tried whether there is much to walk at all.
    """
    if len(raw) > _LARGE and _is_simple(value):
        return False
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return False
    left = raw.translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        shorter = left.replace(b"[]", b"").replace(b"{}", b"")
        if not shorter:
            return False
        if len(shorter) == len(left):  # brackets inside texts
            break
        left = shorter
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            item
            for each in level
            if isinstance(each, dict | list)
            for item in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def _is_simple(value: object) -> bool:
    """Whether it is seen at once that nothing lies too deep: few things, though they may be large."""
    level, left = [value], _FEW
    for _ in range(MAX_DEPTH):
        found: list[object] = []
        for each in level:
            if isinstance(each, dict | list):
                left -= len(each)
                if left < 0:
                    return False
                found += each.values() if isinstance(each, dict) else each
        if not found:
            return True
        level = found
    return False


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


# Made once: json.dumps and json.loads with options make one for each call.
_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str)


def to_json(value: object) -> bytes:
    """Compact JSON bytes; what JSON cannot say (NaN, lone surrogates) is written as text or '?'."""
    try:
        return _ENCODER.encode(value).encode("utf-8", "replace")
    except ValueError:
        return _ENCODER.encode(_finite(value)).encode("utf-8", "replace")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


class Signer:
    """Checks and signs with the connection's key; an empty key signs nothing, as Jupyter has it."""

    def __init__(self, key: bytes, session: str = "") -> None:
        self.session = session or uuid.uuid4().hex
        self._hmac = hmac.new(key, digestmod=hashlib.sha256) if key else None
        self._seen: dict[bytes, None] = {}
        self._count = 0
        self._prefix = f"{self.session}_k{os.getpid()}_"

    def sign(self, parts: Sequence[Bytes]) -> bytes:
        """The signature of header, parent, metadata and content."""
        if self._hmac is None:
            return b""
        digest = self._hmac.copy()
        if sum(map(len, parts)) < _LARGE:  # nearly always: one call for the four
            digest.update(b"".join(parts))
        else:
            for part in parts:
                digest.update(part)
        return digest.hexdigest().encode()

    def read(self, channel: str, frames: Sequence[bytes]) -> Incoming:
        """A client's frames as a message. Raises BadMessage (bad signature, repeated, no header)."""
        try:
            at = list(frames).index(DELIMITER)
            signature, header, parent, metadata, content = frames[at + 1 : at + 6]
        except ValueError as error:
            raise BadMessage("not the frames of a message") from error
        self._verify(signature, frames[at + 2 : at + 6])
        head = as_object(header)
        kind, msg_id, session = (head.get(key) for key in ("msg_type", "msg_id", "session"))
        if not (isinstance(kind, str) and isinstance(msg_id, str) and 0 < len(msg_id) <= MAX_ID):
            raise BadMessage("a header without type or id")
        if not kind.isidentifier():
            raise BadMessage("a type that is not a word")
        return Incoming(
            channel=channel,
            idents=tuple(frames[:at]),
            type=kind,
            id=msg_id,
            session=session if isinstance(session, str) else "",
            header=header,
            metadata=metadata,
            content=content,
            buffers=tuple(frames[at + 6 :]),
            parent=parent,
        )

    def _verify(self, signature: bytes, parts: Sequence[bytes]) -> None:
        if self._hmac is None:
            return
        if not hmac.compare_digest(signature, self.sign(parts)):
            raise BadMessage("a wrong signature")
        if signature in self._seen:
            raise BadMessage("a message that was sent before")
        self._seen[signature] = None
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]

    @property
    def last_id(self) -> str:
        """The id in the newest fresh header."""
        return f"{self._prefix}{self._count}"

    def header(self, kind: str) -> bytes:
        """A fresh header. `kind` is one of our own words, never text from inside."""
        self._count += 1
        return (
            f'{{"msg_id":"{self._prefix}{self._count}","msg_type":"{kind}","username":"codeact",'
            f'"session":"{self.session}","date":"{_now()}","version":"{PROTOCOL}"}}'
        ).encode()

    def header_of(self, kind: str, msg_id: str, session: str) -> bytes:
        """A header with a given id and session: the one a step's outputs have as their parent."""
        return to_json(
            {
                "msg_id": msg_id,
                "msg_type": kind,
                "username": "codeact",
                "session": session,
                "date": _now(),
                "version": PROTOCOL,
            }
        )

    def frames(
        self,
        address: Sequence[bytes],
        kind: str,
        parent: bytes,
        metadata: Bytes,
        content: Bytes,
        buffers: Sequence[Bytes] = (),
    ) -> Frames:
        """Everything to send: addresses (idents, or the topic), signature, the four parts, buffers."""
        parts: Frames = [self.header(kind), parent, metadata, content]
        return [*address, DELIMITER, self.sign(parts), *parts, *buffers]
