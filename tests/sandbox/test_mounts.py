"""Further folders and devices: only those that are named, and read-only unless said otherwise."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from codeact_kernel.errors import SettingsError
from codeact_kernel.sandbox.doctor import doctor
from codeact_kernel.sandbox.mounts import Mount, parse
from codeact_kernel.sandbox.policy import Policy
from tests.sandbox.conftest import ISOLATIONS, Start
from tests.sandbox.test_walls import TRY


def test_they_are_read_only_unless_said_otherwise() -> None:
    """PATH, PATH:ro and PATH:rw; a colon in a folder's name is no mode."""
    assert parse(["/data", "/out:rw", "/in:ro", "/a:b/c"], ["/dev/fuse", "/dev/dri:rw"]) == (
        Mount("/data"),
        Mount("/out", writable=True),
        Mount("/in"),
        Mount("/a:b/c"),
        Mount("/dev/fuse", device=True),
        Mount("/dev/dri", writable=True, device=True),
    )


@pytest.mark.parametrize(
    ("folders", "devices"),
    [(["data"], []), (["/"], []), (["/proc/1"], []), (["/dev/sda"], []), (["/data:rx"], []),
     (["/data/../etc"], []), ([], ["/etc/passwd"]), ([], ["/dev"]), ([], ["/dev/../etc"])],
)  # fmt: skip
def test_the_systems_own_places_cannot_be_named(folders: list[str], devices: list[str]) -> None:
    """A wrong entry is a sentence, before anything starts."""
    with pytest.raises(SettingsError, match=r"mounts|devices"):
        parse(folders, devices)


@pytest.mark.parametrize("isolation", ISOLATIONS)
async def test_folders_are_shown_as_they_were_named(
    start: Start, tmp_path: Path, workspace: Path, isolation: str
) -> None:
    """A data disk is read, an output folder written, secrets and .git in it stay as they are."""
    for name in ("data", "out/plain", "out/.git"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "data/big.csv").write_text("1\n")
    (tmp_path / "data/.env").write_text("KEY=secret")
    (tmp_path / "out/.git/config").write_text("[core]")
    named = [f"{tmp_path}/data", f"{tmp_path}/out:rw", f"{tmp_path}/missing", f"{workspace}/sub:rw"]
    policy = replace(
        Policy.strict(workspace), isolation=isolation, mounts=parse(named, []), workspace_mode="ro"
    )
    inside = await start(policy)
    told = " ".join(inside.sandbox.report.notes)
    assert "missing" in told
    assert "overlaps" in told
    results = await inside.run(
        TRY
        + f"""
import os
answer = [
    tried(lambda: open("{tmp_path}/data/new", "x")),
    tried(lambda: open("{tmp_path}/data/big.csv", "a")),
    tried(lambda: open("{tmp_path}/data/.env").read()),
    tried(lambda: open("{tmp_path}/out/.git/config", "a")),
    tried(lambda: open("sub/data.csv", "a")),
]
"""
    )
    assert "done" not in results
    assert await inside.run(f"answer = open('{tmp_path}/data/big.csv').read()") == "1\n"
    wrote = await inside.run(f"answer = open('{tmp_path}/out/plain/x', 'w').write('x')")
    if isolation == "namespaces" or inside.sandbox.report.uid == os.getuid():
        assert wrote == 1
        assert os.stat(tmp_path / "out/plain/x").st_uid == os.getuid()


@pytest.mark.parametrize("isolation", ISOLATIONS)
async def test_a_device_is_there_when_it_is_named(start: Start, isolation: str) -> None:
    """Read-only or to be written, as it says; otherwise out of reach."""
    device = next((d for d in ("/dev/fuse", "/dev/net/tun") if os.access(d, os.R_OK)), None)
    if device is None or os.stat(device).st_mode & 0o006 != 0o006:
        pytest.skip("this machine has no device that everybody may open")
    program = TRY + f"import os; answer = tried(lambda: os.open('{device}', os.O_RDONLY) > 0)"
    write = program.replace("O_RDONLY", "O_WRONLY")
    policy = replace(Policy.strict(), isolation=isolation)
    for named, seen in (([], "no"), ([device], "ro"), ([f"{device}:rw"], "rw")):
        inside = await start(replace(policy, mounts=parse([], named)))
        assert "Error" in str(await inside.run(program)) or seen != "no"
        assert (await inside.run(program) is True) == (seen in ("ro", "rw"))
        assert (await inside.run(write) is True) == (seen == "rw")


def test_the_doctor_names_them(tmp_path: Path) -> None:
    """What else is shown to code is one line, and in the JSON."""
    diagnosis = doctor(replace(Policy.strict(), mounts=parse([f"{tmp_path}:rw"], [])))
    assert f"{tmp_path} (rw)" in diagnosis.to_text()
    assert diagnosis.to_json()["mounts"] == [f"{tmp_path} (rw)"]
