"""SIGKILL to the kernel itself: all of its sandbox ends with it, and the next start sweeps the rest."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Session, below
from tests.faults.conftest import kernel_in, steps_in, until
from tests.faults.holdings import Holdings, of_kernel
from tests.scripted_server import agent, serving, step

STARTS: dict[str, Callable[[Holdings], bool]] = {
    "nothing": lambda held: not held.places,
    "a folder": lambda held: bool(held.places),
    "a process": lambda held: len(held.processes) > 1,
    "a supervisor": lambda held: len(held.processes) > 2,
    "a worker": lambda held: len(held.processes) > 3,
}
"""By what the kernel has got so far while it starts."""
MOMENTS = {
    "idle": "",
    "cell": "print('in', flush=True)\nimport time\ntime.sleep(100)",
    "stream": "while True:\n    print('x' * 100)",
    "daemon": (
        "import os, signal, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "    while True: time.sleep(1)\n"
        "print('in', flush=True)\n"
        "time.sleep(100)"
    ),
}


@pytest.fixture(scope="module")
def remains() -> list[str]:
    """The folders and groups that killed kernels have left."""
    return []


def kill(session: Session) -> list[str]:
    """SIGKILL; what is left of it when all its processes are gone."""
    os.kill(session.pid, signal.SIGSTOP)  # it gets nothing more while we look
    held = of_kernel(session.pid)
    os.kill(session.pid, signal.SIGKILL)
    assert Holdings(processes=held.processes).gone() == []
    return held.left()


@pytest.mark.parametrize("moment", STARTS)
def test_while_it_starts(tmp_path: Path, moment: str, remains: list[str]) -> None:
    """However far it has got, no process is left."""
    with kernel_in(tmp_path, ready=False) as session:
        until(lambda: STARTS[moment](of_kernel(session.pid)))
        remains += kill(session)


@pytest.mark.parametrize("moment", MOMENTS)
def test_while_it_works(tmp_path: Path, moment: str, remains: list[str]) -> None:
    """Between cells, in a cell, in the middle of output, with a daemon in the sandbox."""
    with kernel_in(tmp_path) as session:
        if MOMENTS[moment]:
            msg_id = session.client.execute(MOMENTS[moment])
            session.until(msg_id, lambda m: bool(m["msg_type"] == "stream"))
        until(lambda: len(below(session.pid)) > 2)
        remains += kill(session)


def test_in_a_run(tmp_path: Path, remains: list[str]) -> None:
    """In a step and while the model speaks: the journal has every step that was completed."""
    wait = "print('in', flush=True)\nimport time\ntime.sleep(100)"
    with kernel_in(tmp_path) as session, serving(step("x = 1"), step(wait)) as server:
        msg_id = session.client.execute(agent(server.url))
        session.until(msg_id, lambda m: bool(m["msg_type"] == "stream"))
        remains += kill(session)
    assert steps_in(tmp_path) == ["ok"]


def test_the_next_start_takes_away_what_was_left(tmp_path: Path, remains: list[str]) -> None:
    """Folders and control groups of killed kernels go when any kernel has started."""
    with kernel_in(tmp_path) as session:
        remains += kill(session)
    assert any("/cgroup" not in place for place in remains)
    with kernel_in(tmp_path):
        assert Holdings(places=tuple(remains)).gone() == []
