"""How a run is seen, and how this kernel says a sentence of its own.

Rule: a view draws events and opens the stages on which steps appear; it decides nothing. Text of
the model is shown as Markdown that loads nothing from anywhere, and to a terminal as text that
moves no cursor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from codeact_kernel.kernel.channels.messages import Incoming
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.panel.panel import Comm, Panel
from codeact_kernel.kernel.run.stages import OwnRequests, Place, StepCell
from codeact_kernel.kernel.run.status_line import StatusLine
from codeact_kernel.trace.edits import Edit, FollowOutputs
from codeact_kernel.trace.events import Event, Noticed, RunFinished
from codeact_kernel.trace.markdown import harmless_markdown
from codeact_kernel.trace.text import plain
from codeact_kernel.trace.values import Outcome

_NONE: Mapping[str, Any] = MappingProxyType({})


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


def display(
    publisher: Publisher,
    header: bytes,
    text: str,
    markdown: str,
    metadata: Mapping[str, Any] = _NONE,
) -> None:
    """Text for a console, Markdown for a notebook, which keeps the metadata and shows nothing of it."""
    data = {"text/plain": plain(text), "text/markdown": markdown}
    content = {"data": data, "metadata": dict(metadata), "transient": {}}
    publisher.say("display_data", header, content)


def fenced(text: str) -> str:
    """Text as a Markdown block in which nothing is Markdown."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def say(publisher: Publisher, header: bytes, sentence: str) -> None:
    """A sentence of this kernel's own, as a result."""
    display(publisher, header, sentence, harmless_markdown(f"> {sentence}"))
