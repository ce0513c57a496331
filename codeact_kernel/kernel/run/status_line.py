"""One line that says where a run is, updated in place, and left standing as its summary."""

from __future__ import annotations

import time
import uuid

from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.trace.events import (
    CodeStarted,
    Event,
    Observed,
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


class StatusLine:
    """Draws under `header`. Its display id is random: code inside cannot guess it."""

    def __init__(self, publisher: Publisher, header: bytes) -> None:
        self._publisher = publisher
        self._header = header
        self._display = f"codeact-{uuid.uuid4().hex}"
        self._shown = ""
        self._drawn = 0.0
        self._model = ""
        self._walls = ""
        self._replays = False
        self._steps = 0
        self._usage = Usage()

    def event(self, event: Event) -> None:
        """Say what this event changes."""
        match event:
            case RunStarted():
                self._model = event.model
                self._walls = _WALLS.get(str(event.settings.get("grade")), "")
                self._replays = event.model.startswith("replay/")
                self._show("Starting")
            case StepStarted():
                self._steps += 1
                self._show(f"Step {event.number}: waiting for the model")
            case ReplyGrew():
                if time.monotonic() - self._drawn >= _EVERY:
                    self._show(f"Step {event.number}: the model is writing")
            case ReplyArrived():
                self._usage = self._usage + event.reply.usage
                writer = event.reply.model
                self._model = f"replay of {writer}" if self._replays else writer
            case Waited():
                self._show(event.sentence)
            case CodeStarted():
                self._show(f"Step {event.number}: the code is running")
            case Observed():
                self._show(f"Step {event.number}: done")
            case RunFinished():
                self._finish(event)
            case _:
                pass

    def _finish(self, event: RunFinished) -> None:
        steps = "1 step" if self._steps == 1 else f"{self._steps} steps"
        self._show(f"{_ENDS[event.outcome]} · {steps} · {event.seconds:.0f} s")

    def _show(self, text: str) -> None:
        parts = (text, self._walls, self._model, *self._spent())
        line = plain(" · ".join(part for part in parts if part)).replace("\n", " ")
        if line == self._shown:
            return
        kind = "update_display_data" if self._shown else "display_data"
        self._shown, self._drawn = line, time.monotonic()
        self._publisher.say(
            kind,
            self._header,
            {
                "data": {"text/plain": line, "text/markdown": f"*{_escaped(line)}*"},
                "metadata": {},
                "transient": {"display_id": self._display},
            },
        )

    def _spent(self) -> list[str]:
        usage = self._usage
        if not usage.total_tokens:
            return []
        cost = [] if usage.cost is None else [f"${usage.cost:.4f}"]
        about = "about " if usage.estimated else ""
        return [f"{about}{usage.total_tokens:,} tokens", *cost]


def _escaped(text: str) -> str:
    """Text as text in markdown."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>$!" else letter for letter in text)
