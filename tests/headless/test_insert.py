"""Edits done to an nbformat notebook, and what an earlier run left taken out again."""

from __future__ import annotations

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from codeact_kernel.headless import insert
from codeact_kernel.trace import edits


def notebook() -> NotebookNode:
    cells = [new_code_cell("x = 1", id="a"), new_code_cell("%%agent\ndo it", id="b")]
    return new_notebook(cells=[*cells, new_code_cell("x", id="c")])


STEP = edits.InsertCell(
    cell="s1",
    after="",
    cell_type="code",
    source="1+1",
    metadata={"role": "step", "run": "r", "step": 1},
)


def test_a_step_goes_below_the_cell_that_runs() -> None:
    """`after` "" means the agent cell; the result is a valid notebook of nodes."""
    made = notebook()
    insert.apply(made, STEP, "b")
    assert [cell.id for cell in made.cells] == ["a", "b", "s1", "c"]
    assert made.cells[2].metadata.codeact.role == "step"
    nbformat.validate(made)


def test_an_edit_done_twice_changes_nothing() -> None:
    """The kernel may say a thing again."""
    made = notebook()
    for _ in range(2):
        insert.apply(made, STEP, "b")
        insert.apply(made, edits.SetSource(cell="s1", source="2"), "b")
    assert [cell.source for cell in made.cells] == ["x = 1", "%%agent\ndo it", "2", "x"]


def test_outputs_that_are_set_are_nodes() -> None:
    """A refusal shown as output can be written as any other."""
    made = notebook()
    insert.apply(made, STEP, "b")
    output = {"output_type": "stream", "name": "stderr", "text": "refused\n"}
    insert.apply(made, edits.SetOutputs(cell="s1", outputs=(output,)), "b")
    assert made.cells[2].outputs[0].text == "refused\n"
    nbformat.v4.writes(made)


def test_a_markdown_cell_can_be_inserted_and_taken_back() -> None:
    """Thoughts are markdown; one that became something else is deleted."""
    made = notebook()
    thought = edits.InsertCell(cell="t", after="b", cell_type="markdown", source="Hm.", metadata={})
    insert.apply(made, thought, "b")
    nbformat.validate(made)
    insert.apply(made, edits.DeleteCell(cell="t"), "b")
    assert [cell.id for cell in made.cells] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("source", "is_agent"),
    [
        ("%%agent\ntask", True),
        ("\n%%agent --steps 3\ntask", True),
        ("%%agents\ntask", False),
        ("x = '%%agent'", False),
        ("%agent say hello", True),
        ("%%time\n1", False),
    ],
)
def test_which_cell_starts_a_run(source: str, is_agent: bool) -> None:
    """An agent cell begins with its magic."""
    assert insert.is_agent(new_code_cell(source)) is is_agent


def test_pieces_of_one_stream_are_one_output() -> None:
    """What was printed in pieces reads as one text; another stream between keeps its place."""
    cell = new_code_cell("x")
    for name, text in [("stdout", "a"), ("stdout", "b"), ("stderr", "c"), ("stdout", "d")]:
        cell.outputs.append(new_output("stream", name=name, text=text))
        insert.join_streams(cell)
    assert [output.text for output in cell.outputs] == ["ab", "c", "d"]


def test_a_run_again_starts_from_the_users_own_cells() -> None:
    """Thought, step and answer of an earlier run go, with our metadata; everything else stays."""
    made = notebook()
    made.cells[1].metadata["codeact"] = {"role": "agent", "run": {"id": "r"}}
    made.metadata["codeact"] = {"version": 1, "runs": [{"id": "r"}]}
    for role in ("thought", "step", "answer"):
        cell = new_markdown_cell("old", metadata={"codeact": {"role": role, "run": "r"}})
        made.cells.insert(2, cell)
    made.cells.insert(3, new_code_cell("mine", id="mine"))
    insert.without_runs(made)
    assert [cell.id for cell in made.cells] == ["a", "b", "mine", "c"]
    assert "codeact" not in made.cells[1].metadata
    assert "codeact" not in made.metadata


def test_steps_whose_agent_cell_is_gone_are_the_users() -> None:
    """Without an agent cell above them nothing would make them again."""
    step = new_code_cell("kept", metadata={"codeact": {"role": "step", "run": "r"}})
    made = insert.without_runs(new_notebook(cells=[step]))
    assert [cell.source for cell in made.cells] == ["kept"]


@pytest.mark.parametrize("ours", [None, 7, "step", {"role": ["step"]}, {"role": {}}])
def test_metadata_that_is_not_ours_stays(ours: object) -> None:
    """Whatever else stands under our key is taken for no step."""
    made = notebook()
    made.cells[2].metadata["codeact"] = ours
    assert len(insert.without_runs(made).cells) == 3
