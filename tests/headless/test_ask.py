"""A notebook made of a sentence and files."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeact_kernel.errors import UsageError
from codeact_kernel.headless import ask
from codeact_kernel.kernel.cells.agent_cell import AgentCell, fill, read


def test_title_files_task() -> None:
    """The notebook has a title, a cell that says where the files are, and the agent cell."""
    made = ask.notebook("Which station is busiest?\nPlot it.", ["data.csv", "sub/b's.csv"])
    nbformat.validate(made)
    title, where, task = (cell.source for cell in made.cells)
    assert title == "# Which station is busiest?"
    assert where == """files = ['data.csv', "sub/b's.csv"]"""
    assert task.startswith("%%agent\nWhich station is busiest?\nPlot it.\n")
    assert "`files`" in task


def test_without_files_there_is_no_cell_for_them() -> None:
    """A task alone is a title and an agent cell."""
    assert len(ask.notebook("Count to ten", []).cells) == 2


@pytest.mark.parametrize("task", ["", "  \n "])
def test_an_empty_task_is_wrong_usage(task: str) -> None:
    """There is nothing to do."""
    with pytest.raises(UsageError, match="empty"):
        ask.notebook(task, [])


@given(st.text("{}ab1_ \n-é", min_size=1).filter(lambda text: text.strip()))
def test_the_kernel_reads_the_task_as_it_was_given(task: str) -> None:
    """Braces, dashes and line ends of the command line's task reach the model unchanged."""
    cell = read(ask.notebook(task, []).cells[-1].source)
    assert isinstance(cell, AgentCell)
    assert fill(cell.task, {}) == task.strip()


def test_a_free_name_is_found(tmp_path: Path) -> None:
    """No notebook is written over that the user did not name."""
    assert ask.default_out("Plot the Bikes!", tmp_path).name == "plot-the-bikes.ipynb"
    (tmp_path / "plot-the-bikes.ipynb").write_text("")
    assert ask.default_out("Plot the Bikes!", tmp_path).name == "plot-the-bikes-2.ipynb"
    assert ask.default_out("数える", tmp_path).name == "task.ipynb"


def test_a_home_is_not_shown_so_a_folder_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the home folder, or above it, the notebook gets a folder of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    out = ask.default_out("Plot it", tmp_path)
    assert out == tmp_path / "codeact-plot-it" / "plot-it.ipynb"
    assert not ask.is_shown(tmp_path)
    assert not ask.is_shown(tmp_path.parent)
    assert ask.is_shown(tmp_path / "work")
    (tmp_path / "codeact-plot-it").mkdir()
    assert ask.default_out("Plot it", tmp_path).parent.name == "codeact-plot-it-2"


def test_files_in_the_folder_stay_and_others_are_copied(tmp_path: Path) -> None:
    """The agent sees one folder, so that is where the files have to be."""
    work, away = tmp_path / "work", tmp_path / "away"
    (work / "sub").mkdir(parents=True)
    away.mkdir()
    (work / "sub" / "in.csv").write_text("in")
    (away / "out.csv").write_text("out")
    names, copied = ask.gather([work / "sub" / "in.csv", away / "out.csv"], work)
    assert names == ["sub/in.csv", "out.csv"]
    assert copied == ["out.csv"]
    assert (work / "out.csv").read_text() == "out"
    assert ask.gather([away / "out.csv"], work) == (["out.csv"], [])


def test_no_file_is_written_over(tmp_path: Path) -> None:
    """Another file of that name is there: say it, change nothing."""
    work, away = tmp_path / "work", tmp_path / "away"
    work.mkdir()
    away.mkdir()
    (work / "a.csv").write_text("mine")
    (away / "a.csv").write_text("other")
    with pytest.raises(UsageError, match="another file"):
        ask.gather([away / "a.csv"], work)
    assert (work / "a.csv").read_text() == "mine"


def test_a_link_in_the_folder_is_not_written_through(tmp_path: Path) -> None:
    """A dangling link where the copy would go is another file too."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "a.csv").symlink_to(tmp_path / "target")
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(UsageError, match="another file"):
        ask.gather([tmp_path / "a.csv"], work)
    assert not (tmp_path / "target").exists()


def test_a_missing_file_and_a_folder_from_elsewhere_are_wrong_usage(tmp_path: Path) -> None:
    """Both are said by name."""
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(UsageError, match=r"no file .*none\.csv"):
        ask.gather([tmp_path / "none.csv"], work)
    with pytest.raises(UsageError, match="not a plain file"):
        ask.gather([tmp_path], work)
