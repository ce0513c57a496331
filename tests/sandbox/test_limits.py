"""What is used up ends as a value that says what happened; what one process asks too much of, as an error."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.conftest import ISOLATIONS, PROGRAMS, ran, ran_as_ordinary

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=ISOLATIONS)
def ours(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What became of each program on each grade, for whoever runs the tests."""
    work = tmp_path_factory.mktemp("bombs")
    (work / "plain").mkdir()
    seen = ran(
        [sys.executable, Path(PROGRAMS, "bombs.py"), request.param, work],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{PROGRAMS}"},
    )
    assert {each["grade"] for each in seen.values() if "grade" in each} == {request.param}
    return seen


@pytest.fixture(scope="module", params=ISOLATIONS)
def watched(request: pytest.FixtureRequest, place: Path) -> Any:
    """The same for an ordinary user without control groups: the watchdog stands in."""
    seen = ran_as_ordinary(place, "bombs.py", request.param, place / "home/work")
    assert {each["grade"] for each in seen.values() if "grade" in each} == {request.param}
    return seen


def check(seen: dict[str, dict[str, str]]) -> None:
    """Each program ended as it should, and says so."""
    causes = {name: each.get("cause") for name, each in seen.items()}
    assert causes == {
        "memory of eight": "memory",
        "shared memory": "memory",
        "forks": "processes",
        "disk": "disk",
        "deleted disk": "disk",
        "files": "disk",
        "scratch files": "disk",
        "one process": None,
        "descriptors": None,
        "pool": None,
    }
    assert "memory limit of 256 MB" in seen["memory of eight"]["sentence"]
    assert "memory_mb" in seen["memory of eight"]["sentence"]
    assert "until there were 50" in seen["forks"]["sentence"]
    assert "64 MB to the notebook's folder" in seen["disk"]["sentence"]
    assert "2,000 files" in seen["files"]["sentence"]
    assert seen["one process"]["error"].startswith("MemoryError")
    assert "Too many open files" in seen["descriptors"]["error"]
    assert seen["pool"]["answer"] == "worked"


def test_each_limit_ends_as_what_it_is(ours: dict[str, dict[str, str]]) -> None:
    """Memory of all processes, forks, disk, files: named, with the setting that raises the limit.

    What one process asks too much of stays its own error, and a pool within the limits works.
    """
    check(ours)


def test_the_watchdog_keeps_the_same_limits(watched: dict[str, dict[str, str]]) -> None:
    """Without control groups, for an ordinary user, the outcomes are the same."""
    assert {each["guard"] for each in watched.values() if "guard" in each} == {"watchdog"}
    check(watched)
