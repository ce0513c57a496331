"""Names that run unasked: found while an agent is at work, renamed in place, the user's own left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codeact_kernel.sandbox.unasked import Unasked, runs_unasked


@pytest.fixture
def at_work(tmp_path: Path) -> Unasked:
    """In a folder in which the user has a repository and code may write."""
    (tmp_path / "mine/.git").mkdir(parents=True)
    unasked = Unasked(tmp_path)
    unasked.writes = True
    unasked.run_begins()
    return unasked


@pytest.mark.parametrize(
    "name",
    [
        ".git",
        ".GIT",
        ".envrc",
        "x.pth",
        "Sitecustomize.py",
        "jupyter_notebook_config.json",
        "a.desktop",
    ],
)
def test_what_runs_unasked(name: str) -> None:
    """By its name alone, in any case: some file systems do not tell them apart."""
    assert runs_unasked(name)


@pytest.mark.parametrize(
    "name", ["git", ".gitignore", "data.csv", "config.py", ".x.swp", ".~nb.ipynb"]
)
def test_what_does_not(name: str) -> None:
    """Among it what editors, notebooks and caches leave for a moment."""
    assert not runs_unasked(name)


def test_the_agents_are_renamed_and_the_users_stay(at_work: Unasked, tmp_path: Path) -> None:
    """Folders with all that is in them, links without following them; said once."""
    (tmp_path / ".git/hooks").mkdir(parents=True)
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/.envrc").symlink_to("/etc/passwd")
    at_work.put_aside()
    told = at_work.told()
    assert ".git is now made-by-code.git.aside-" in told
    assert at_work.told() == ""
    assert (tmp_path / "mine/.git").is_dir()
    (hooks,) = tmp_path.glob("made-by-code.git.aside-*/hooks")
    assert hooks.is_dir()
    (link,) = tmp_path.glob("deep/er/made-by-code.envrc.aside-*")
    assert os.readlink(link) == "/etc/passwd"
    at_work.put_aside()
    assert at_work.told() == ""


def test_the_users_cells_may(at_work: Unasked, tmp_path: Path) -> None:
    """What is made while a cell of theirs runs is theirs, also in the next run."""
    at_work.own_cell_begins()
    (tmp_path / ".envrc").touch()
    at_work.put_aside()
    at_work.run_begins()
    at_work.put_aside()
    assert (tmp_path / ".envrc").exists()


def test_a_folder_that_is_not_written_to_is_not_looked_at(tmp_path: Path) -> None:
    """A home that is not shown to code, a folder that is staged: whose names these are is not ours to say."""
    unasked = Unasked(tmp_path)
    unasked.run_begins()
    (tmp_path / ".bashrc").touch()
    unasked.put_aside()
    assert (tmp_path / ".bashrc").exists()


def test_who_cannot_look_says_so(at_work: Unasked, tmp_path: Path) -> None:
    """The folder is gone, or shut."""
    tmp_path.rename(tmp_path.with_name("moved"))
    at_work.put_aside()
    assert "could not be seen" in at_work.told()
