"""A run as text, Markdown and plain outputs: what every client can show, and what a notebook keeps.

Rule: each step is said once, when its code is known, and nothing here is taken back later: a console
cannot redraw. Code shows what would otherwise hide a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from codeact_kernel.kernel.channels.messages import Incoming
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.inline import ending
from codeact_kernel.kernel.run.stages import AgentOutput, OwnRequests, Place
from codeact_kernel.kernel.run.status_line import StatusLine
from codeact_kernel.kernel.run.views import display, say
from codeact_kernel.trace.edits import Edit
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
from codeact_kernel.trace.values import Run, Status

Shown = tuple[str, str]
"""The same as text for a console and as Markdown for a notebook."""


class TextView:
    """For a client that is only known to show outputs: all of the run in those of the agent cell.

    `run_of(id)` is a run as far as it has come.
    """

    def __init__(
        self,
        publisher: Publisher,
        agent: bytes,
        requests: OwnRequests,
        client: Incoming | None,
        run_of: Callable[[str], Run],
    ) -> None:
        self._publisher = publisher
        self._agent = agent
        self._requests = requests
        self._client = client
        self._run_of = run_of
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
                refuse(self._publisher, self._agent, event)
            case Noticed():
                say(self._publisher, self._agent, event.sentence)
            case RunFinished():
                ending.say_end(self._publisher, self._agent, self._run_of(event.run))
            case _:
                pass

    async def place(self, cell: str, code: str) -> Place:
        return place(self._publisher, self._agent, self._requests, self._client)

    def propose(self, number: int, code: str, concerns: Sequence[str]) -> None:
        self._code(number, code)

    def _code(self, number: int, code: str) -> None:
        if self._shown == (number, code):
            return
        self._shown = (number, code)
        thought, self._thought = self._thought, ""
        for shown in step(number, thought, code):
            display(self._publisher, self._agent, *shown)


def step(number: int, thought: str, code: str) -> Sequence[Shown]:
    """A step's thought and code, in one piece or two."""
    code = visible(code)
    head, title = f"**Step {number}**", f"Step {number}"
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    block = f"{fence}python\n{code}\n{fence}"
    indented = "\n".join(f"    {line}" for line in code.split("\n"))
    if not thought.strip():
        return [(f"{title}\n\n{indented}", f"{head}\n\n{block}")]
    prose = harmless_markdown(f"{head} · {thought}")
    if "```" in thought or "~~~" in thought:  # a block left open would take the code's fence
        return [(f"{title}\n{thought}", prose), (f"{title}\n\n{indented}", f"{head}\n\n{block}")]
    return [(f"{title}\n{thought}\n\n{indented}", f"{prose}\n\n{block}")]


def refuse(publisher: Publisher, agent: bytes, event: Observed) -> None:
    """Say why code was not run."""
    for output in event.observation.outputs:
        text = output.get("text")
        if isinstance(text, str):
            publisher.stream(agent, "stderr", plain(text))


def place(
    publisher: Publisher, agent: bytes, requests: OwnRequests, client: Incoming | None
) -> Place:
    """Where a step runs whose outputs are outputs of the agent cell."""
    msg_id, header = requests.make()
    return Place(id=msg_id, header=header, stage=AgentOutput(publisher, agent), client=client)
