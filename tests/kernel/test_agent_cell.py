"""What a cell's text asks for."""

from __future__ import annotations

import pytest

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.cells.agent_cell import (
    AgentCell,
    CheckpointCell,
    ContinueCell,
    HelpCell,
    PlainCell,
    WrongCell,
    fill,
    names_in,
    read,
)
from codeact_kernel.kernel.cells.agent_options import Options, options_of


@pytest.mark.parametrize(
    ("text", "task", "options"),
    [
        ("%%agent\nPlot it.", "Plot it.", Options()),
        ("\n\n%%agent\n\nPlot it.\nThen stop.\n", "Plot it.\nThen stop.", Options()),
        ("%agent Plot it.", "Plot it.", Options()),
        ("%agent don't stop", "don't stop", Options()),
        ("%%agent --steps 3 --model a/b\nGo", "Go", Options(steps=3, model="a/b")),
        ("%%agent --steps=3\nGo", "Go", Options(steps=3)),
        ("%agent --vision go on", "go on", Options(vision=True)),
        ("%%agent --no-vision --budget $0.5\nx", "x", Options(vision=False, budget=0.5)),
        (
            "%%agent --approve risky first line\nsecond",
            "first line\nsecond",
            Options(approve="risky"),
        ),
        ('%%agent --model "replay/my file.ipynb"\nx', "x", Options(model="replay/my file.ipynb")),
        ("%%agent --without shell,search\nx", "x", Options(without=("shell", "search"))),
        ("%agent -- --steps is an option", "--steps is an option", Options()),
        ("%agent --api-base http://h:1/v1 hi", "hi", Options(api_base="http://h:1/v1")),
        ("%%agent\ncontinue the series 1, 2, 3", "continue the series 1, 2, 3", Options()),
    ],
)
def test_a_task_and_its_options(text: str, task: str, options: Options) -> None:
    """Options stand before the task; everything behind them is the task to the letter."""
    assert read(text) == AgentCell(task=task, options=options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("%%agent", "no task"),
        ("%%agent --steps 3\n  \n", "no task"),
        ("%agent", "no task"),
        ("%%agent --stepz 3\nx", "--stepz is not an option"),
        ("%%agent --steps\nx", "--steps needs a value"),
        ("%%agent --model --steps 3\nx", "--model needs a value"),
        ("%%agent --steps many\nx", "whole number"),
        ("%%agent --steps 0\nx", "whole number"),
        ("%%agent --budget -1\nx", "greater than 0"),
        ("%%agent --approve maybe\nx", "never, ask, risky"),
        ("%%agent ---\nx", "not an option"),
        ("%agent do this\nprint(1)", "one line"),
        ("x = 1\n%agent use x", "only thing"),
        ("x = 1\n%%agent\nuse x", "only thing"),
        ("%agent = 1", "assignment"),
        ("%agent += 1", "assignment"),
        ("%%agent =\nx", "assignment"),
    ],
)
def test_mistakes_are_one_sentence(text: str, words: str) -> None:
    """What was meant for the agent and is wrong is said in one sentence that names it."""
    cell = read(text)
    assert isinstance(cell, WrongCell)
    assert words in cell.sentence


@pytest.mark.parametrize(
    "text",
    [
        "1+1",
        "agent = 1",
        "%agents",
        "%%agentic\nx",
        "print('%agent')",
        "x % agent",
        "%agent_x = 1",
        "notes = '''\n%agent do it\n'''",
        "%%writefile notes.md\n%agent do it\n%%agent\ndo it",
        "",
    ],
)
def test_other_cells_are_left_alone(text: str) -> None:
    """Code that only looks a little like it stays code."""
    assert read(text) == PlainCell()


def test_continue_and_help() -> None:
    """`continue` takes options before and after it and words; `help` stands alone."""
    assert read("%agent continue") == ContinueCell(words="", options=Options())
    assert read("%agent continue --steps 5 now in red") == ContinueCell(
        words="now in red", options=Options(steps=5)
    )
    assert read("%agent help") == HelpCell()
    assert read("%%agent help") == HelpCell()
    assert isinstance(read("%agent help me with x"), AgentCell)


def test_values_are_filled_in() -> None:
    """`{name}` becomes the value once, `{{name}}` the plain text, other braces stay as they are."""
    task = 'Use {a} and {{b}}, not {not a name} or {} or {"k": {"v": 1}}.'
    assert names_in(task) == ("a",)
    assert fill(task, {"a": "{b}"}) == 'Use {b} and {b}, not {not a name} or {} or {"k": {"v": 1}}.'


def test_an_undefined_name_is_said() -> None:
    """A `{name}` that is no variable is a usage error that names it."""
    with pytest.raises(UsageError, match="no variable b is defined"):
        fill("{a} {b}", {"a": "1"})


def test_overrides_are_checked_like_options() -> None:
    """What a front end sends as overrides goes through the same checks, and wins over the cell's."""
    assert options_of({"steps": 3, "api-base": "http://x"}) == Options(steps=3, api_base="http://x")
    assert Options(steps=3).over(Options(steps=9, model="m")) == Options(steps=3, model="m")
    for wrong in ({"steps": "x"}, {"unknown": 1}, {"vision": "yes"}, {"model": 3}):
        with pytest.raises(UsageError):
            options_of(wrong)


@pytest.mark.parametrize(
    ("code", "cell"),
    [
        ("%agent checkpoint clean", CheckpointCell(verb="checkpoint", which="clean")),
        ("%agent checkpoint", CheckpointCell(verb="checkpoint")),
        ("%agent rewind", CheckpointCell(verb="rewind")),
        ("%agent rewind 3 --force", CheckpointCell(verb="rewind", which="3", force=True)),
        ("%agent redo --force", CheckpointCell(verb="redo", force=True)),
        ("%agent branches", CheckpointCell(verb="branches")),
    ],
)
def test_checkpoints_are_verbs(code: str, cell: CheckpointCell) -> None:
    """Each with at most one number or name."""
    assert read(code) == cell


@pytest.mark.parametrize(
    "code", ["%agent rewind the tape to 3", "%agent redo it", "%%agent\nrewind"]
)
def test_more_words_are_a_task(code: str) -> None:
    """Who writes a sentence gives a task, even when it begins with a verb of ours."""
    assert isinstance(read(code), AgentCell)


def test_a_checkpoints_name_is_no_number() -> None:
    """Numbers are the table's own."""
    assert isinstance(read("%agent checkpoint 3"), WrongCell)
