"""What a front end can do about what the model will be shown: hold the run, change it, let it go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from codeact_kernel.kernel.run.observations import ANSWERED, EMPTY, NOT_HELD, NOTHING_RUNS
from tests.fakes import FakeModel, Stall
from tests.kernel.boxes import obedient
from tests.kernel.conftest import started
from tests.kernel.test_live_cells import CODE, DONE, Page

EDIT = "[step 1/20: ok]\nNo, it was two."


async def told(page: Page, **fields: Any) -> dict[str, Any]:
    """The first event with these fields."""

    def found() -> list[dict[str, Any]]:
        return [event for event in page.events if fields.items() <= event.items()]

    await page.until(lambda: bool(found()))
    return found()[0]


async def problem(page: Page, do: str, **fields: Any) -> str:
    """Why a request was not carried out, "" when it was."""
    number = page.ask(do, **fields)
    await page.until(lambda: number in page.replies)
    sentence: str = page.replies[number]["problem"]
    return sentence


@pytest.fixture
def model() -> FakeModel:
    """Writes one step, begins another and is stuck; asked again, it answers."""
    return FakeModel(CODE, Stall(), DONE)


@pytest.fixture
async def page(tmp_path: Path, model: FakeModel) -> AsyncIterator[Page]:
    """A page whose run has made one step, and waits for a model that is stuck."""
    async with started(tmp_path, model=model) as front:
        front.box.script = obedient
        page = Page(front)
        page.open()
        page.execute("agent", "%%agent\ndo it")
        run = await page.edit("run")
        page.execute(run["cell"], "print('one')", auto=True, token=run["token"])
        await told(page, type="StepStarted", number=2)
        await model.stalled.wait()
        yield page


async def test_the_newest_observation_is_changed_while_the_run_is_held(
    page: Page, model: FakeModel
) -> None:
    """The model is asked again with it, the cell's record has both texts, all pages are told."""
    assert await problem(page, "hold") == ""
    held = await told(page, type="Held")
    assert (held["number"], held["observation"]) == (2, 1)
    run = held["run"]
    assert await problem(page, "edit_observation", run=run, step=1, text=EDIT) == ""
    await told(page, type="RunFinished", outcome="answer")
    assert model.asked[-1][-1].text == EDIT
    record = [
        edit["metadata"]["observation"]
        for edit in page.of("metadata")
        if "observation" in edit["metadata"]
    ][-1]
    assert record["text"] == EDIT
    assert record["original"].startswith("[step 1/20: ok]\nstdout:")
    assert await problem(page, "edit_observation", run=run, step=1, text="x") == ANSWERED


async def test_a_hold_changes_nothing_by_itself(page: Page, model: FakeModel) -> None:
    """A page that comes meanwhile is told of it, and can let the run go on."""
    assert await problem(page, "go_on") == NOT_HELD
    await problem(page, "hold")
    await told(page, type="Held")
    late = Page(page.front, "late")
    late.open()
    await told(late, type="Held", observation=1)
    assert await problem(late, "go_on") == ""
    await told(late, type="Released")
    await told(late, type="RunFinished", outcome="answer")
    assert model.asked[-1] == model.asked[-2]
    assert await problem(late, "hold") == NOTHING_RUNS


async def test_only_what_the_model_has_not_answered_is_changed(page: Page) -> None:
    """Not without a hold, not of another step, not to nothing."""
    run = page.events[0]["id"]
    assert await problem(page, "edit_observation", run=run, step=1, text=EDIT) == ANSWERED
    await problem(page, "hold")
    await told(page, type="Held")
    assert await problem(page, "edit_observation", run=run, step=2, text=EDIT) == ANSWERED
    assert await problem(page, "edit_observation", run=run, step=1, text=" \n") == EMPTY
    assert await problem(page, "edit_observation", run=run, step=1, text=EDIT) == ""


async def test_after_the_end_the_last_one_can_be_changed(page: Page, model: FakeModel) -> None:
    """Before the run is continued: then the model is shown it so, and the journal has the edit."""
    await problem(page, "stop")
    run = (await told(page, type="RunFinished", outcome="stopped"))["run"]
    assert await problem(page, "edit_observation", run="another", step=1, text="x") == ANSWERED
    assert await problem(page, "edit_observation", run=run, step=1, text=EDIT) == ""
    await told(page, type="ObservationEdited", text=EDIT)
    record = page.of("metadata")[-1]["metadata"]
    assert record["observation"]["text"] == EDIT
    page.execute("more", "%agent continue")
    await told(page, type="RunFinished", outcome="answer")
    assert model.asked[-1][-1].text.startswith(EDIT)
    (journal,) = page.front.journals.glob("*.jsonl")
    assert journal.read_text().count('"ObservationEdited"') == 1
