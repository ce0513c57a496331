"""Events that came as JSON are values again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from codeact_kernel.headless import told
from codeact_kernel.trace.events import CodeProposed, Event, RunFinished, StepFinished
from codeact_kernel.trace.values import (
    Delta,
    Image,
    Observation,
    Outcome,
    Reply,
    Status,
    Step,
    Usage,
    Variable,
)

STEP = Step(
    number=2,
    cell="c",
    replies=(Reply(text="t", model="m", prompt="p", usage=Usage(input_tokens=3, cost=0.5)),),
    thought="hm",
    code="x",
    observation=Observation(
        status=Status.ERROR,
        text="no",
        outputs=({"output_type": "stream", "name": "stdout", "text": "a"},),
        images=(Image(mime="image/png", data="QQ=="),),
        variables=Delta(new={"x": Variable(type="int", preview="1")}, deleted=("y",)),
        count=4,
    ),
)


def as_json(event: Event) -> dict[str, Any]:
    raw = {"type": type(event).__name__, **dataclasses.asdict(event)}
    made: dict[str, Any] = json.loads(json.dumps(raw))
    return made


@pytest.mark.parametrize(
    "event",
    [
        StepFinished(run="r", step=STEP),
        RunFinished(run="r", outcome=Outcome.BUDGET, reason="spent"),
        CodeProposed(run="r", number=1, cell="c", thought="", code="x"),
    ],
)
def test_what_was_sent_is_what_is_read(event: Event) -> None:
    """Nested values, enums, tuples and None survive the way over JSON."""
    assert told.event(as_json(event)) == event


def test_the_contract_is_read() -> None:
    """The example both sides are held to is an event here."""
    path = Path(__file__).parents[1] / "contract" / "event.json"
    event = told.event(json.loads(path.read_text())["event"])
    assert isinstance(event, CodeProposed)
    assert event.code == "len(lines)"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": "Nonsense"},
        {"type": "RunFinished"},
        {"type": "RunFinished", "run": "r", "outcome": "won"},
        {"type": "StepFinished", "run": "r", "step": 7},
    ],
)
def test_what_is_no_event_is_refused(data: dict[str, Any]) -> None:
    """An unknown type, a missing field and a wrong value are ValueErrors."""
    with pytest.raises(ValueError, match=r"\w"):
        told.event(data)
