"""A limit that is reached: the cell says which and what to do, and the next one works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Session, drain, started
from tests.scripted_server import agent, serving, step

LOST = "All variables are lost; a fresh sandbox is starting."


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A kernel with small limits."""
    limits = {"CODEACT_MEMORY_MB": "256", "CODEACT_PROCESSES": "50", "CODEACT_DISK_MB": "64"}
    with started(tmp_path_factory.mktemp("small"), limits) as session:
        yield session


MEMORY = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        kept = bytearray(64 << 20)
        kept[::4096] = b"x" * len(kept[::4096])
        time.sleep(60)
time.sleep(60)
"""
DISK = """
import time
for number in range(4):
    open(f"big{number}", "wb").write(bytes(24 << 20))
time.sleep(60)
"""
FORKS = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""


@pytest.mark.parametrize(
    ("code", "happened", "remedy"),
    [
        (MEMORY, "The sandbox reached its memory limit of 256 MB and was ended.", "memory_mb"),
        (FORKS, "started processes until there were 50", "setting processes"),
        (DISK, "wrote more than 64 MB to the notebook's folder", "disk_mb"),
    ],
    ids=["memory", "forks", "disk"],
)
def test_a_limit_is_said_and_the_notebook_goes_on(
    small: Session, code: str, happened: str, remedy: str, tmp_path: Path
) -> None:
    """What happened, what is lost, which setting raises the limit; then a fresh sandbox answers."""
    small.run("kept = 1")
    sentence = small.run(code).error["evalue"]
    assert happened in sentence
    assert LOST in sentence
    assert remedy in sentence
    drain(small)
    assert small.run("'kept' in globals()").value == "False"


def test_memory_that_one_process_asks_too_much_of_is_an_ordinary_error(small: Session) -> None:
    """A MemoryError in the cell; variables stay."""
    small.run("kept = 1")
    assert small.run("bytearray(1 << 30)").error["ename"] == "MemoryError"
    assert small.run("kept").value == "1"


def test_the_model_is_told_and_goes_on(small: Session) -> None:
    """A step that reaches the limit is an observation with the same sentence; the next one runs afresh."""
    fresh = "final_answer('kept' in globals())"
    with serving(step("kept = 1" + MEMORY), step(fresh)) as server:
        result = small.run(agent(server.url, "Use a lot."))
    assert result.reply["status"] == "ok"
    told = json.dumps(server.requests[1]["messages"][-1])
    assert "memory limit of 256 MB" in told
    assert LOST in told
    assert "False" in "".join(result.displays)
