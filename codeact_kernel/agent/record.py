"""The step that goes on: what is known of it, and telling it.

Rule: the only owner of the open step. A step that got a reply is always told whole, however it
ends; one that got none never happened, and its number is used again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from codeact_kernel.agent.context import Conversation
from codeact_kernel.agent.observe import stub
from codeact_kernel.trace.cells import step_cell_id
from codeact_kernel.trace.events import Emit, Noticed, Observed, StepFinished, StepStarted, Waited
from codeact_kernel.trace.values import Observation, Status, Step


@dataclass(slots=True, kw_only=True)
class Record:
    """One request's steps, one after the other. `open` is None between steps."""

    run: str
    emit: Emit
    conversation: Conversation
    open: Step | None = None
    running: bool = False
    """Whether the code of the open step runs now."""
    happened: Observation | None = None
    """What is known of code that ran, before all of it is: nobody has been told yet."""
    recorded: Observation | None = None
    """In a replay: what was observed then."""

    @property
    def step(self) -> Step:
        """The open step; there is one between `begin` and `close`."""
        if self.open is None:
            raise AssertionError("no step is open")
        return self.open

    @property
    def number(self) -> int:
        return self.step.number

    def begin(self) -> None:
        """A new step."""
        number = self.conversation.begin()
        self.open = Step(number=number, cell=step_cell_id(self.run, number), replies=())
        self.emit(StepStarted(run=self.run, number=number, cell=self.open.cell))

    def note(self, **facts: Any) -> None:
        """What is known of the open step now."""
        self.open = replace(self.step, **facts)

    def observed(self, observation: Observation) -> None:
        """What came of the code of the open step: said to all sides, once."""
        self.happened = None
        then = self.recorded
        if then is not None and then.original == observation.text:
            observation = observation.edited(then.text)
        self.note(observation=observation)
        self.emit(Observed(run=self.run, number=self.number, observation=observation))
        short = "" if observation.original is not None else stub(self.number)
        self.conversation.tell(observation.text, observation.images, short, self.number)

    def close(self) -> None:
        """The step is over. Nothing happens when none is open."""
        if self.open is None:
            return
        if self.open.replies:
            self.emit(StepFinished(run=self.run, step=self.open))
        else:
            self.conversation.give_up()
        self.open = None

    def leave(self) -> None:
        """The run ends, perhaps within a step: what became of its code is said to all sides."""
        step = self.open
        if self.happened is not None:
            self.observed(self.happened)
        elif step is not None and step.code is not None and step.observation is None:
            status = Status.INTERRUPTED if self.running else Status.NOT_RUN
            words = "it was interrupted" if self.running else "it was not run"
            text = f"[step {step.number}: {words}, because the run ended]"
            self.note(observation=Observation(status=status, text=text))
            self.conversation.tell(text, step=step.number)
        self.running = False
        self.close()

    def notice(self, sentence: str) -> None:
        """Something the user should know."""
        self.emit(Noticed(run=self.run, sentence=sentence))

    def wait(self, sentence: str) -> None:
        """Something takes time."""
        self.emit(Waited(run=self.run, number=self.number, sentence=sentence))
