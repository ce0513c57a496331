"""A run for a front end that has cells and may show widgets: VS Code, or JupyterLab without our extension.

Rule: widgets animate and ask; all that is to be kept is said in text as everywhere else. Whether they
are shown is known only when a front end has made them; until then, and if it never does, the run is
text, and questions are asked in text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codeact_kernel.kernel.channels.messages import BadMessage, Incoming
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.inline import ending, text
from codeact_kernel.kernel.inline.form import Answer
from codeact_kernel.kernel.inline.header import Header
from codeact_kernel.kernel.inline.step_card import StepCard
from codeact_kernel.kernel.inline.widgets import Widgets
from codeact_kernel.kernel.run.approvals import Ask, with_hidden
from codeact_kernel.kernel.run.stages import OwnRequests, Place
from codeact_kernel.kernel.run.views import say
from codeact_kernel.trace.edits import Edit
from codeact_kernel.trace.events import (
    CodeProposed,
    CodeStarted,
    Event,
    Noticed,
    Observed,
    ReplyGrew,
    RunFinished,
)
from codeact_kernel.trace.values import Approve, Decision, Run, Status

_CHANGED = "(Changed by you before it ran.)"


class WidgetView:
    """Draws below the cell whose request has the header `agent`. `stop` stops the run, `run_of(id)`
    is a run as far as it has come."""

    def __init__(
        self,
        publisher: Publisher,
        agent: bytes,
        widgets: Widgets,
        requests: OwnRequests,
        client: Incoming | None,
        stop: Callable[[], object],
        run_of: Callable[[str], Run],
    ) -> None:
        self._publisher = publisher
        self._agent = agent
        self._requests = requests
        self._client = client
        self._stop = stop
        self._run_of = run_of
        self._header = Header(publisher, agent, widgets.group(agent), stop)
        self._card = StepCard(publisher, agent, lambda: widgets.group(agent))
        self._proposed: CodeProposed | None = None
        """Of the step that goes on, once it has code."""
        self._said: tuple[int, str] | None = None

    def event(self, event: Event, edits: Sequence[Edit]) -> None:
        self._header.event(event)
        match event:
            case ReplyGrew() | CodeProposed():
                self._proposed = event if isinstance(event, CodeProposed) else None
                if self._header.answered.is_set():
                    self._card.write(event.number, event.thought, event.code)
            case CodeStarted():
                self._say_step(event.number, event.code)
            case Observed() if event.observation.status is Status.NOT_RUN:
                self._say_proposed()
                text.refuse(self._publisher, self._agent, event)
            case Noticed():
                say(self._publisher, self._agent, event.sentence)
            case RunFinished():
                self._say_proposed()
                self._card.leave()
                ending.say_end(self._publisher, self._agent, self._run_of(event.run))
            case _:
                pass

    async def place(self, cell: str, code: str) -> Place:
        return text.place(self._publisher, self._agent, self._requests, self._client)

    def propose(self, number: int, code: str, concerns: Sequence[str]) -> None:
        self._say_step(number, code)

    async def shows_widgets(self) -> bool:
        """Whether a person can be asked in a form."""
        return await self._header.until_answered()

    async def ask(self, number: int, code: str, concerns: Sequence[str]) -> Answer:
        """Ask in a form, and wait."""
        thought = self._proposed.thought if self._proposed is not None else ""
        form = self._card.ask(number, thought, code, concerns, self._stop)
        self._header.waits = True
        try:
            return await form.wait()
        finally:
            self._header.waits = False

    def _say_proposed(self) -> None:
        if self._proposed is not None:
            self._say_step(self._proposed.number, self._proposed.code)

    def _say_step(self, number: int, code: str) -> None:
        proposed, self._proposed = self._proposed, None
        if self._said == (number, code):
            return
        self._said = (number, code)
        thought = proposed.thought if proposed is not None else ""
        if proposed is not None and code != proposed.code:
            thought = f"{thought}\n\n{_CHANGED}".strip()
        self._card.settle(text.step(number, thought, code))


class ByForm:
    """Asks in a form; where no widgets are shown, as `otherwise` does."""

    def __init__(self, view: WidgetView, otherwise: Ask) -> None:
        self._view = view
        self._otherwise = otherwise
        self._rest = False

    async def decide(self, number: int, cell: str, code: str, concerns: Sequence[str]) -> Decision:
        if self._rest:
            return Approve(code=code)
        if not await self._view.shows_widgets():
            return await self._otherwise.decide(number, cell, code, concerns)
        answer = await self._view.ask(number, code, with_hidden(code, concerns))
        self._rest = answer.rest
        return answer.decision


def has_cells(message: Incoming) -> bool:
    """Whether this client names the cell that it executes, as notebooks do and programs do not."""
    try:
        return isinstance(message.read_metadata().get("cellId"), str)
    except BadMessage:
        return False
