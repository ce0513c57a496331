"""The kernel's voice: everything that leaves on iopub, and every reply.

Rule: `publish` is the only way out to a front end's display. Whatever has to be cleaned or kept
back is cleaned or kept back there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from codeact_kernel.kernel.connection import Connection
from codeact_kernel.kernel.messages import EMPTY, Bytes, Incoming, to_json
from codeact_kernel.kernel.streams import Coalescer

_STATES = {
    state: to_json({"execution_state": state})
    for state in ("starting", "busy", "idle", "restarting")
}


class Publisher:
    """Sends on one connection; owns the text that is being gathered."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._streams = Coalescer(self._send_stream)

    def publish(
        self,
        kind: str,
        parent: bytes,
        content: Bytes,
        metadata: Bytes = EMPTY,
        buffers: Sequence[Bytes] = (),
    ) -> None:
        """One iopub message behind everything said so far. `parent` is a header, EMPTY for none."""
        self._streams.flush()
        self._connection.send("iopub", (kind.encode(),), kind, parent, metadata, content, buffers)

    def say(
        self,
        kind: str,
        parent: bytes,
        content: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """As `publish`, for what this kernel itself says."""
        self.publish(kind, parent, to_json(content), to_json(metadata) if metadata else EMPTY)

    def status(self, state: str, parent: bytes = EMPTY) -> None:
        """starting, busy, idle or restarting."""
        self.publish("status", parent, _STATES[state])

    def stream(self, parent: bytes, name: str, text: str) -> None:
        """Text for stdout or stderr, gathered with its neighbours."""
        self._streams.add(parent, name, text)

    def _send_stream(self, parent: bytes, name: str, text: str) -> None:
        content = to_json({"name": name, "text": text})
        self._connection.send("iopub", (b"stream",), "stream", parent, EMPTY, content)

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
