"""The end of a run without cells: what is said, and the run that is saved with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from codeact_kernel.kernel.inline import ending
from codeact_kernel.trace import inline, notebook
from codeact_kernel.trace.values import Outcome, Reply, Run, Step
from tests.fakes import FakeModel
from tests.kernel.boxes import obedient
from tests.kernel.conftest import Front, started
from tests.kernel.inline.widget_front import WidgetFront

CODE = "I count.\n\n<python>\nprint('one')\n</python>"
DONE = "All done."


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    """A kernel whose model writes a step and answers, each time it is asked."""
    async with started(tmp_path, model=FakeModel(CODE, DONE, CODE, DONE)) as front:
        front.box.script = obedient
        yield front


def cell(name: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The cell with the displays that a front end adds and never updates."""
    outputs = [
        {"output_type": "display_data", **{key: m["content"][key] for key in ("data", "metadata")}}
        for m in messages
        if m["msg_type"] == "display_data"
    ]
    return {"cell_type": "code", "id": name, "source": "", "metadata": {}, "outputs": outputs}


async def test_the_last_output_holds_the_run(front: Front) -> None:
    """It is the answer, and the notebook that keeps it has the whole run; a continued run twice."""
    first = await front.until_idle(front.client.execute("%%agent\ncount"))
    again = await front.until_idle(front.client.execute("%agent continue more"))
    cells = [cell("a", first), cell("b", again)]
    for each in cells:
        assert inline.metadata_in({**each, "outputs": each["outputs"][-1:]}) is not None
        assert "All done." in each["outputs"][-1]["data"]["text/markdown"]
    (run,) = notebook.survey({"cells": cells[:1]}).trace.runs
    assert (run.task, run.answer, len(run.steps)) == ("count", DONE, 2)
    reading = notebook.survey({"cells": cells})
    (run,) = reading.trace.runs
    assert (run.added, [step.number for step in run.steps]) == (("more",), [1, 2, 3, 4])
    assert [step.code for step in run.steps] == ["print('one')", None] * 2
    assert reading.skipped == ()


async def test_widgets_leave_the_run_in_a_display_of_its_own(front: Front) -> None:
    """Not in the update of a card: VS Code keeps the metadata that a display had first."""
    page = WidgetFront(front)
    await page.over(page.execute("%%agent\ncount"))
    messages = [m for m in page.heard if m["msg_type"] == "display_data"]
    (run,) = notebook.survey({"cells": [cell("a", messages)]}).trace.runs
    assert run.answer == DONE
    assert "**Answer**" in messages[-1]["content"]["data"]["text/markdown"]


class Ear:
    """A publisher's ear."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []

    def say(self, kind: str, header: bytes, content: dict[str, Any]) -> None:
        self.said.append(content)


def test_a_run_too_large_for_a_message_is_said_to_be() -> None:
    """The answer is shown, and where the run is; nothing is cut in silence."""
    reply = Reply(text="x" * ending.LARGEST, model="m", prompt="")
    step = Step(number=1, cell="r-1", replies=(reply,))
    run = Run(id="r", task="t", model="m", steps=(step,), outcome=Outcome.ANSWER, answer="It is 2.")
    ear = Ear()
    ending.say_end(ear, b"{}", run)  # type: ignore[arg-type]  # the one method it uses
    notice, answer = ear.said
    assert "its record takes 16 MB" in notice["data"]["text/plain"]
    assert (answer["data"]["text/plain"], answer["metadata"]) == ("Answer\n\nIt is 2.", {})
