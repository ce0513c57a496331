"""The notebook's folder: what of it is seen, written, protected and hidden, and when not at all."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from codeact_kernel.sandbox import visible as visibles
from codeact_kernel.sandbox import workspace as workspaces
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.workspace import Workspace, home_folders
from tests.sandbox.conftest import Start
from tests.sandbox.test_walls import TRY

HOMES = ("/home/somebody",)


def examined(folder: Path, mode: str = "rw", homes: tuple[str, ...] = HOMES) -> Workspace:
    """The folder as a sandbox would be given it."""
    policy = replace(Policy.strict(folder), workspace_mode=mode)
    return workspaces.examine(policy, homes, visibles.environment(homes, "/"))


async def test_files_are_read_and_it_is_the_working_directory(
    start: Start, strict: Policy, workspace: Path
) -> None:
    """Code finds the notebook's data beside it, in both modes and grades."""
    for mode in ("ro", "rw"):
        inside = await start(replace(strict, workspace=workspace, workspace_mode=mode))
        assert await inside.run("answer = open('data.csv').read()") == "a,b\n1,2\n"
        assert await inside.run("import os; answer = os.getcwd()") == str(workspace)
        assert await inside.run("answer = config['workspace']") == str(workspace)


async def test_ro_takes_no_change(start: Start, strict: Policy, workspace: Path) -> None:
    """With mode "ro" nothing is made, changed or deleted, and the report says so."""
    inside = await start(replace(strict, workspace=workspace, workspace_mode="ro"))
    results = await inside.run(
        TRY
        + """
import os
answer = [
    tried(lambda: open("new", "x")),
    tried(lambda: open("data.csv", "a")),
    tried(lambda: os.remove("data.csv")),
    tried(lambda: open("plain/new", "x")),
]
"""
    )
    assert "done" not in results
    assert inside.sandbox.report.workspace == "ro"


async def test_what_rw_makes_belongs_to_the_folders_owner(start: Start, workspace: Path) -> None:
    """Outside, a file from inside has the owner of the folder, not the sandbox's user."""
    policy = replace(Policy.strict(workspace), isolation="namespaces")
    inside = await start(policy)
    assert inside.sandbox.report.workspace == "rw"
    await inside.run(
        "import os; open('new', 'w').write('x'); os.mkdir('folder'); os.remove('data.csv')"
    )
    owners = {(workspace / name).stat().st_uid for name in ("new", "folder", "notebook.ipynb")}
    assert owners == {os.stat(workspace).st_uid}
    assert not (workspace / "data.csv").exists()


async def test_a_folder_private_to_root_is_shown_all_the_same(
    start: Start, workspace: Path
) -> None:
    """Mode 0700 keeps other users out, not the notebook's own code."""
    os.chmod(workspace, 0o700)
    (workspace / "data.csv").chmod(0o600)
    inside = await start(replace(Policy.strict(workspace), isolation="namespaces"))
    assert await inside.run("answer = open('data.csv').read()") == "a,b\n1,2\n"


async def test_landlock_writes_where_nothing_is_protected(start: Start, workspace: Path) -> None:
    """Without namespaces plain folders and files can be changed, and the report says what cannot."""
    inside = await start(replace(Policy.strict(workspace), isolation="landlock"))
    if os.stat(workspace).st_uid != inside.sandbox.report.uid:
        pytest.skip("the sandbox's user does not own the folder")
    assert inside.sandbox.report.workspace == "partly"
    assert any("New files" in note for note in inside.sandbox.report.notes)
    await inside.run("open('plain/new', 'x'); open('data.csv', 'a').write('3,4')")
    assert (workspace / "plain/new").exists()
    assert (workspace / "data.csv").read_text().endswith("3,4")


async def test_secrets_cannot_be_read_wherever_they_lie(
    start: Start, strict: Policy, workspace: Path
) -> None:
    """.env and .ssh, at the top and further down, are there by name at most."""
    inside = await start(replace(strict, workspace=workspace))
    for path in (".env", ".ssh/id_ed25519", "sub/deeper/.env.production"):
        assert "PermissionError" in await inside.run(f"answer = open({path!r}).read()")
    assert await inside.run("answer = open('sub/data.csv').read()") == "a\n"


async def test_a_hidden_file_cannot_be_uncovered(start: Start, workspace: Path) -> None:
    """No change of mode, rename or link makes a masked file readable."""
    inside = await start(replace(Policy.strict(workspace), isolation="namespaces"))
    results = await inside.run(
        TRY
        + """
import os
answer = [
    tried(lambda: os.chmod(".env", 0o777)),
    tried(lambda: os.rename(".env", "env")),
    tried(lambda: os.link(".env", "plain/env")),
    tried(lambda: os.remove(".env")),
    tried(lambda: open(".env").read()),
]
"""
    )
    assert "done" not in results
    assert (workspace / ".env").read_text() == "KEY=secret"


async def test_notebooks_and_dotfiles_cannot_be_changed(
    start: Start, strict: Policy, workspace: Path
) -> None:
    """What runs or opens later by itself keeps its content, its place and its absence."""
    inside = await start(replace(strict, workspace=workspace))
    results = await inside.run(
        TRY
        + """
import os
answer = [
    tried(lambda: open("notebook.ipynb", "w")),
    tried(lambda: os.remove("notebook.ipynb")),
    tried(lambda: os.rename("data.csv", "notebook.ipynb")),
    tried(lambda: open(".gitignore", "a")),
    tried(lambda: open(".git/config", "a")),
    tried(lambda: open(".git/hooks/post-commit", "x")),
    tried(lambda: os.rename(".git", "git")),
]
"""
    )
    assert "done" not in results
    assert (workspace / ".git/config").read_text() == "[core]"


async def test_links_do_not_lead_out(start: Start, strict: Policy, workspace: Path) -> None:
    """Neither a link that was there nor one made inside opens a file outside."""
    inside = await start(replace(strict, workspace=workspace))
    results = await inside.run(
        TRY
        + f"""
import os
os.symlink({str(workspace.parent)!r}, os.environ["TMPDIR"] + "/up")
answer = [
    tried(lambda: open("link.txt").read()),
    tried(lambda: open(".netrc").read()),
    tried(lambda: open(os.environ["TMPDIR"] + "/up/outside.txt").read()),
    tried(lambda: open("../outside.txt").read()),
    tried(lambda: open("/proc/self/root{workspace.parent}/outside.txt").read()),
]
"""
    )
    assert set(results) <= {"FileNotFoundError", "PermissionError"}


async def test_a_folder_of_thousands_of_files_is_no_obstacle(
    start: Start, strict: Policy, workspace: Path
) -> None:
    """However many entries have to be named one by one, and whatever they are called."""
    for number in range(4000):
        (workspace / f"a rather long name for a file of measured data {number}").touch()
    os.mkfifo(workspace / ".pipe")
    (workspace / "new\nline and \udcff bytes").touch()
    inside = await start(replace(strict, workspace=workspace))
    assert await inside.run("import os; answer = len(os.listdir('.')) > 4000")


def test_a_link_is_never_bound(workspace: Path) -> None:
    """A dotfile that is a link is left alone, and the user is told that it is not protected."""
    seen = examined(workspace)
    assert not any(path.endswith(".netrc") for path in (*seen.kept, *seen.masked))
    assert any(".netrc is a link" in note for note in seen.notes)


def test_the_real_folder_is_taken_not_the_link_to_it(workspace: Path, tmp_path: Path) -> None:
    """A workspace named by a link is shown at its real place."""
    (tmp_path / "link").symlink_to(workspace)
    assert examined(tmp_path / "link").path == str(workspace)


@pytest.mark.parametrize("folder", ["/", "/home", "/etc", "/usr/share", "/tmp", "/proc/self"])  # noqa: S108
def test_a_system_folder_is_not_shown(folder: str) -> None:
    """Code runs without a workspace and the note says what to do."""
    seen = examined(Path(folder))
    assert seen.path is None
    assert "Move it into a folder of its own" in seen.notes[0]


def test_the_home_and_its_parents_are_not_shown(tmp_path: Path) -> None:
    """A notebook right in the home does not open the home to code."""
    home = tmp_path / "home/me"
    (home / "project").mkdir(parents=True)
    for folder in (home, home.parent, tmp_path):
        seen = examined(folder, homes=(str(home),))
        assert seen.path is None
        assert "home folder" in seen.notes[0]
    assert examined(home / "project", homes=(str(home),)).path == str(home / "project")


async def test_in_the_home_code_runs_without_a_workspace(start: Start, strict: Policy) -> None:
    """The sandbox starts, in scratch, and its report carries the sentence."""
    inside = await start(replace(strict, workspace=Path(home_folders()[0])))
    assert inside.sandbox.report.workspace == "none"
    assert any("home" in note for note in inside.sandbox.report.notes)
    assert await inside.run("answer = config['workspace']") is None


def test_a_folder_the_kernel_imports_from_is_read_only(tmp_path: Path) -> None:
    """A module left there would run outside, so mode "rw" becomes "ro" and says why."""
    visible = replace(visibles.environment(HOMES, "/"), search=(str(tmp_path),))
    seen = workspaces.examine(Policy.notebook(tmp_path), HOMES, visible)
    assert seen.mode == "ro"
    assert "imports modules" in seen.notes[0]


def test_an_environment_in_the_folder_stays_read_only(tmp_path: Path) -> None:
    """A venv beside the notebook is not code's to change."""
    venv = tmp_path / "venv"
    venv.mkdir()
    visible = replace(visibles.environment(HOMES, "/"), paths=(str(venv),))
    seen = workspaces.examine(Policy.notebook(tmp_path), HOMES, visible)
    assert seen.mode == "rw"
    assert str(venv) in seen.kept
