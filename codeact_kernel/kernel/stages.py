"""Where a step's outputs are seen: in its own cell, or as rich output of the agent's.

Rule: a stage shows and answers nothing. `StepCell` is for a front end that made a cell for the step
and follows its messages; `AgentOutput` for every other client, to whom all of a run is one cell.
"""

from __future__ import annotations

from typing import Protocol

from codeact_kernel.kernel.messages import EMPTY, to_json
from codeact_kernel.kernel.publisher import Publisher
from codeact_kernel.kernel.requests import Said


class Stage(Protocol):
    """Shows what one step puts out."""

    def publish(self, said: Said) -> None: ...
    def stream(self, name: str, text: str) -> None: ...


class StepCell:
    """Under the step's own header: the messages of an ordinary cell."""

    def __init__(self, publisher: Publisher, header: bytes, agent: bytes) -> None:
        self._publisher = publisher
        self._header = header
        self._agent = agent

    def publish(self, said: Said) -> None:
        self._publisher.publish(said.type, self._header, said.content, said.metadata, said.buffers)
        if said.type == "status" and said.value["execution_state"] == "idle":
            self._publisher.status("busy", self._agent)  # the run goes on

    def stream(self, name: str, text: str) -> None:
        self._publisher.stream(self._header, name, text)


class AgentOutput:
    """Under the agent cell's header.

    An `error` is shown as text: clients take an error output for the failure of the whole cell. A
    result is shown as a display, because the number in front of it would be wrong here.
    `clear_output` would wipe the steps before this one, and is not passed on.
    """

    def __init__(self, publisher: Publisher, agent: bytes) -> None:
        self._publisher = publisher
        self._agent = agent

    def publish(self, said: Said) -> None:
        match said.type:
            case "status" | "execute_input" | "clear_output":
                return
            case "error":
                lines = [str(line) for line in said.value["traceback"]]
                text = "\n".join(lines) or f"{said.value['ename']}: {said.value['evalue']}"
                self.stream("stderr", text.rstrip("\n") + "\n")
            case "execute_result":
                metadata = said.value.get("metadata", {})
                content = {"data": said.value["data"], "metadata": metadata}
                self._publisher.publish("display_data", self._agent, to_json(content), EMPTY)
            case kind:
                self._publisher.publish(
                    kind, self._agent, said.content, said.metadata, said.buffers
                )

    def stream(self, name: str, text: str) -> None:
        self._publisher.stream(self._agent, name, text)
