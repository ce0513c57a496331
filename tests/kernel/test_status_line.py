"""The line that stays as a run's summary."""

from __future__ import annotations

from typing import Any

import pytest

from codeact_kernel.kernel.run.status_line import StatusLine
from codeact_kernel.trace.events import ReplyArrived, RunFinished, RunStarted, StepStarted
from codeact_kernel.trace.values import Outcome, Reply, Usage


class Said:
    """A publisher's ear: keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, kind: str, header: bytes, content: dict[str, Any]) -> None:
        self.lines.append(content["data"]["text/plain"])


@pytest.mark.parametrize(
    ("model", "shown"), [("replay/x.ipynb", "replay of a/b"), ("a/b", "· a/b ·")]
)
def test_the_summary_says_whether_a_model_was_asked(model: str, shown: str) -> None:
    """A replay is never taken for a run in which the named model answered."""
    said = Said()
    line = StatusLine(said, b"{}")  # type: ignore[arg-type]  # the one method it uses
    reply = Reply(text="x", model="a/b", prompt="p", usage=Usage(input_tokens=5, output_tokens=2))
    for event in (
        RunStarted(id="r", task="t", model=model),
        StepStarted(run="r", number=1, cell="c"),
        ReplyArrived(run="r", number=1, reply=reply),
        RunFinished(run="r", outcome=Outcome.ANSWER, answer="x", seconds=3),
    ):
        line.event(event)
    assert shown in said.lines[-1]
    assert "7 tokens" in said.lines[-1]


def test_a_run_without_walls_says_so_in_every_line() -> None:
    """What does not hold the code is seen wherever the run is seen."""
    said = Said()
    line = StatusLine(said, b"{}")  # type: ignore[arg-type]  # the one method it uses
    line.event(RunStarted(id="r", task="t", model="m", settings={"grade": "none"}))
    line.event(StepStarted(run="r", number=1, cell="c"))
    assert all("NO SANDBOX" in text for text in said.lines)
