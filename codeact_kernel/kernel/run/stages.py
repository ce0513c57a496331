"""Where a step's outputs are seen: in its own cell, or as rich output of the agent's.

Rule: a stage shows and answers nothing. `StepCell` is for a front end that made a cell for the step
and follows its messages; `AgentOutput` for every other client, to whom all of a run is one cell.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from codeact_kernel.kernel.channels.messages import Incoming, to_json
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.relay.said import Said
from codeact_kernel.kernel.run.recording import BYTES, OUTPUTS
from codeact_kernel.trace.text import printed


class Stage(Protocol):
    """Shows what one step puts out. `reply` gets the content of an execute_reply, once."""

    def publish(self, said: Said) -> None: ...
    def stream(self, name: str, text: str) -> None: ...
    def reply(self, content: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The request a step runs under: its id and header, where its outputs are seen, and the client
    that is asked when its code asks, None for nobody."""

    id: str
    header: bytes
    stage: Stage
    client: Incoming | None


class OwnRequests:
    """Ids and headers for the steps this kernel runs by itself. `header_of(msg_id)` makes a header."""

    def __init__(self, header_of: Callable[[str], bytes]) -> None:
        self._header_of = header_of
        # Nothing in it tells the agent cell's own id to the code inside.
        self._prefix = f"{uuid.uuid4().hex}_s"
        self._count = 0

    def make(self) -> tuple[str, bytes]:
        """The next id, and its header."""
        self._count += 1
        msg_id = f"{self._prefix}{self._count}"
        return msg_id, self._header_of(msg_id)


class StepCell:
    """Under the step's own header: the messages of an ordinary cell. `request` is the client's whose
    header it is, None when this kernel runs the step by itself.
    """

    def __init__(
        self,
        publisher: Publisher,
        header: bytes,
        agent: bytes,
        request: Incoming | None = None,
    ) -> None:
        self._publisher = publisher
        self._header = header
        self._agent = agent
        self._request = request

    def publish(self, said: Said) -> None:
        self._publisher.publish(
            said.type, self._header, said.content, said.metadata, said.buffers, said.value
        )
        if said.type == "status" and said.value["execution_state"] == "idle":
            self._publisher.status("busy", self._agent)  # the run goes on

    def stream(self, name: str, text: str) -> None:
        self._publisher.stream(self._header, name, text)

    def reply(self, content: Mapping[str, Any]) -> None:
        if self._request is not None:
            self._publisher.reply(self._request, content)
        else:
            self._publisher.conclude(self._header, content)


class AgentOutput:
    """Under the agent cell's header, on whatever shows it: a console is a terminal.

    An `error` is shown as text: clients take an error output for the failure of the whole cell. A
    result is shown as a display, because the number in front of it would be wrong here.
    `clear_output` would wipe the steps before this one: instead, the next displays are drawn over
    those that were cleared. Text has no escape sequences: they could rewrite what a person is about
    to approve.
    """

    def __init__(self, publisher: Publisher, agent: bytes) -> None:
        self._publisher = publisher
        self._agent = agent
        self._drawn: list[str] = []
        self._free: list[str] = []
        self._named: list[int] = []

    def publish(self, said: Said) -> None:
        match said.type:
            case "status" | "execute_input":
                return
            case "clear_output":
                self._free, self._drawn = [*self._drawn, *self._free], []
            case "error":
                lines = [str(line) for line in said.value["traceback"]]
                text = "\n".join(lines) or f"{said.value['ename']}: {said.value['evalue']}"
                self.stream("stderr", text.rstrip("\n") + "\n")
            case "display_data" | "execute_result" if self._may_name_itself(said):
                self._named.append(len(said.content))
                self._show("display_data", said, said.value["transient"])
            case "display_data" | "execute_result":
                kind = "update_display_data" if self._free else "display_data"
                name = self._free.pop(0) if self._free else f"codeact-{uuid.uuid4().hex}"
                self._drawn.append(name)
                self._show(kind, said, {"display_id": name})
            case "update_display_data":
                self._show(said.type, said, said.value["transient"])
            case kind:
                self._publisher.publish(
                    kind, self._agent, said.content, said.metadata, said.buffers
                )

    def stream(self, name: str, text: str) -> None:
        self._publisher.stream(self._agent, name, printed(text))

    def reply(self, content: Mapping[str, Any]) -> None:
        """The agent cell is answered when its run is over."""

    def _may_name_itself(self, said: Said) -> bool:
        """A display with an id of its own, which is never drawn over, so there is an end to them."""
        transient = said.value.get("transient")
        if not isinstance(transient, dict) or "display_id" not in transient:
            return False
        return len(self._named) < OUTPUTS and sum(self._named) + len(said.content) <= BYTES

    def _show(self, kind: str, said: Said, transient: Mapping[str, Any]) -> None:
        data = dict(said.value["data"])
        for mime in _TEXTS & data.keys():
            data[mime] = printed(str(data[mime]))
        metadata = said.value.get("metadata", {})
        content = {"data": data, "metadata": metadata, "transient": transient}
        self._publisher.publish(kind, self._agent, to_json(content), said.metadata, said.buffers)


_TEXTS = {"text/plain", "text/markdown", "text/latex"}
"""What a console may print as it is."""
