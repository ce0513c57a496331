"""People edit notebooks: reading survives, and says what it could not read."""

from __future__ import annotations

import copy
import json
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeact_kernel.trace import notebook
from codeact_kernel.trace.cells import step_cell_id
from codeact_kernel.trace.values import (
    Image,
    Observation,
    Outcome,
    Reply,
    Run,
    Status,
    Step,
    Trace,
    Usage,
)

PLOT = {"output_type": "display_data", "data": {"image/png": "AAAA\n"}, "metadata": {}}


def example() -> Trace:
    """A run with a malformed reply, an edited step, a plot and an answer."""
    bad = Reply(text="", model="m", prompt="0" * 64)
    good = Reply(
        text="Look.\n<execute>\nx = 1\n</execute>",
        model="m",
        prompt="1" * 64,
        usage=Usage(cost=0.1),
    )
    done = Observation(
        status=Status.OK,
        text="[step 1/20: ok]",
        outputs=(PLOT,),
        images=(Image(mime="image/png", data="AAAA\n"),),
        count=2,
    )
    steps = (
        Step(
            number=1,
            cell=step_cell_id("r", 1),
            replies=(bad, good),
            thought="Look.",
            code="x = 2",
            proposed="x = 1",
            observation=done,
        ),
        Step(number=2, cell=step_cell_id("r", 2), replies=(good,), answer="It is 2."),
    )
    run = Run(
        id="r",
        task="t",
        model="m",
        cell="a1",
        steps=steps,
        outcome=Outcome.ANSWER,
        answer="It is 2.",
    )
    return Trace(runs=(run,))


@pytest.fixture
def written() -> dict[str, Any]:
    """The example as a notebook with a cell of the user's own before and after."""
    made = notebook.blank()
    for name, source in (("u1", "import math"), ("a1", "%%agent\nt"), ("u2", "math.pi")):
        made["cells"].append(
            {
                "cell_type": "code",
                "id": name,
                "metadata": {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
        )
    return notebook.write(example(), made)


def cell(made: dict[str, Any], name: str) -> dict[str, Any]:
    """The cell with this id."""
    found: dict[str, Any] = next(each for each in made["cells"] if each["id"] == name)
    return found


def test_the_steps_stand_below_their_agent_cell(written: dict[str, Any]) -> None:
    """In order, between the user's own cells, with the answer readable in the notebook."""
    roles = [each["metadata"].get("codeact", {}).get("role", "") for each in written["cells"]]
    assert roles == ["", "agent", "thought", "step", "answer", ""]
    assert written["cells"][4]["source"] == "**Answer**\n\nIt is 2."
    assert written["metadata"]["codeact"]["version"] == 1
    record = cell(written, "r-1")["metadata"]["codeact"]
    assert (record["edited"], record["status"], record["cost"]) == (True, "ok", 0.1)
    assert record["observation"]["images"] == [{"mime": "image/png", "output": 0}]


def test_an_edited_cell_is_what_ran(written: dict[str, Any]) -> None:
    """The source counts; that it differs from the record, and the run from its hash, is said."""
    cell(written, "r-1")["source"] = "x = 3"
    reading = notebook.survey(written)
    assert reading.trace.runs[0].steps[0].code == "x = 3"
    assert reading.trace.runs[0].steps[0].proposed == "x = 1"
    assert reading.skipped == (
        "Cell r-1 was edited after it ran; its code is read as it is.",
        "Run r was changed after it was recorded.",
    )


def test_a_proposal_known_by_its_hash_alone_is_found_in_the_reply() -> None:
    """An unedited step that is edited later keeps what the model sent."""
    trace = example()
    step = trace.runs[0].steps[0]
    made = notebook.write(Trace(runs=(Run(id="r", task="t", model="m", steps=(_same(step),)),)), {})
    cell(made, "r-1")["source"] = "x = 3"
    assert notebook.read(made).runs[0].steps[0].proposed == step.replies[-1].text


def _same(step: Step) -> Step:
    return Step(
        number=1, cell=step.cell, replies=step.replies, code="x = 1", observation=step.observation
    )


def test_a_changed_reply_breaks_the_chain(written: dict[str, Any]) -> None:
    """Nobody can put words into the model's mouth unnoticed."""
    cell(written, "r-1")["metadata"]["codeact"]["replies"][1]["text"] = "other"
    assert "Run r was changed after it was recorded." in notebook.survey(written).skipped


def test_lost_cells_are_said(written: dict[str, Any]) -> None:
    """A run without its agent cell is left out; one without a step is read with the rest."""
    without_step = copy.deepcopy(written)
    without_step["cells"].remove(cell(without_step, "r-1"))
    reading = notebook.survey(without_step)
    assert [step.number for step in reading.trace.runs[0].steps] == [2]
    assert reading.skipped == ("Run r was changed after it was recorded.",)
    without_agent = copy.deepcopy(written)
    without_agent["cells"].remove(cell(without_agent, "a1"))
    reading = notebook.survey(without_agent)
    assert reading.trace == Trace()
    assert reading.skipped == ("The agent cell of run r is gone; its steps were left out.",)


def test_a_copied_step_counts_once(written: dict[str, Any]) -> None:
    """Duplicating a cell in the notebook does not duplicate the step."""
    written["cells"].insert(4, {**copy.deepcopy(cell(written, "r-1")), "id": "copy"})
    reading = notebook.survey(written)
    assert [step.number for step in reading.trace.runs[0].steps] == [1, 2]
    assert "was there already" in reading.skipped[0]


def test_new_cell_ids_change_nothing_else(written: dict[str, Any]) -> None:
    """Tools that renumber cells, jupytext for one, keep the metadata; that is enough."""
    for number, each in enumerate(written["cells"]):
        each["id"] = f"new{number}"
    run = notebook.read(written).runs[0]
    assert run.cell == "new1"
    assert [step.cell for step in run.steps] == ["new3", "new4"]
    assert [step.replies for step in run.steps] == [s.replies for s in example().runs[0].steps]


def test_an_unfinished_step_is_left_out(written: dict[str, Any]) -> None:
    """A notebook saved while a step ran: the step is not read and that is said."""
    unfinished = {"role": "step", "run": "r", "step": 3, "status": "running"}
    written["cells"].append(
        {**copy.deepcopy(cell(written, "u2")), "id": "x", "metadata": {"codeact": unfinished}}
    )
    reading = notebook.survey(written)
    assert reading.trace == example()
    assert "not finished" in reading.skipped[0]


def test_outputs_may_be_gone(written: dict[str, Any]) -> None:
    """Cleared outputs: the text the model saw is still there, the image is not."""
    cell(written, "r-1")["outputs"] = []
    step = notebook.read(written).runs[0].steps[0]
    assert step.observation is not None
    assert step.observation.text == "[step 1/20: ok]"
    assert step.observation.images == (Image(mime="image/png", data=""),)


def test_stripping_gives_back_the_question(written: dict[str, Any]) -> None:
    """Without its runs the notebook is what the user wrote, ready to be run again."""
    stripped = notebook.strip(written)
    assert [each["id"] for each in stripped["cells"]] == ["u1", "a1", "u2"]
    assert all(each["metadata"] == {} for each in stripped["cells"])
    assert stripped["metadata"] == {}
    assert notebook.read(stripped) == Trace()


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5) | st.text(max_size=5),
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "run", "role", "text", "replies", "step"]), each, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_no_damage_makes_reading_fail(data: st.DataObject) -> None:
    """Whatever stands in our metadata, a v4 notebook is read and can be written again."""
    made = notebook.write(example(), {})
    target: Any = (
        made["metadata"]
        if data.draw(st.booleans())
        else data.draw(st.sampled_from(made["cells"]))["metadata"]
    )
    while isinstance(target, dict | list) and target:
        keys = list(target) if isinstance(target, dict) else list(range(len(target)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(target[key], dict | list) or not target[key] or data.draw(st.booleans()):
            target[key] = data.draw(junk)
            break
        target = target[key]
    reading = notebook.survey(json.loads(json.dumps(made)))
    nbformat.validate(notebook.write(reading.trace, {}))


FIELDS = ("cell_type", "source", "outputs", "metadata", "id", "execution_count")


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_no_damaged_cell_makes_reading_fail(data: st.DataObject) -> None:
    """Whatever stands in the fields of a cell or of one of its outputs: it is read, written to and
    stripped, and the other run is whole."""
    whole = Run(id="s", task="t", model="m", cell="b1", outcome=Outcome.ANSWER, answer="x")
    made = notebook.write(Trace(runs=(*example().runs, whole)), {})
    hurt = data.draw(st.sampled_from([each for each in made["cells"] if each["id"] != "b1"]))
    for field in data.draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3)):
        hurt[field] = data.draw(junk)
    plot = cell(made, "r-1")["outputs"] if any(e["id"] == "r-1" for e in made["cells"]) else None
    if isinstance(plot, list) and plot and isinstance(plot[0], dict):
        kinds = st.sampled_from(["error", "stream", "display_data"]) | junk
        plot[0]["output_type"] = data.draw(kinds)
        for field in ("traceback", "text", "data", "name"):
            plot[0][field] = data.draw(junk)
    saved = json.loads(json.dumps(made))
    reading = notebook.survey(saved)
    assert whole in reading.trace.runs
    assert whole in notebook.read(notebook.write(Trace(runs=(whole,)), saved)).runs
    notebook.strip(saved)


@pytest.mark.parametrize("outputs", [5, "x", {"a": 1}, True])
def test_outputs_that_are_no_list_are_said(written: dict[str, Any], outputs: object) -> None:
    """The step is left out with a sentence, and the rest is read."""
    cell(written, "r-1")["outputs"] = outputs
    reading = notebook.survey(written)
    assert [step.number for step in reading.trace.runs[0].steps] == [2]
    assert reading.skipped[0] == "Cell r-1: its outputs are not a list; it was left out."


@pytest.mark.parametrize("metadata", [5, None, [], "x"])
def test_notebook_metadata_that_is_no_object_is_replaced(metadata: object) -> None:
    """A run can be written into such a notebook, and it can be stripped."""
    made = {**notebook.blank(), "metadata": metadata, "nbformat_minor": "x"}
    nbformat.validate(notebook.write(example(), made))
    assert notebook.strip(made)["metadata"] == {}


def test_what_is_nested_too_deeply_is_said(written: dict[str, Any]) -> None:
    """It is left out like any other damage."""
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    cell(written, "r-1")["outputs"] = [{"output_type": "display_data", "data": {"a": deep}}]
    assert "nested too deeply" in notebook.survey(written).skipped[0]


@pytest.mark.parametrize(
    "made", [{}, {"cells": None}, {"cells": [1, {"metadata": 3}]}, {"metadata": 1}]
)
def test_what_is_hardly_a_notebook_is_an_empty_trace(made: dict[str, Any]) -> None:
    """No exception for anything that came out of JSON."""
    assert notebook.read(made) == Trace()
