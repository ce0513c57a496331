"""The notebook is the trace: what is written is read back, and damage is survived."""

from __future__ import annotations

import copy
import json
from typing import Any

import nbformat
from hypothesis import given, settings
from hypothesis import strategies as st

from codeact_kernel.trace import notebook
from codeact_kernel.trace.edits import apply, from_json, to_json
from codeact_kernel.trace.events import Event, RunStarted, fold
from codeact_kernel.trace.layout import Layout
from codeact_kernel.trace.values import Step, Trace
from tests.trace import strategies


def agent_cell(name: str) -> dict[str, Any]:
    """A `%%agent` cell as the user wrote it."""
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {"tags": ["mine"]},
        "source": "%%agent\ntask",
        "outputs": [],
        "execution_count": None,
    }


def with_agents(events: list[Event]) -> dict[str, Any]:
    """A notebook with the agent cells these events name."""
    made = notebook.blank()
    names = dict.fromkeys(event.cell for event in events if isinstance(event, RunStarted))
    made["cells"] = [agent_cell(name) for name in names]
    return made


@given(strategies.sessions())
@settings(deadline=None)
def test_reading_gives_back_what_was_written(events: list[Event]) -> None:
    """read(write(fold(events))) == fold(events), also through the file's JSON; the file is valid."""
    trace = fold(events)
    written = notebook.write(trace, with_agents(events))
    nbformat.validate(copy.deepcopy(written))
    assert notebook.survey(json.loads(json.dumps(written))) == notebook.Reading(trace=trace)
    assert notebook.write(trace, written) == written


@given(strategies.sessions())
@settings(deadline=None)
def test_a_trace_needs_no_notebook(events: list[Event]) -> None:
    """Written into an empty notebook, the agent cells are made."""
    trace = fold(events)
    written = notebook.write(trace, {})
    nbformat.validate(copy.deepcopy(written))
    assert notebook.read(written) == trace


@given(strategies.sessions())
@settings(deadline=None)
def test_edits_and_outputs_make_the_same_notebook(events: list[Event]) -> None:
    """A front end that did each edit, twice even, and showed the outputs has the written notebook."""
    made = with_agents(events)
    agent, layout = "", Layout()
    for event in events:
        agent = event.cell if isinstance(event, RunStarted) else agent
        for edit in layout.edits(event):
            again = from_json(json.loads(json.dumps(to_json(edit))))
            assert to_json(again) == to_json(edit)
            apply(again, made["cells"], made["metadata"], agent)
            apply(again, made["cells"], made["metadata"], agent)
    trace = fold(events)
    shown = {name: out for run in trace.runs for name, out in strategies.code_outputs(run).items()}
    for cell in made["cells"]:
        if cell["id"] in shown:
            outputs, cell["execution_count"] = shown[cell["id"]]
            cell["outputs"] = list(outputs)
    assert made == notebook.write(trace, with_agents(events))


def test_nbformat_writes_and_reads_it_unchanged(tmp_path: Any) -> None:
    """The trace survives nbformat's own file form, where texts are lists of lines."""
    trace = _example()
    path = tmp_path / "a.ipynb"
    nbformat.write(nbformat.from_dict(notebook.write(trace, {})), path)
    assert notebook.read(json.loads(path.read_text())) == trace


def _example() -> Trace:
    """A trace with a bit of everything, always the same."""
    run = strategies.events_of_run("run", "agent")
    return fold(_first(run, lambda events: any(step.code for step in _steps(events))))


def _steps(events: list[Event]) -> list[Step]:
    return [step for run in fold(events).runs for step in run.steps]


def _first(strategy: st.SearchStrategy[Any], wanted: Any) -> Any:
    from hypothesis import find

    return find(strategy, wanted, settings=settings(database=None, deadline=None))
