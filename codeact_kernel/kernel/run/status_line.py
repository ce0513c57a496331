"""One line that says where a run is, updated in place, and left standing as its summary."""

from __future__ import annotations

import time
import uuid

from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.trace.events import (
    CodeStarted,
    Event,
    Held,
    Observed,
    Released,
    ReplyArrived,
    ReplyGrew,
    RunFinished,
    RunStarted,
    StepStarted,
    Waited,
)
from codeact_kernel.trace.text import plain
from codeact_kernel.trace.values import Outcome, Usage

_EVERY = 0.25
"""Seconds between two drawings of a reply that grows."""
_ENDS = {
    Outcome.ANSWER: "Answered",
    Outcome.STEP_LIMIT: "Step limit reached",
    Outcome.BUDGET: "Budget used up",
    Outcome.STOPPED: "Stopped",
    Outcome.FAILED: "Failed",
}

_WALLS = {"none": "NO SANDBOX", "landlock": "isolation: landlock"}
"""Said in every line of a run that namespaces do not hold."""


class Status:
    """Where a run is: `text` says it, `line` with what it has used so far."""

    def __init__(self) -> None:
        self.text = ""
        self.usage = Usage()
        self._model = ""
        self._walls = ""
        self._replays = False
        self._steps = 0

    @property
    def line(self) -> str:
        """All of it, in one line."""
        parts = (self.text, *self.details)
        return plain(" · ".join(part for part in parts if part)).replace("\n", " ")

    @property
    def details(self) -> tuple[str, ...]:
        """The walls where they are weak, the model, tokens and costs."""
        usage = self.usage
        spent: tuple[str, ...] = ()
        if usage.total_tokens:
            about = "about " if usage.estimated else ""
            cost = () if usage.cost is None else (f"${usage.cost:.4f}",)
            spent = (f"{about}{usage.total_tokens:,} tokens", *cost)
        return (self._walls, self._model, *spent)

    def event(self, event: Event) -> None:
        """Take in what this event changes."""
        match event:
            case RunStarted():
                self._model = event.model
                self._walls = _WALLS.get(str(event.settings.get("grade")), "")
                self._replays = event.model.startswith("replay/")
                self.text = "Starting"
            case StepStarted():
                self._steps += 1
                self.text = f"Step {event.number}: waiting for the model"
            case ReplyGrew():
                self.text = f"Step {event.number}: the model is writing"
            case ReplyArrived():
                self.usage = self.usage + event.reply.usage
                writer = event.reply.model
                self._model = f"replay of {writer}" if self._replays else writer
            case Waited():
                self.text = event.sentence
            case Held():
                self.text = f"Step {event.number}: held by you, until you let it go on in the panel"
            case Released():
                self.text = f"Step {event.number}: waiting for the model"
            case CodeStarted():
                self.text = f"Step {event.number}: the code is running"
            case Observed():
                self.text = f"Step {event.number}: done"
            case RunFinished():
                steps = "1 step" if self._steps == 1 else f"{self._steps} steps"
                self.text = f"{_ENDS[event.outcome]} · {steps} · {event.seconds:.0f} s"
            case _:
                pass


class StatusLine:
    """Draws under `header`. Its display id is random: code inside cannot guess it."""

    def __init__(self, publisher: Publisher, header: bytes) -> None:
        self._publisher = publisher
        self._header = header
        self._display = f"codeact-{uuid.uuid4().hex}"
        self._status = Status()
        self._shown = ""
        self._drawn = 0.0

    def event(self, event: Event) -> None:
        """Say what this event changes."""
        self._status.event(event)
        grows = isinstance(event, ReplyGrew) and time.monotonic() - self._drawn < _EVERY
        if not grows and not isinstance(event, ReplyArrived):  # the next event is right behind it
            self._show(self._status.line)

    def _show(self, line: str) -> None:
        if line == self._shown:
            return
        kind = "update_display_data" if self._shown else "display_data"
        self._shown, self._drawn = line, time.monotonic()
        self._publisher.say(
            kind,
            self._header,
            {
                "data": line_data(line),
                "metadata": {},
                "transient": {"display_id": self._display},
            },
        )


def line_data(line: str) -> dict[str, str]:
    """The data of a display that shows one line."""
    return {"text/plain": line, "text/markdown": f"*{_escaped(line)}*"}


def _escaped(text: str) -> str:
    """Text as text in markdown."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>$!" else letter for letter in text)
