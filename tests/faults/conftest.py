"""Kernels that something happens to; afterwards it is counted what is left."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Session, sandbox, started
from tests.faults.holdings import processes_that_name

__all__ = ["sandbox"]
LOST = "All variables are lost"
UNTOLD = "all variables were lost"


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "still not so"
        time.sleep(0.01)


def journal(folder: Path) -> list[dict[str, Any]]:
    """The events in the journals of the kernels that ran in this folder; every line can be read."""
    paths = sorted((folder / ".state" / "codeact" / "runs").glob("*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def steps_in(folder: Path) -> list[str]:
    """How the finished steps in the journals went."""
    events = journal(folder)
    finished = [event["step"] for event in events if event["type"] == "StepFinished"]
    return [each["observation"]["status"] for each in finished if each["observation"]]


@contextmanager
def kernel_in(folder: Path, ready: bool = True, **environ: str) -> Iterator[Session]:
    """A kernel in this folder that stages what steps write; nothing that names the folder outlives it."""
    with started(folder, {"CODEACT_WORKSPACE_MODE": "cow", **environ}, ready) as session:
        yield session
    until(lambda: not processes_that_name(str(folder)))
