"""The outer's side of the wire on a bench: bytes in, what a client would get out, all of it checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from codeact_kernel.kernel.channels.messages import Incoming, to_json
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.debugging import dap
from codeact_kernel.kernel.display.firewall import Firewall
from codeact_kernel.kernel.relay.in_order import InOrder
from codeact_kernel.kernel.relay.inward import Inward
from codeact_kernel.kernel.relay.requests import FrontRequest, Request, Requests
from codeact_kernel.kernel.run.stages import AgentOutput
from codeact_kernel.kernel.run.steps import StepRequest
from codeact_kernel.wire import BadFrame, Decoder, Frame

PUBLISHED = {
    "stream", "status", "execute_input", "execute_result", "display_data", "update_display_data",
    "clear_output", "error", "comm_open", "comm_msg", "comm_close",
}  # fmt: skip
CELL, STEP = "the-cell", "the-step"
HEADERS = {name: to_json({"msg_id": name, "session": "s"}) for name in (CELL, STEP)}


class Connection:
    """Stands in for kernel.channels.connection.Connection: keeps what is sent, and looks at it."""

    def __init__(self) -> None:
        self.replies = 0

    def send(
        self,
        channel: str,
        address: Sequence[bytes],
        kind: str,
        parent: bytes,
        metadata: bytes,
        content: bytes,
        buffers: Sequence[bytes] = (),
    ) -> None:
        """Every message is strict JSON, of a kind that may be, under one of our own headers."""
        assert parent in (b"{}", *HEADERS.values())
        for part in (metadata, content):
            assert isinstance(strict(bytes(part)), dict)
        if channel == "iopub":
            assert kind in PUBLISHED
            assert address == (kind.encode(),)
        else:
            assert (channel, kind, address) == ("shell", "execute_reply", (b"ident",))
            self.replies += 1
            assert self.replies == 1


class AtOnce(InOrder):
    """Without a loop nothing is done beside it."""

    def work(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        then(work())


class Bench:
    """One pending cell of a client, one pending step of an agent; `feed` is the sandbox."""

    def __init__(self) -> None:
        self.connection = Connection()
        publisher = Publisher(self.connection)  # type: ignore[arg-type]
        # A timer needs a loop; everything is sent at once here.
        publisher._streams.add = publisher._send_stream  # type: ignore[method-assign]
        self.requests = Requests()
        message = Incoming(
            "shell", (b"ident",), "execute_request", CELL, "s", HEADERS[CELL], b"{}", b"{}"
        )
        self.step = StepRequest(STEP, HEADERS[STEP], 1.0, AgentOutput(publisher, HEADERS[STEP]))
        for request in (FrontRequest(message, publisher, False), self.step):
            self.requests.add(request)
        self.sent: list[dict[str, Any]] = []
        self.dap: list[dap.Response | dap.Event] = []
        self.inward = Inward(
            self.requests,
            publisher,
            self,
            lambda comm: comm == "ours",
            lambda content: b"ours" in bytes(content),
            lambda head, parts=(): self.sent.append(head),
            Firewall(),
            lambda frame: self.dap.append(dap.read(frame.parts[0])),
            AtOnce(lambda on: None),
        )
        self._decoder = Decoder(max_frame=1 << 20)

    def began(self, request: Request) -> None:
        """A request's code runs."""

    def ended(self, request: Request) -> None:
        """A request is over."""
        assert request.answered

    def asked(self, request: Request, prompt: str, password: bool) -> None:
        """Nobody here may be asked."""
        raise AssertionError("nobody allowed a question")

    def feed(self, data: bytes) -> None:
        """Bytes from inside."""
        try:
            frames = list(self._decoder.feed(data))
        except BadFrame:
            return
        for frame in frames:
            self.take(frame)

    def take(self, frame: Frame) -> None:
        """A frame from inside; afterwards what is kept of the step still makes sense."""
        self.inward.on_frame(frame)
        execution = self.step.execution
        assert execution.answer is None or isinstance(execution.answer, str)
        json.dumps([dict(output) for output in execution.outputs])
        assert all(head["t"] == "result" for head in self.sent)


def strict(raw: bytes) -> object:
    """JSON as a browser reads it."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(raw.decode(), parse_constant=refuse)
