"""ipykernel's Session, writing frames to the link instead of ZMQ messages.

Rule: a message is named by the id of its request and nothing more; headers are made outside.
In a fork made by a cell nothing is sent: a display becomes its text, written to the descriptor.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Mapping
from typing import Any

from ipykernel.jsonutil import json_clean
from jupyter_client.jsonutil import json_default
from jupyter_client.session import Session, extract_header
from traitlets import Any as Any_
from traitlets import Instance, default

from codeact_kernel.wire import Part
from codeact_kernel.worker.link import Link
from codeact_kernel.worker.signals import undisturbed


class Channel:
    """What ipykernel takes for a ZMQ stream: a name and a place for the receiver."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.io_loop: Any = None

    def on_recv(self, callback: Any, copy: bool = True) -> None:
        """Messages come from the link; the kernel gives them to its own methods."""

    def flush(self, *args: Any) -> None:
        """Frames are never held back."""

    def __repr__(self) -> str:
        return f"<Channel {self.name}>"


_LARGE, _PART = 1024 * 1024, 64 * 1024
_CONTROLS = bytes(0 if code < 32 else 1 for code in range(256))
# Made once: json.dumps with options makes one for each call.
_ENCODER = json.JSONEncoder(default=json_default, ensure_ascii=False, allow_nan=False)


def dump(value: object) -> bytes:
    """JSON as bytes; what JSON cannot say (NaN) or no file can hold (lone surrogates) is written out."""
    try:
        return _ENCODER.encode(value).encode()
    except ValueError:
        return json.dumps(_clean(json_clean(value)), default=json_default).encode()


def dump_content(content: Mapping[str, Any]) -> Part:
    """As `dump`, for a content that may hold a large display: its texts are never put together with
    the rest, which would copy them twice more."""
    data = content.get("data")
    if not isinstance(data, dict) or not any(map(_is_large, data.values())):
        return dump(content)
    pieces: list[bytes] = []
    for name, value in content.items():
        pieces += (b", " if pieces else b"{", dump(str(name)), b": ")
        if value is data:
            for mime, shown in data.items():
                pieces += (b"{" if pieces[-1] == b": " else b", ", dump(str(mime)), b": ")
                pieces += _dump_text(shown) if _is_large(shown) else (dump(shown),)
            pieces.append(b"}")
        else:
            pieces.append(dump(value))
    return (*pieces, b"}")


def _is_large(value: object) -> bool:
    return type(value) is str and len(value) > _LARGE


def _dump_text(text: str) -> tuple[bytes, ...]:
    """In pieces, and as it is where it is seen quickly that it needs no escapes: Base64."""
    if text.isascii() and not any(mark in text for mark in '"\\\n') and not _has_controls(text):
        return b'"', text.encode(), b'"'
    return (dump(text),)


def _has_controls(text: str) -> bool:
    """Whether there is a character that JSON escapes; looked for in parts, which stay in the cache."""
    parts = (text[at : at + _PART].encode() for at in range(0, len(text), _PART))
    return any(b"\0" in part.translate(_CONTROLS) for part in parts)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, float):
        return value if value - value == 0 else repr(value)
    if isinstance(value, dict):
        return {_clean(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value


def parent_id(parent: Any) -> str:
    """The id of a request given as a message or as its header; "" when there is none."""
    header = extract_header(parent) if parent else {}
    return str(header.get("msg_id", "")) if header else ""


class WireSession(Session):
    """Everything ipykernel says goes through `send`."""

    link = Instance(Link)
    answered = Any_()
    """Ids of the requests that have their reply, the newest last."""

    @default("answered")
    def _no_answers(self) -> deque[str]:
        return deque(maxlen=64)

    def was_answered(self, msg_id: str) -> bool:
        """Whether a reply to this request has been sent."""
        return msg_id in self.answered

    def send(
        self,
        stream: Any,
        msg_or_type: Any,
        content: Any = None,
        parent: Any = None,
        ident: Any = None,
        buffers: Any = None,
        track: bool = False,
        header: Any = None,
        metadata: Any = None,
    ) -> dict[str, Any]:
        """Send a message; returns it. A Channel is answered, anything else is published."""
        if isinstance(msg_or_type, dict):
            msg = msg_or_type
            buffers = buffers or msg.get("buffers", [])
        else:
            msg = {  # what `Session.msg` gives, but for the header that is made outside
                "header": {"msg_type": msg_or_type} if header is None else header,
                "msg_type": msg_or_type,
                "parent_header": extract_header(parent) if parent is not None else {},
                "content": {} if content is None else content,
                "metadata": {**self.metadata, **(metadata or {})},
            }
        kind = str(msg["header"]["msg_type"])
        if not self.link.mine:
            _say_in_fork(kind, msg["content"])
            return msg
        if kind == "stream":
            self._send_stream(msg)
            return msg
        head = {"type": kind, "parent": parent_id(msg.get("parent_header"))}
        parts: list[Part] = [dump(msg["metadata"]), dump_content(msg["content"])]
        parts.extend(_raw(buffer) for buffer in buffers or ())
        if isinstance(stream, Channel):
            undisturbed(lambda: self._reply(head, parts))
        else:
            self.link.send({"t": "publish", **head}, parts)
        return msg

    def _reply(self, head: dict[str, Any], parts: list[Part]) -> None:
        """Undisturbed: a reply that went out is known to have gone out, and only then."""
        self.link.send({"t": "reply", **head}, parts)
        self.answered.append(head["parent"])

    def _send_stream(self, msg: dict[str, Any]) -> None:
        content = msg["content"]
        name = "stderr" if content.get("name") == "stderr" else "stdout"
        text = str(content.get("text", "")).encode(errors="backslashreplace")
        self.link.send(
            {"t": "stream", "name": name, "parent": parent_id(msg.get("parent_header"))}, [text]
        )

    def feed_identities(self, msg_list: Any, copy: bool = True) -> tuple[list[bytes], Any]:
        """Who asked, as a client's socket names itself: by its session. For those who look."""
        session = msg_list[0]
        return [session.encode()] if isinstance(session, str) else [], msg_list

    def deserialize(self, msg_list: Any, content: bool = True, copy: bool = True) -> Any:
        """The message inside the pair that the intake made."""
        return msg_list[1]


def _raw(buffer: Any) -> memoryview:
    view = memoryview(buffer)
    if not view.contiguous:
        raise ValueError("a buffer that is sent has to be contiguous")
    return view.cast("B") if view.nbytes else memoryview(b"")


def _say_in_fork(kind: str, content: dict[str, Any]) -> None:
    if kind in ("display_data", "execute_result"):
        text = str(content.get("data", {}).get("text/plain", ""))
        os.write(1, text.encode(errors="backslashreplace") + b"\n")
    elif kind == "error":
        lines = "\n".join(str(line) for line in content.get("traceback", ()))
        os.write(2, lines.encode(errors="backslashreplace") + b"\n")
