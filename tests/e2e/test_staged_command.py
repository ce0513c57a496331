"""`codeact run` in mode cow, and `codeact files` afterwards."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from tests.e2e.commands import SECONDS, command, environment
from tests.scripted_server import serving, step

WRITES = step("open('data.csv', 'a').write('3,4\\n'); open('sub/new.txt', 'w').write('new')")
DONE = step("final_answer('done')")


def codeact(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command in mode cow, with a state folder of its own."""
    state = folder.parent / "state"
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(XDG_STATE_HOME=str(state)),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def notebook_in(folder: Path) -> None:
    """A notebook with a cell of the user's and a task."""
    (folder / "sub").mkdir(parents=True)
    (folder / "data.csv").write_text("a,b\n")
    cells = [new_code_cell("open('mine.txt', 'w').write('mine')"), new_code_cell("%%agent\nGo.")]
    nbformat.write(new_notebook(cells=cells), folder / "n.ipynb")


def test_what_a_run_staged_is_decided_about_later(tmp_path: Path) -> None:
    """Own cells write, steps are staged; list, keep one, discard one, and nothing is left."""
    folder = tmp_path / "work"
    notebook_in(folder)
    with serving(WRITES, DONE) as server:
        ran = codeact(folder, "run", "n.ipynb", "--model", "openai/x", "--api-base", server.url)
    if "cannot be staged" in ran.stderr:
        return
    assert ran.returncode == 0, ran.stderr
    assert "2 changes staged, not yet in the folder: data.csv, sub/new.txt." in ran.stderr
    assert (folder / "mine.txt").read_text() == "mine"
    assert (folder / "data.csv").read_text() == "a,b\n"
    listed = codeact(folder, "files", "n.run.ipynb")
    assert "+3,4" in listed.stdout
    assert "sub/new.txt" in listed.stdout
    assert "2 changes staged" in codeact(folder, "files").stdout
    assert codeact(folder, "files", "n.ipynb", "keep").returncode == 2
    assert codeact(folder, "files", "n.ipynb", "keep", "data.csv").returncode == 0
    assert (folder / "data.csv").read_text() == "a,b\n3,4\n"
    assert codeact(folder, "files", "n.ipynb", "keep", "missing").returncode == 1
    assert "discarded" in codeact(folder, "files", "n.ipynb", "discard", "--all").stdout
    assert not (folder / "sub/new.txt").exists()
    assert codeact(folder, "files").stdout == "Nothing is staged.\n"


def test_keep_puts_everything_in_place_at_the_end(tmp_path: Path) -> None:
    """`--keep` is the user's yes in advance; protected names stay out all the same."""
    folder = tmp_path / "work"
    notebook_in(folder)
    code = "open('.envrc', 'w').write('x'); open('report.txt', 'w').write('r')"
    with serving(step(code), DONE) as server:
        address = ("--model", "openai/x", "--api-base", server.url)
        ran = codeact(folder, "run", "n.ipynb", "--keep", *address)
    assert ran.returncode == 0, ran.stderr
    assert (folder / "report.txt").read_text() == "r"
    assert not (folder / ".envrc").exists()
    assert ".envrc" in ran.stderr
    assert "protected" in ran.stderr
