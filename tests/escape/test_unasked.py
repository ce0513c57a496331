"""Mode rw, where code writes into the folder at once: what would later run unasked does not stay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Session, started
from tests.scripted_server import agent, serving, step

PLANT = """
import os, pathlib
def tried(act):
    try:
        act()
    except OSError as error:
        print(type(error).__name__)
for name in (".envrc", "sitecustomize.py", "sub/x.pth", "sub/deep/.vscode/tasks.json", ".git/hooks/post-checkout",
             "JUPYTER_server_config.py", "there/.git/hooks/pre-commit"):
    path = pathlib.Path(name)
    tried(lambda: path.parent.mkdir(parents=True, exist_ok=True) or path.write_text("evil"))
tried(lambda: os.symlink("/etc", "sub/.ssh"))
pathlib.Path("result.csv").write_text("1")
"""
LATER = """
import os, time
if os.fork() == 0:
    os.setsid()
    while not os.path.exists("go"):
        time.sleep(0.01)
    open(".bashrc", "w").write("evil"); open("gone", "w").close(); os._exit(0)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook's folder, with a repository below it."""
    made = tmp_path_factory.mktemp("work")
    (made / "there/.git/hooks").mkdir(parents=True)
    (made / "nb.ipynb").write_text("{}")
    return made


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Session]:
    """A kernel that writes at once."""
    with started(folder, {"CODEACT_WORKSPACE_MODE": "rw"}) as session:
        yield session


def names(folder: Path) -> set[str]:
    """Everything below it but the kernel's state."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    return {name for name in found if not name.startswith((".state", ".config"))}


def test_a_step_leaves_nothing_that_runs_unasked(kernel: Session, folder: Path) -> None:
    """It is renamed when the step is over, with its content; the model and the user are told."""
    last = step("import os; final_answer(os.path.exists('.envrc'))")
    with serving(step(PLANT), step("x = 1"), last) as server:
        result = kernel.wait(kernel.client.execute(agent(server.url)), 100)
    assert "made-by-code.envrc" in str(server.requests[2]["messages"])
    assert "made-by-code.envrc" in "".join(result.displays) + result.stream("stderr")
    assert "False" in "".join(result.displays)
    now = names(folder)
    assert not any(
        Path(name).name in (".envrc", "sitecustomize.py", "x.pth", ".vscode", ".ssh")
        for name in now
    )
    assert ".git" not in now
    assert "there/.git/hooks/pre-commit" not in now
    assert "result.csv" in now
    aside = [name for name in now if Path(name).name.startswith("made-by-code.")]
    assert len(aside) == 7
    (envrc,) = [name for name in aside if "envrc" in name]
    assert (folder / envrc).read_text() == "evil"


def test_what_a_step_left_running_makes_is_the_agents(kernel: Session, folder: Path) -> None:
    """A name that appears between the run and the user's next cell is renamed before that cell."""
    with serving(step(LATER), step("final_answer(1)")) as server:
        kernel.wait(kernel.client.execute(agent(server.url)), 100)
    (folder / "go").touch()
    while not (folder / "gone").exists():
        pass
    assert "bashrc" in kernel.run("1").stream("stderr")
    assert ".bashrc" not in names(folder)


def test_the_users_own_cells_may(kernel: Session, folder: Path) -> None:
    """What a cell of the user's makes stays, also through the next run."""
    kernel.run(
        "import os; os.makedirs('mine/.git', exist_ok=True); open('mine/.envrc', 'w').close()"
    )
    with serving(step("x = 1"), step("final_answer(1)")) as server:
        kernel.wait(kernel.client.execute(agent(server.url)), 100)
    assert {"mine/.git", "mine/.envrc"} <= names(folder)


def test_a_notebook_that_is_run_as_a_whole_lifts_nothing(kernel: Session) -> None:
    """What a stranger may have written counts only where its user can be asked: trust, and force."""
    for cell in ("%agent trust display", "%agent files keep --force .envrc"):
        refused = kernel.run(cell, allow_stdin=False)
        assert "run it yourself" in refused.error["evalue"]
    assert kernel.run("%agent distrust display", allow_stdin=False).reply["status"] == "ok"
