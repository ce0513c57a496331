"""The events of the last run, for a front end that comes when it has begun.

Rule: what is told anew draws the same run as what was told at the time. A finished step stands for all
events of it; of what only animates, the last one is kept. Old steps lose their texts, never their
figures, so that the log of a long run stays small.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from codeact_kernel.kernel.channels.messages import to_json
from codeact_kernel.kernel.run.encoding import event_json, without_outputs
from codeact_kernel.trace.events import (
    Event,
    OutputArrived,
    ReplyGrew,
    RunStarted,
    StepFinished,
)

TEXTS = 2_000_000
"""Bytes of finished steps whose texts are kept; the newest step always has its own."""
_LEFT_OUT = "(left out here; the notebook has it)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    when: float
    event: Event
    size: int


class RunLog:
    """Owner of one run's events. `now` is a clock in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._run = ""
        self._entries: list[_Entry] = []

    def add(self, event: Event) -> None:
        """Take note of an event as it happens."""
        if isinstance(event, OutputArrived):
            return
        if isinstance(event, RunStarted) and event.id != self._run:
            self._run, self._entries = event.id, []
        event = without_outputs(event)
        if isinstance(event, ReplyGrew):  # many a second, one behind the other
            if self._entries and isinstance(self._entries[-1].event, ReplyGrew):
                self._entries.pop()
        elif isinstance(event, StepFinished):
            number = event.step.number
            self._entries = [e for e in self._entries if _step_of(e.event) != number]
        size = len(to_json(event_json(event))) if isinstance(event, StepFinished) else 0
        self._entries.append(_Entry(when=self._now(), event=event, size=size))
        if size:
            self._thin()

    def told(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """Each event as JSON, with the seconds since it happened."""
        now = self._now()
        for entry in self._entries:
            yield now - entry.when, event_json(entry.event)

    def _thin(self) -> None:
        steps = [place for place, entry in enumerate(self._entries) if entry.size]
        room = TEXTS
        for place in reversed(steps):
            room -= self._entries[place].size
            if room < 0 and place != steps[-1]:
                self._entries[place] = _bare(self._entries[place])


def _step_of(event: Event) -> int | None:
    """The number of the step that an event tells of, None when it is about the run."""
    return event.step.number if isinstance(event, StepFinished) else getattr(event, "number", None)


def _bare(entry: _Entry) -> _Entry:
    event = entry.event
    if not isinstance(event, StepFinished) or event.step.thought == _LEFT_OUT:
        return entry
    step = event.step
    seen = step.observation
    bare = replace(
        step,
        thought=_LEFT_OUT,
        code=None if step.code is None else "",
        proposed=None,
        replies=tuple(replace(reply, text="") for reply in step.replies),
        observation=None if seen is None else replace(seen, text=_LEFT_OUT),
    )
    event = replace(event, step=bare)
    return replace(entry, event=event, size=len(to_json(event_json(event))))
