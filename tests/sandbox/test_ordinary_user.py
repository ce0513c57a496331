"""The same walls for somebody who is not root, with an interpreter that everybody can read."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.conftest import UID, WAYS, ran_as_ordinary


@pytest.fixture(params=["namespaces", "landlock"])
def seen(request: pytest.FixtureRequest, place: Path) -> dict[str, Any]:
    """What the programs in `ordinary.py` saw on each grade."""
    secret = {"SECRET": "sk-1"}
    values: dict[str, Any] = ran_as_ordinary(
        place, "ordinary.py", request.param, place / "home/work", **secret
    )
    assert values["grade"] == request.param
    return values


def running_as(uid: int) -> list[str]:
    """The status of each process of that user."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                found.append((entry / "stat").read_text())
    return [status for status in found if ") Z " not in status]


def test_the_walls_hold_for_an_ordinary_user(seen: dict[str, Any], place: Path) -> None:
    """No root, no network, no host files, no secrets, 512 MB; the workspace works."""
    assert seen["uid"] == UID
    assert seen["memory"].startswith("MemoryError")
    assert "OSError" in seen["socket"]
    assert "Error" in seen["passwd"] or seen["passwd"].startswith("sandbox:")
    assert "Error" in seen["host"]
    assert "PermissionError" in seen["env"]
    assert "Error" in seen["notebook"]
    assert not (place / "home/new").exists()
    assert seen["data"] == "a\n"
    assert seen["write"] == "done"
    assert (place / "home/work/plain/new").stat().st_uid == UID
    assert 0 < seen["forks"] < 64 + 16
    if seen["grade"] == "namespaces":
        assert seen["network"] == "hello"
        assert seen["beside"] == "done"
        assert seen["workspace"] == "rw"
    else:
        assert "PermissionError" in seen["beside"]
        assert seen["workspace"] == "partly"


def test_nothing_is_left_of_an_ordinary_users_sandboxes(seen: dict[str, Any]) -> None:
    """No process of that user runs on, no folder of theirs lies in the temporary folder."""
    assert seen["grade"]
    deadline = time.monotonic() + 10
    while left := running_as(UID):
        assert time.monotonic() < deadline, left
        time.sleep(0.01)
    folders = Path(tempfile.gettempdir()).glob("codeact-sandbox-*")
    assert not [path for path in folders if owner(path) == UID]


def owner(path: Path) -> int | None:
    """None for what has just gone: others have sandboxes, too."""
    try:
        return path.stat().st_uid
    except FileNotFoundError:
        return None


@pytest.mark.parametrize("way", WAYS)
def test_an_ordinary_users_writes_are_staged(place: Path, way: str) -> None:
    """Mode cow needs no root: writes wait in the area until they are put in place as the user."""
    work = place / "home/work"
    for name in ("new", "plain/new"):
        (work / name).unlink(missing_ok=True)
    standby = ["standby"] if way == "from standby" else []
    seen = ran_as_ordinary(place, "ordinary_cow.py", work, place / "home/state", *standby)
    assert seen["stood by"] == bool(standby)
    assert seen["staging"] == "done"
    assert seen["workspace"] == "cow"
    assert seen["env"] == "PermissionError"
    assert "new" not in seen["before"]
    assert seen["kept"] == ["data.csv", "new"]
    assert seen["refused"] == [".hook"]
    assert (work / "new").stat().st_uid == UID
    assert (work / "data.csv").read_text().endswith("more")
    assert not (work / ".hook").exists()
    assert list((place / "home/state/staged").iterdir()) == []
    (work / "data.csv").write_text("a\n")
