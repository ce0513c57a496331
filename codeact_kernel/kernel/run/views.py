"""How a run is seen: as cells of their own, or as rich output of the agent cell.

Rule: a view draws events and opens the stages on which steps appear; it decides nothing. Text of
the model is shown as Markdown that loads nothing from anywhere, and to a terminal as text that
moves no cursor; code shows what would otherwise hide a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from codeact_kernel.kernel.channels.messages import Incoming
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.panel.panel import Comm, Panel
from codeact_kernel.kernel.run.stages import AgentOutput, OwnRequests, Place, StepCell
from codeact_kernel.kernel.run.status_line import StatusLine
from codeact_kernel.trace.edits import Edit, FollowOutputs
from codeact_kernel.trace.events import (
    CodeProposed,
    CodeStarted,
    Event,
    Noticed,
    Observed,
    RunFinished,
)
from codeact_kernel.trace.markdown import harmless_markdown
from codeact_kernel.trace.text import plain, visible
from codeact_kernel.trace.values import Outcome, Status


class View(Protocol):
    """What a client sees of a run."""

    def event(self, event: Event, edits: Sequence[Edit]) -> None:
        """Something happened; `edits` bring a notebook up to it."""
        ...

    async def place(self, cell: str, code: str) -> Place:
        """Under which request the step that is about to run runs, and where it is seen."""
        ...

    def propose(self, number: int, code: str, concerns: Sequence[str]) -> None:
        """This code is about to be asked about."""
        ...


class Summary:
    """The output of an agent cell whose steps have cells of their own."""

    def __init__(self, publisher: Publisher, agent: bytes) -> None:
        self._publisher = publisher
        self._agent = agent
        self._line = StatusLine(publisher, agent)

    def event(self, event: Event) -> None:
        """Say what this event changes, and what only a sentence can say."""
        self._line.event(event)
        match event:
            case Noticed():
                say(self._publisher, self._agent, event.sentence)
            case RunFinished() if event.outcome is not Outcome.ANSWER:
                say(self._publisher, self._agent, event.reason)
            case _:
                pass


class CellsView:
    """For a front end that makes the cells it is told to."""

    def __init__(
        self,
        publisher: Publisher,
        panel: Panel,
        comm: Comm,
        agent: bytes,
        requests: OwnRequests,
        client: Incoming | None,
    ) -> None:
        self._publisher = publisher
        self._panel = panel
        self._comm = comm
        self._agent = agent
        self._requests = requests
        self._client = client
        self._summary = Summary(publisher, agent)

    def event(self, event: Event, edits: Sequence[Edit]) -> None:
        for edit in edits:
            self._panel.edit(self._comm, edit)
        self._summary.event(event)

    async def place(self, cell: str, code: str) -> Place:
        msg_id, header = self._requests.make()
        self._panel.edit(self._comm, FollowOutputs(cell=cell, msg_id=msg_id))
        stage = StepCell(self._publisher, header, self._agent)
        return Place(id=msg_id, header=header, stage=stage, client=self._client)

    def propose(self, number: int, code: str, concerns: Sequence[str]) -> None:
        """The cell is there already."""


class InlineView:
    """For every other client: all of it in the output of the agent cell."""

    def __init__(
        self,
        publisher: Publisher,
        agent: bytes,
        requests: OwnRequests,
        client: Incoming | None,
    ) -> None:
        self._publisher = publisher
        self._agent = agent
        self._requests = requests
        self._client = client
        self._line = StatusLine(publisher, agent)
        self._thought = ""
        self._shown: tuple[int, str] | None = None

    def event(self, event: Event, edits: Sequence[Edit]) -> None:
        self._line.event(event)
        match event:
            case CodeProposed():
                self._thought = event.thought
            case CodeStarted():
                self._code(event.number, event.code)
            case Observed() if event.observation.status is Status.NOT_RUN:
                self._not_run(event)
            case Noticed():
                say(self._publisher, self._agent, event.sentence)
            case RunFinished():
                self._end(event)
            case _:
                pass

    async def place(self, cell: str, code: str) -> Place:
        msg_id, header = self._requests.make()
        stage = AgentOutput(self._publisher, self._agent)
        return Place(id=msg_id, header=header, stage=stage, client=self._client)

    def propose(self, number: int, code: str, concerns: Sequence[str]) -> None:
        self._code(number, code)

    def _code(self, number: int, code: str) -> None:
        if self._shown == (number, code):
            return
        self._shown = (number, code)
        code = visible(code)
        thought, self._thought = self._thought, ""
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", code)), default=0))
        head = f"**Step {number}**"
        prose = harmless_markdown(f"{head} · {thought}") if thought.strip() else head
        if "```" in thought or "~~~" in thought:  # a block left open would take the code's fence
            display(self._publisher, self._agent, f"Step {number}\n{thought}", prose)
            thought, prose = "", head
        indented = "\n".join(f"    {line}" for line in code.split("\n"))
        text = (
            f"Step {number}\n{thought}\n\n{indented}" if thought else f"Step {number}\n\n{indented}"
        )
        display(self._publisher, self._agent, text, f"{prose}\n\n{fence}python\n{code}\n{fence}")

    def _not_run(self, event: Observed) -> None:
        for output in event.observation.outputs:
            text = output.get("text")
            if isinstance(text, str):
                self._publisher.stream(self._agent, "stderr", plain(text))

    def _end(self, event: RunFinished) -> None:
        if event.outcome is Outcome.ANSWER:
            answer = event.answer or "(empty answer)"
            markdown = f"**Answer**\n\n{harmless_markdown(answer)}"
            display(self._publisher, self._agent, f"Answer\n\n{answer}", markdown)
        else:
            say(self._publisher, self._agent, event.reason)


def display(publisher: Publisher, header: bytes, text: str, markdown: str) -> None:
    """Text for a console, Markdown for a notebook."""
    data = {"text/plain": plain(text), "text/markdown": markdown}
    publisher.say("display_data", header, {"data": data, "metadata": {}, "transient": {}})


def fenced(text: str) -> str:
    """Text as a Markdown block in which nothing is Markdown."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def say(publisher: Publisher, header: bytes, sentence: str) -> None:
    """A sentence of this kernel's own, as a result."""
    display(publisher, header, sentence, harmless_markdown(f"> {sentence}"))
