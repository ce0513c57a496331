"""Mode cow in real sandboxes: what code writes lands beside the folder, never in it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from codeact_kernel.sandbox import plan as plans
from codeact_kernel.sandbox import visible as visibles
from codeact_kernel.sandbox import workspace as workspaces
from codeact_kernel.sandbox.layers import overlay
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.process import launch
from codeact_kernel.sandbox.spawn import Kind
from codeact_kernel.sandbox.staging import area as areas
from codeact_kernel.sandbox.staging.area import About, Area
from codeact_kernel.sandbox.visible import package_folder
from codeact_kernel.sandbox.warm import warm_up
from tests.sandbox.conftest import WAYS, Inside, Start
from tests.sandbox.test_walls import TRY


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Both."""
    return str(request.param)


CONFIG: dict[str, object] = {"preload": []}


def staged(tmp_path: Path, workspace: Path, isolation: str = "namespaces") -> tuple[Policy, Area]:
    """A policy of mode cow and the area it stages in."""
    policy = replace(Policy.strict(workspace), workspace_mode="cow", isolation=isolation)
    uid = plans.unprivileged_uid(policy)
    area = areas.reserve(tmp_path / "state", About(str(workspace), ""), uid)
    return replace(
        policy, staging=Path(area.path), uid=area.uid if os.getuid() == 0 else None
    ), area


def content(folder: Path) -> dict[str, object]:
    """Everything below a folder: the text of files, the target of links."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_text()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


async def test_writes_land_in_the_area_and_not_in_the_folder(
    start: Start, tmp_path: Path, workspace: Path
) -> None:
    """Code makes, changes and deletes as it likes; the folder stays as it was, byte for byte."""
    before = content(workspace)
    policy, area = staged(tmp_path, workspace)
    inside = await start(policy)
    assert inside.sandbox.report.workspace == "cow"
    assert inside.sandbox.report.staging == "done"
    await inside.run(
        """
import os, shutil
open("new.txt", "w").write("new")
open("data.csv", "a").write("3,4")
os.makedirs("made/deep"); open("made/deep/file", "w").write("x")
os.remove("sub/data.csv")
os.symlink("/etc/passwd", "leak")
answer = None
"""
    )
    assert await inside.run("answer = open('data.csv').read()") == "a,b\n1,2\n3,4"
    assert content(workspace) == before
    layer = content(Path(area.upper))
    assert layer["new.txt"] == "new"
    assert layer["made/deep/file"] == "x"
    assert not area.is_empty()
    # A file the user puts there meanwhile is seen at once.
    (workspace / "late.csv").write_text("late")
    assert await inside.run("answer = open('late.csv').read()") == "late"


async def test_walls_stand_on_top_of_the_copy(
    start: Start, tmp_path: Path, workspace: Path
) -> None:
    """Secrets stay hidden, notebooks and dotfiles read-only, the layers themselves out of reach."""
    policy, _ = staged(tmp_path, workspace)
    inside = await start(policy)
    results = await inside.run(
        TRY
        + """
import os, shutil
answer = [
    tried(lambda: open(".env").read()),
    tried(lambda: open("sub/deeper/.env.production").read()),
    tried(lambda: os.listdir(".ssh")),
    tried(lambda: os.rename(".env", "env")),
    tried(lambda: shutil.rmtree("sub")),
    tried(lambda: open("notebook.ipynb", "a")),
    tried(lambda: open(".git/hooks/post-commit", "w")),
    tried(lambda: os.listdir("/staging")),
    tried(lambda: open("/staging/area/upper/x", "w")),
    tried(lambda: open("/staging/lower/.env").read()),
]
"""
    )
    assert "done" not in results
    mounts = await inside.run("answer = open('/proc/self/mountinfo').read()")
    assert "codeact-staged" in mounts


async def test_what_was_staged_is_there_in_the_next_sandbox(
    start: Start, tmp_path: Path, workspace: Path
) -> None:
    """A sandbox that was killed loses nothing of what it wrote in the workspace."""
    policy, _ = staged(tmp_path, workspace)
    first = await start(policy)
    await first.run("open('data.csv', 'w').write('changed')")
    first.sandbox.kill()
    second = await start(policy)
    assert await second.run("answer = open('data.csv').read()") == "changed"
    await second.run("open('data.csv', 'a').write(' again')")
    assert await second.run("answer = open('data.csv').read()") == "changed again"


async def test_without_a_layer_the_folder_is_read_only_and_that_is_said(
    start: Start, tmp_path: Path, workspace: Path
) -> None:
    """Under Landlock alone, and where nothing can be mounted, cow is ro and the report says why."""
    policy, area = staged(tmp_path, workspace, "landlock")
    inside = await start(policy)
    assert inside.sandbox.report.workspace == "ro"
    assert any("cannot be staged" in note for note in inside.sandbox.report.notes)
    assert "Error" in await inside.run("open('new', 'x')")
    os.rename(f"{area.path}/work", f"{area.path}/gone")
    os.symlink("gone", f"{area.path}/work")
    os.rename(f"{area.path}/upper", f"{area.path}/gone/upper")
    inside = await start(replace(policy, isolation="namespaces"))
    assert inside.sandbox.report.workspace == "ro"
    assert inside.sandbox.report.staging not in ("", "done")
    assert "Error" in await inside.run("open('new', 'x')")


def test_a_folder_replaced_while_it_is_mounted_is_refused(workspace: Path) -> None:
    """What is staged over is the folder that was looked at, or the launcher ends."""
    with pytest.raises(OSError, match="replaced"):
        overlay.stage({"lower": str(workspace), "mark": [1, 1]})


def test_a_folder_the_kernel_imports_from_takes_no_writes(tmp_path: Path) -> None:
    """What the user's own cells leave there would run outside without anybody's decision."""
    folder = Path(package_folder()).parent
    policy = replace(Policy.strict(folder), workspace_mode="cow", staging=tmp_path)
    homes = ("/home/somebody",)
    shown = workspaces.examine(policy, homes, visibles.environment(homes, "/"))
    assert shown.mode == "ro"
    assert "imports modules" in " ".join(shown.notes)


@pytest.mark.parametrize("backend", ["bubblewrap", "namespaces"])
async def test_one_that_stands_by_takes_over_the_layer_when_it_is_taken(
    tmp_path: Path, workspace: Path, backend: str
) -> None:
    """Until then the layer is the other's: what that wrote meanwhile is there; only the taker writes after."""
    policy, area = staged(tmp_path, workspace)
    first = Inside(await launch(policy, CONFIG, module="probe_worker"))
    second = await warm_up(policy, CONFIG, Kind(backend), 30, module="probe_worker")
    await first.run("open('data.csv', 'w').write('changed')")
    first.sandbox.kill()
    inside = Inside(await launch(policy, CONFIG, second, module="probe_worker"))
    try:
        assert inside.sandbox.pid == second.process.pid
        report = inside.sandbox.report
        assert (report.workspace, report.staging, report.processes) == ("cow", "done", 0)
        assert await inside.run("answer = open('data.csv').read()") == "changed"
        await inside.run("open('more', 'w').write('x')")
        assert (Path(area.upper) / "more").read_text() == "x"
        # Who mounted it has ended: nobody with a privilege is left beside code.
        alone = "import os; answer = [name for name in os.listdir('/proc') if name.isdigit()]"
        assert await inside.run(alone) == ["1"]
    finally:
        inside.sandbox.kill()


async def test_one_that_cannot_be_finished_is_replaced_by_a_new_one(
    tmp_path: Path, workspace: Path
) -> None:
    """It is not used with less than the one before it had; the new one says what it lacks."""
    policy, area = staged(tmp_path, workspace)
    early = await warm_up(policy, CONFIG, Kind("bubblewrap"), 30, module="probe_worker")
    os.rmdir(area.upper)
    sandbox = await launch(policy, CONFIG, early, module="probe_worker")
    sandbox.kill()
    assert sandbox.pid != early.process.pid
    assert early.process.poll() is not None
    assert sandbox.report.staging == "ENOENT"
