"""A run whose steps have no cells is in an output of its agent cell, and read from there."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeact_kernel.trace import inline, notebook
from codeact_kernel.trace.events import Event, fold
from codeact_kernel.trace.values import Run, Trace
from tests.trace import strategies
from tests.trace.test_damage import cell, example, junk

CHANGED = "Run r was changed after it was recorded."


def ended(name: str, *runs: Run) -> dict[str, Any]:
    """A cell in whose outputs these runs have ended."""
    texts = [{"output_type": "stream", "name": "stdout", "text": "one\n"}]
    ends = [
        {
            "output_type": "display_data",
            "data": {"text/plain": "Answer"},
            "metadata": {"mine": 1, "codeact": inline.metadata(run)},
        }
        for run in runs
    ]
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {"tags": ["mine"]},
        "source": "%%agent\ntask",
        "outputs": [*texts, *ends],
        "execution_count": 1,
    }


def held(trace: Trace) -> dict[str, Any]:
    """A notebook as a front end without the extension saves it."""
    made = notebook.blank()
    made["cells"] = [ended(run.cell, run) for run in trace.runs]
    return made


def bare(trace: Trace) -> Trace:
    """What of it such a notebook holds."""
    return Trace(runs=tuple(inline.bare(run) for run in trace.runs))


@pytest.fixture
def saved() -> dict[str, Any]:
    """The example run in the outputs of its cell, with a cell of the user's own before it."""
    made = held(example())
    made["cells"].insert(0, {**ended("u1"), "source": "import math"})
    return made


def said(made: dict[str, Any]) -> Any:
    """The metadata of the output that ends the example run."""
    return cell(made, "a1")["outputs"][-1]["metadata"]["codeact"]


@given(strategies.sessions())
@settings(deadline=None)
def test_what_an_output_holds_is_read(events: list[Event]) -> None:
    """All but what the steps put out comes back, also through the file's JSON; the file is valid."""
    trace = fold(events)
    made = held(trace)
    nbformat.validate(copy.deepcopy(made))
    assert notebook.survey(json.loads(json.dumps(made))) == notebook.Reading(trace=bare(trace))


@given(strategies.sessions(), st.booleans())
@settings(deadline=None)
def test_what_is_written_into_such_a_notebook_is_there_once(
    events: list[Event], named: bool
) -> None:
    """read(write(trace)) == trace where outputs held these runs; whether cells are named or not."""
    names = [run.cell for run in fold(events).runs]
    runs = [run if named else replace(run, cell="") for run in fold(events).runs]
    made = notebook.blank()
    made["cells"] = [ended(name, run) for name, run in zip(names, runs, strict=True)]
    for told in (Trace(runs=tuple(runs)), notebook.read(made)):
        written = notebook.write(told, made)
        nbformat.validate(copy.deepcopy(written))
        assert notebook.survey(written) == notebook.Reading(trace=told)
        assert not any(inline.metadata_in(each) for each in written["cells"])
        agents = [each["id"] for each in written["cells"] if each["id"] in names]
        assert agents == names


def test_nbformat_writes_and_reads_it_unchanged(tmp_path: Path, saved: dict[str, Any]) -> None:
    """It survives nbformat's own file form, where texts are lists of lines."""
    path = tmp_path / "a.ipynb"
    nbformat.write(nbformat.from_dict(saved), path)
    assert notebook.survey(json.loads(path.read_text())).trace == bare(example())


def test_what_the_model_saw_is_written_out(saved: dict[str, Any]) -> None:
    """The observation's text and the code, no image: those are in the outputs above."""
    step = said(saved)["steps"][0]
    assert (step["role"], step["cell"], step["code"], step["count"]) == ("step", "r-1", "x = 2", 2)
    assert step["observation"]["text"] == "[step 1/20: ok]"
    assert "AAAA" not in json.dumps(said(saved))


def test_of_a_run_that_was_continued_the_newest_counts() -> None:
    """Each cell has the run as far as it had come; it belongs to the cell that began it."""
    (run,) = example().runs
    first = replace(run, steps=run.steps[:1])
    made = notebook.blank()
    made["cells"] = [ended("a1", first), ended("a2", replace(run, added=("more",)))]
    (found,) = notebook.survey(made).trace.runs
    assert found == inline.bare(replace(run, added=("more",)))
    written = notebook.write(Trace(runs=(found,)), made)
    assert [each["id"] for each in written["cells"]][-1] == "a2"
    assert notebook.read(written).runs == (found,)


def test_cells_of_a_run_count_more_than_an_output() -> None:
    """They show what ran, with outputs; a copy in an output elsewhere changes nothing."""
    made = notebook.write(example(), held(example()))
    made["cells"].append(ended("copy", replace(example().runs[0], answer="another")))
    assert notebook.survey(made) == notebook.Reading(trace=example())


def test_stripping_clears_the_cell(saved: dict[str, Any]) -> None:
    """It is as if never run; a cell of the user's keeps what it shows."""
    stripped = notebook.strip(saved)
    assert cell(stripped, "a1")["outputs"] == []
    assert cell(stripped, "a1")["execution_count"] is None
    assert cell(stripped, "u1")["outputs"] == cell(saved, "u1")["outputs"]
    assert notebook.read(stripped) == Trace()


def test_a_changed_record_breaks_the_chain(saved: dict[str, Any]) -> None:
    """As in cells: what was changed afterwards, or has no hash, is said to be so."""
    said(saved)["steps"][0]["code"] = "x = 3"
    assert notebook.survey(saved).skipped == (CHANGED,)
    saved = held(example())
    del said(saved)["chain"]
    assert notebook.survey(saved).skipped == (CHANGED,)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"run": []}, "the run header is not an object"),
        ({"steps": {}}, "steps is not a list"),
        ({"steps": [{"step": 1, "cell": "../x"}]}, "'../x' is no name of a cell"),
        ({"steps": [{"step": 1, "cell": "a"}] * 2}, "step 1 of run r is there twice"),
        ({"steps": [{"step": n, "cell": "a"} for n in (1, 2)]}, "name the same cell"),
        ({"steps": [{"step": 1, "cell": "u1"}]}, "Run r names cells that are not its own"),
        ({"run": {"id": "r", "outcome": "won"}}, "'won' is not one of"),
    ],
)
def test_what_cannot_be_read_is_said(
    saved: dict[str, Any], change: dict[str, Any], problem: str
) -> None:
    """One sentence, and the run is left out; a stranger's notebook cannot take a cell of the user's."""
    said(saved).update(change)
    reading = notebook.survey(saved)
    assert reading.trace == Trace()
    (sentence,) = reading.skipped
    assert problem in sentence
    assert sentence.endswith("it was left out.")


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_no_damage_makes_reading_fail(data: st.DataObject) -> None:
    """Whatever stands in an output's metadata, the notebook is read and can be written again."""
    made = held(example())
    target = made["cells"][0]["outputs"][-1]["metadata"]
    while True:
        keys = list(target) if isinstance(target, dict) else list(range(len(target)))
        key = data.draw(st.sampled_from(keys))
        inner = target[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            target[key] = data.draw(junk)
            break
        target = inner
    reading = notebook.survey(made)
    assert notebook.read(notebook.write(reading.trace, made)) == reading.trace
    notebook.strip(made)
