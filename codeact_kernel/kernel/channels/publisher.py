"""The kernel's voice: everything that leaves on iopub, and every reply.

Rule: `publish` is the only way out to a front end's display. Whatever has to be cleaned or kept
back is cleaned or kept back there. What is said under the header of a feed is recorded there, and
said again to everyone who watches that cell.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codeact_kernel.kernel.channels.connection import Connection
from codeact_kernel.kernel.channels.messages import EMPTY, Bytes, Incoming, to_json
from codeact_kernel.kernel.channels.streams import Coalescer

if TYPE_CHECKING:
    from codeact_kernel.kernel.run.feeds import Feed

_STATES = {
    state: to_json({"execution_state": state})
    for state in ("starting", "busy", "idle", "restarting")
}
_ABORTED = to_json({"status": "aborted"})
_MAX_FEEDS = 2000
"""Cells that can be looked at later; the oldest are forgotten."""


class Publisher:
    """Sends on one connection; owns the text that is being gathered, and the feeds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._streams = Coalescer(self._send_stream)
        self._feeds: OrderedDict[bytes, Feed] = OrderedDict()

    def keep(self, header: bytes) -> Feed:
        """From now on keep what is said under this header, for those who come later."""
        from codeact_kernel.kernel.run.feeds import (
            Feed,  # most kernels have no agent's cell to keep
        )

        feed = self._feeds[header] = Feed(header)
        if len(self._feeds) > _MAX_FEEDS:
            self._feeds.popitem(last=False)
        return feed

    def forget(self, feed: Feed) -> None:
        """Nobody will look at it any more: what is still said under its header is not kept."""
        self._feeds.pop(feed.header, None)

    def attach(self, feed: Feed, front: Incoming) -> None:
        """Show this client all that was shown so far, and what is still to come."""
        self._streams.flush()
        self.status("busy", front.header)
        for kind, content in feed.replay():
            self._send(kind, front.header, content)
        if feed.reply is not None:
            self._answer(front, feed.reply)
            self.status("idle", front.header)
        elif (gone := feed.add(front)) is not None:
            self._answer(gone, _ABORTED)
            self.status("idle", gone.header)

    def publish(
        self,
        kind: str,
        parent: bytes,
        content: Bytes,
        metadata: Bytes = EMPTY,
        buffers: Sequence[Bytes] = (),
        value: Mapping[str, Any] | None = None,
    ) -> None:
        """One iopub message behind everything said so far. `parent` is a header, EMPTY for none.

        `value` is the content once more, where it is at hand as an object.
        """
        self._streams.flush()
        self._send(kind, parent, content, metadata, buffers)
        feed = self._feeds.get(parent)
        if feed is not None:
            feed.take(kind, content, value)
            if not kind.startswith("comm_"):
                for front in feed.fronts:
                    self._send(kind, front.header, content, metadata, buffers)

    def _send(
        self,
        kind: str,
        parent: bytes,
        content: Bytes,
        metadata: Bytes = EMPTY,
        buffers: Sequence[Bytes] = (),
    ) -> None:
        self._connection.send("iopub", (kind.encode(),), kind, parent, metadata, content, buffers)

    def say(
        self,
        kind: str,
        parent: bytes,
        content: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """As `publish`, for what this kernel itself says."""
        self.publish(
            kind,
            parent,
            to_json(content),
            to_json(metadata) if metadata else EMPTY,
            value=content,
        )

    def status(self, state: str, parent: bytes = EMPTY) -> None:
        """starting, busy, idle or restarting."""
        self.publish("status", parent, _STATES[state])

    def stream(self, parent: bytes, name: str, text: str) -> None:
        """Text for stdout or stderr, gathered with its neighbours."""
        self._streams.add(parent, name, text)

    def _send_stream(self, parent: bytes, name: str, text: str) -> None:
        content = to_json({"name": name, "text": text})
        self._send("stream", parent, content)
        feed = self._feeds.get(parent)
        if feed is not None:
            feed.stream(name, text)
            for front in feed.fronts:
                self._send("stream", front.header, content)

    def reply(
        self,
        request: Incoming,
        content: Bytes | Mapping[str, Any],
        metadata: Bytes = EMPTY,
        buffers: Sequence[Bytes] = (),
    ) -> None:
        """Answer a client's request, behind everything published so far."""
        self._streams.flush()
        body = to_json(content) if isinstance(content, Mapping) else content
        self._answer(request, body, metadata, buffers)
        self._conclude(request.header, body)

    def conclude(self, header: bytes, content: Mapping[str, Any]) -> None:
        """Answer those who watch the cell of a request that no client sent."""
        self._streams.flush()
        self._conclude(header, to_json(content))

    def _conclude(self, header: bytes, body: Bytes) -> None:
        feed = self._feeds.get(header)
        if feed is not None and feed.reply is None:
            feed.reply = body
            for front in feed.fronts:
                self._answer(front, body)

    def _answer(
        self,
        request: Incoming,
        body: Bytes,
        metadata: Bytes = EMPTY,
        buffers: Sequence[Bytes] = (),
    ) -> None:
        self._connection.send(
            request.channel,
            request.idents,
            reply_type(request.type),
            request.header,
            metadata,
            body,
            buffers,
        )

    def ask(self, request: Incoming, prompt: str, password: bool) -> str:
        """Ask the client whose request this is for a line of input, and nobody else.

        The question's message id.
        """
        self._streams.flush()
        content = to_json({"prompt": prompt, "password": password})
        self._connection.send(
            "stdin", request.idents, "input_request", request.header, EMPTY, content
        )
        return self._connection.signer.last_id


def reply_type(request_type: str) -> str:
    """execute_request -> execute_reply."""
    return request_type.removesuffix("_request") + "_reply"
