"""Edits while a run goes on."""

from __future__ import annotations

from typing import Any

import pytest

from codeact_kernel.trace import notebook
from codeact_kernel.trace.cells import is_valid_id, step_cell_id, step_cells
from codeact_kernel.trace.digest import digest
from codeact_kernel.trace.edits import (
    DeleteCell,
    Edit,
    FollowOutputs,
    InsertCell,
    RestoreCell,
    SaveNotebook,
    SetMetadata,
    SetNotebookMetadata,
    SetOutputs,
    SetSource,
    apply,
    from_json,
    merged,
    new_cell,
    to_json,
)
from codeact_kernel.trace.events import (
    CodeProposed,
    CodeStarted,
    Event,
    ReplyGrew,
    Rewound,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from codeact_kernel.trace.layout import Layout
from codeact_kernel.trace.markdown import harmless_markdown
from codeact_kernel.trace.text import without_ansi
from codeact_kernel.trace.values import (
    Image,
    Message,
    Observation,
    Outcome,
    Reply,
    Rewind,
    Status,
    Step,
)

REPLY = Reply(text="t", model="m", prompt="p")


def names(edits: tuple[Edit, ...]) -> list[tuple[str, str]]:
    """Kind and cell of each edit."""
    return [(type(edit).__name__, getattr(edit, "cell", "")) for edit in edits]


def begun(layout: Layout, run: str = "r", cell: str = "a") -> None:
    """A run with its first step open."""
    layout.edits(RunStarted(id=run, task="t", model="m", cell=cell))
    layout.edits(StepStarted(run=run, number=1, cell="c1"))


def test_a_step_grows_into_its_cells() -> None:
    """The thought first, then the code below it, each grown in place, then it runs and is told."""
    layout = Layout()
    begun(layout)
    grow = [("Lo", ""), ("Look.", ""), ("Look.", "x"), ("Look.", "x = 1")]
    edits = [layout.edits(ReplyGrew(run="r", number=1, thought=t, code=c)) for t, c in grow]
    assert [names(each) for each in edits] == [
        [("InsertCell", "c1-thought")],
        [("SetSource", "c1-thought")],
        [("InsertCell", "c1")],
        [("SetSource", "c1")],
    ]
    assert isinstance(edits[2][0], InsertCell)
    assert edits[2][0].after == "c1-thought"
    proposed = CodeProposed(run="r", number=1, cell="c1", thought="Look.", code="x = 1")
    assert names(layout.edits(proposed)) == [("SetMetadata", "c1")]
    ran = layout.edits(CodeStarted(run="r", number=1, cell="c1", code="x = 2"))
    assert names(ran) == [("SetSource", "c1"), ("SetMetadata", "c1")]


def test_words_that_turn_out_to_be_the_answer() -> None:
    """The growing thought is taken back and the answer stands in its place."""
    layout = Layout()
    begun(layout)
    layout.edits(ReplyGrew(run="r", number=1, thought="It is 2.", code=""))
    step = Step(number=1, cell="c1", replies=(REPLY,), answer="It is 2.")
    edits = layout.edits(StepFinished(run="r", step=step))
    assert names(edits)[:2] == [("DeleteCell", "c1-thought"), ("InsertCell", "c1")]


def test_what_was_given_up_is_taken_back() -> None:
    """A run that fails while the model writes leaves no half-written cells."""
    layout = Layout()
    begun(layout)
    layout.edits(ReplyGrew(run="r", number=1, thought="Look.", code="x"))
    edits = layout.edits(RunFinished(run="r", outcome=Outcome.FAILED, reason="Gone."))
    assert names(edits)[:2] == [("DeleteCell", "c1-thought"), ("DeleteCell", "c1")]


def test_a_step_that_is_not_run_shows_why() -> None:
    """Nobody executes its cell, so its output comes with an edit."""
    layout = Layout()
    begun(layout)
    output = {"output_type": "stream", "name": "stderr", "text": "no\n"}
    refused = Observation(status=Status.NOT_RUN, text="no", outputs=(output,))
    step = Step(number=1, cell="c1", replies=(REPLY,), code="x", observation=refused)
    edits = layout.edits(StepFinished(run="r", step=step))
    assert SetOutputs(cell="c1", outputs=(output,)) in edits


def test_an_answer_is_shown_once() -> None:
    """A table that the step displays is not repeated as text; a plain answer is made readable."""
    for data, roles in (
        ({"text/plain": "a b"}, ["step", "answer"]),
        ({"text/plain": "a b", "text/html": "<table>"}, ["step"]),
    ):
        output = {"output_type": "display_data", "data": data, "metadata": {}}
        done = Observation(status=Status.OK, text="", outputs=(output,))
        step = Step(number=1, cell="c", replies=(), code="x", observation=done, answer="a b")
        assert [cell.metadata["role"] for cell in step_cells("r", step)] == roles


def test_a_continuation_from_another_cell_goes_below_that_cell() -> None:
    """Its steps stand where the user asked; the header stays with the first agent cell."""
    layout, made = Layout(), notebook.blank()
    made["cells"] = [agent("a"), agent("b")]
    events: list[tuple[str, Event]] = [
        ("a", RunStarted(id="r", task="t", model="m", cell="a")),
        ("a", StepFinished(run="r", step=Step(number=1, cell="c1", replies=(REPLY,), code="x"))),
        ("a", RunFinished(run="r", outcome=Outcome.STEP_LIMIT)),
        ("b", RunStarted(id="r", task="more", model="m", cell="b")),
        ("b", StepFinished(run="r", step=Step(number=2, cell="c2", replies=(REPLY,), code="y"))),
        ("b", RunFinished(run="r", outcome=Outcome.ANSWER, answer="2")),
    ]
    for asked, event in events:
        for edit in layout.edits(event):
            apply(edit, made["cells"], made["metadata"], asked)
    assert [cell["id"] for cell in made["cells"]] == ["a", "c1", "b", "c2"]
    reading = notebook.survey(made)
    assert reading.skipped == ()
    run = reading.trace.runs[0]
    assert (run.cell, run.added, run.outcome) == ("a", ("more",), Outcome.ANSWER)
    assert [step.number for step in run.steps] == [1, 2]


def agent(name: str) -> dict[str, Any]:
    """A cell that sends requests."""
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {},
        "source": "%%agent",
        "outputs": [],
        "execution_count": None,
    }


@pytest.mark.parametrize(
    "edit",
    [
        InsertCell(cell="c", after="", cell_type="code", source="x", metadata={"role": "step"}),
        SetSource(cell="c", source="x"),
        SetOutputs(cell="c", outputs=({"output_type": "stream", "name": "stdout", "text": "x"},)),
        FollowOutputs(cell="c", msg_id="m"),
        SetMetadata(cell="", metadata={"role": "agent"}),
        DeleteCell(cell="c"),
        SetNotebookMetadata(metadata={"version": 1, "runs": []}),
        SaveNotebook(),
    ],
)
def test_every_edit_survives_json(edit: Edit) -> None:
    """to_json is what docs/panel.md says, from_json gives the same edit."""
    data = to_json(edit)
    assert data["op"] in (
        "insert",
        "source",
        "outputs",
        "follow",
        "metadata",
        "delete",
        "notebook",
        "save",
    )
    assert from_json(data) == edit


@pytest.mark.parametrize("data", [{}, {"op": "explode"}, {"op": "source", "cell": "c"}])
def test_what_is_no_edit_is_refused(data: dict[str, Any]) -> None:
    """Unknown operations and missing fields raise."""
    with pytest.raises((ValueError, TypeError)):
        from_json(data)


def test_notebook_metadata_is_merged_by_run() -> None:
    """Runs of an earlier session stay; the same run is replaced in its place."""
    old = {"version": 1, "runs": [{"id": "a", "chain": "1"}, {"id": "b", "chain": "2"}]}
    new = {"version": 1, "runs": [{"id": "a", "chain": "3"}, {"id": "c", "chain": "4"}]}
    assert [run["id"] + run["chain"] for run in merged(old, new)["runs"]] == ["a3", "b2", "c4"]
    assert merged("damaged", new) == new


def test_cell_ids_are_always_valid() -> None:
    """nbformat's rule holds for any run id; the same run and number give the same id."""
    for run in ("abc", "", "ü/..", "x" * 64, "x" * 500):
        assert is_valid_id(step_cell_id(run, 3))
        assert step_cell_id(run, 3) == step_cell_id(run, 3) != step_cell_id(run, 4)


def test_markdown_of_a_model_loads_nothing() -> None:
    """Images, links and HTML become visible text: their addresses could carry data out."""
    for text in (
        "![x](http://a/?secret)",
        "<img src='http://a'>",
        "\\<img src='http://a'>",
        "<!--",
    ):
        shown = harmless_markdown(text)
        assert "](" not in shown
        assert "<i" not in shown
        assert "<!" not in shown
    assert harmless_markdown("a < b, **bold**, `a[0]`") == "a < b, **bold**, `a[0]`"
    assert harmless_markdown("[link](http://a)") == "link (http://a)"


def test_a_digest_depends_on_every_word() -> None:
    """Role, text and images count; the same conversation has the same digest everywhere."""
    base = (Message(role="user", text="a"),)
    assert digest(base) == digest((Message(role="user", text="a"),))
    assert len(digest(base)) == 64
    others = [
        (Message(role="system", text="a"),),
        (Message(role="user", text="b"),),
        (Message(role="user", text="a", images=(Image(mime="image/png", data="x"),)),),
        base * 2,
        (),
    ]
    assert len({digest(each) for each in (base, *others)}) == 6
    assert digest((Message(role="user", text="\ud800"),))


def test_ansi_is_taken_out() -> None:
    """Colours, cursor movements and links go, text stays."""
    text = "\x1b[1;31mred\x1b[0m \x1b]8;;http://a\x07link\x1b]8;;\x07 \x1b[2K\x1b[38;5;28;01mx"
    assert without_ansi(text) == "red link x"


@pytest.mark.parametrize(
    ("thought", "source"),
    [
        ("I load it.", "**Step 4.** I load it."),
        ("# Plan\nI load it.", "**Step 4.**\n\n# Plan\nI load it."),
        ("1. load", "**Step 4.**\n\n1. load"),
    ],
)
def test_a_thought_says_which_step_speaks(thought: str, source: str) -> None:
    """A reader tells the agent's prose from the author's, and a heading or list stays one."""
    step = Step(number=4, cell="c4", replies=(REPLY,), thought=thought, code="1")
    assert step_cells("r", step)[0].source == source


def test_steps_that_were_taken_back_are_marked_and_stay() -> None:
    """A rewind marks the cells of the steps that count no more, going forward again takes the marks off."""
    layout = Layout()
    begun(layout)
    for number in (1, 2):
        step = Step(number=number, cell=f"c{number}", replies=(), code="x")
        layout.edits(StepFinished(run="r", step=step))
    back = layout.edits(Rewound(run="r", rewind=Rewind(taken=2, kept=(1,), to="there")))
    marks = {e.cell: e.metadata.get("stale", False) for e in back if isinstance(e, SetMetadata)}
    assert marks == {"c2": True, "a": False}
    forward = layout.edits(Rewound(run="r", rewind=Rewind(taken=2, kept=(1, 2), to="back")))
    marks = {e.cell: e.metadata.get("stale", False) for e in forward if isinstance(e, SetMetadata)}
    assert marks == {"c2": False, "a": False}


def again(layout: Layout) -> None:
    """Run r from cell a with step 1, continued from cell b with step 2; then cell a runs as s."""
    for run, cell, number in (("r", "a", 1), ("r", "b", 2), ("s", "a", 1)):
        layout.edits(RunStarted(id=run, task="t", model="m", cell=cell))
        step = Step(number=number, cell=f"{run}{number}", replies=(), code="x")
        layout.edits(StepFinished(run=run, step=step))
        layout.edits(RunFinished(run=run, outcome=Outcome.STEP_LIMIT))


def test_an_agent_cell_that_is_run_again_has_only_its_new_run() -> None:
    """As outputs are: what the cell made before is not restored; what a continuation made stays, stale."""
    layout = Layout()
    again(layout)
    restored = {e.cell: e for e in layout.restored() if isinstance(e, RestoreCell)}
    assert list(restored) == ["b", "r2", "a", "s1"]
    assert restored["r2"].metadata["stale"] is True
    assert "stale" not in restored["s1"].metadata
    assert restored["a"].metadata["run"]["id"] == "s"


def test_the_header_of_a_replaced_run_is_not_written_again() -> None:
    """Going back to a state of the run before leaves the agent cell to the run that is in the notebook."""
    layout = Layout()
    again(layout)
    edits = layout.edits(Rewound(run="r", rewind=Rewind(taken=2, kept=(1,), to="there")))
    assert not [edit for edit in edits if getattr(edit, "cell", "") == "a"]
    assert not [edit for edit in edits if isinstance(edit, SetNotebookMetadata)]


def test_a_cell_that_continues_another_run_has_only_that() -> None:
    """The continuing cell is run again, too: what the run before made below it is not restored."""
    layout = Layout()
    again(layout)
    layout.edits(RunStarted(id="s", task="", model="m", cell="b"))
    cells = [e.cell for e in layout.restored() if isinstance(e, RestoreCell)]
    assert cells == ["a", "b", "s1"]


def test_a_cell_that_continues_twice_keeps_the_order_of_its_steps() -> None:
    """Steps of the same cell stand below each other, the later ones last."""
    layout = Layout()
    begun(layout)
    for number in (1, 2):
        layout.edits(RunStarted(id="r", task="", model="m", cell="b"))
        layout.edits(StepStarted(run="r", number=number + 1, cell=f"b{number}"))
        step = Step(number=number + 1, cell=f"b{number}", replies=(), code="x")
        edits = layout.edits(StepFinished(run="r", step=step))
    assert isinstance(edits[0], InsertCell)
    assert (edits[0].cell, edits[0].after) == ("b2", "b1")


def test_a_notebook_that_missed_everything_is_restored() -> None:
    """What is restored are the cells, sources and metadata that the edits made, in their order."""
    layout = Layout()
    output = {"output_type": "stream", "name": "stdout", "text": "1"}
    ran = Observation(status=Status.OK, text="1", outputs=(output,))
    events: list[Event] = [
        RunStarted(id="r", task="t", model="m", cell="a"),
        StepStarted(run="r", number=1, cell="c1"),
        StepFinished(
            run="r",
            step=Step(
                number=1, cell="c1", replies=(REPLY,), thought="Look.", code="x", observation=ran
            ),
        ),
        RunFinished(run="r", outcome=Outcome.STEP_LIMIT, reason="Enough."),
        RunStarted(id="r", task="more", model="m", cell="b"),
        StepStarted(run="r", number=2, cell="c2"),
        StepFinished(
            run="r", step=Step(number=2, cell="c2", replies=(REPLY,), code="y", observation=ran)
        ),
        StepStarted(run="r", number=3, cell="c3"),
        ReplyGrew(run="r", number=3, thought="", code="z"),
    ]
    made, restored = (
        [new_cell(name, "code", "%%agent", {}) for name in ("a", "b")] for _ in range(2)
    )
    for place, event in enumerate(events):
        for edit in layout.edits(event):
            apply(edit, made, {}, "a" if place < 4 else "b")
    for edit in layout.restored():
        if isinstance(edit, RestoreCell):
            if edit.cell not in ("a", "b"):
                fields = {"cell_type": edit.cell_type, "source": edit.source}
                insert = InsertCell(cell=edit.cell, after=edit.after, metadata={}, **fields)
                apply(insert, restored, {}, "")
            apply(SetMetadata(cell=edit.cell, metadata=edit.metadata), restored, {}, "")
    assert restored == made
