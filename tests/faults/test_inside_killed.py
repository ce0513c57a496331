"""SIGKILL to what is inside, at each moment: said, replaced, and nothing of it left."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from codeact_kernel.sandbox.cgroups import parents
from tests.e2e.conftest import Session, below
from tests.faults.conftest import LOST, UNTOLD, kernel_in, steps_in, until
from tests.faults.holdings import descriptors, of_sandbox
from tests.scripted_server import agent, serving, step

WAIT = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(100)"
FLOOD = "import os\nwhile True:\n    print(os.getpid())"
DAEMON = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)
"""
Victim = Callable[[int, str], int]


def worker(pid: int, inner: str) -> int:
    """The live kernel inside, which calls itself `inner` there; others are checkpoints of it."""
    (found,) = (each for each in below(pid) if inner_pid(each) == inner)
    return found


def supervisor(pid: int, inner: str) -> int:
    """The first process inside."""
    return worker(pid, "1")


def first(pid: int, inner: str) -> int:
    """The process that was started outside and holds the sandbox."""
    return below(pid)[0]


def inner_pid(pid: int) -> str:
    """The number of a process in the innermost namespace it is in."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[-1] for line in lines if line.startswith("NSpid:"))


def kill(session: Session, victim: Victim, inner: str) -> None:
    """SIGKILL; what was there for the sandbox goes, and the kernel starts another."""
    held = of_sandbox(session.pid)
    os.kill(victim(session.pid, inner), signal.SIGKILL)
    assert held.gone() == []


def on_stream(session: Session, code: str) -> tuple[str, str]:
    """Run code up to its first output, which begins with the number it has inside."""
    msg_id = session.client.execute(code)
    messages = session.until(msg_id, lambda m: bool(m["msg_type"] == "stream"))
    return msg_id, str(messages[-1]["content"]["text"]).split()[0]


def test_while_nothing_runs(tmp_path: Path) -> None:
    """The next cell says it, once; descriptors and processes are then as many as before."""
    with kernel_in(tmp_path) as session:
        session.run("x = 1")
        before, count = descriptors(session.pid), len(below(session.pid))
        for victim in (worker, first):
            kill(session, victim, session.run("import os; os.getpid()").value)
            result = session.run("'x' in globals()")
            assert result.value == "False"
            assert result.stream("stderr").count(UNTOLD) == 1
            assert session.run("x = 1").stream("stderr") == ""
        assert descriptors(session.pid) == before
        assert len(below(session.pid)) == count


@pytest.mark.skipif(not parents(), reason="no control group can be made here")
def test_what_has_no_parent_any_more(tmp_path: Path) -> None:
    """Without namespaces a daemon whose guardian was killed is found by its control group."""
    with kernel_in(tmp_path, CODEACT_ISOLATION="landlock") as session:
        count = len(below(session.pid))
        session.run(DAEMON)
        until(lambda: len(below(session.pid)) > count)
        kill(session, first, "")
        assert UNTOLD in session.run("1").stream("stderr")


@pytest.mark.parametrize("code", [WAIT, FLOOD], ids=["waiting", "flooding"])
def test_in_a_cell(tmp_path: Path, code: str) -> None:
    """The cell ends with an error that says what is lost; the next one runs in a fresh sandbox."""
    with kernel_in(tmp_path) as session:
        session.run("x = 'a large message is sent by a thread of its own: ' * 10_000; print(x)")
        before = descriptors(session.pid)
        for victim in (worker, supervisor):
            msg_id, inner = on_stream(session, code)
            kill(session, victim, inner)
            result = session.wait(msg_id)
            assert LOST in result.error["evalue"]
            assert "signal 9" in result.error["evalue"]
            after = session.run("'x' in globals()")
            assert after.value == "False"
            assert after.stream("stderr") == ""
        assert descriptors(session.pid) == before


def test_in_a_step(tmp_path: Path) -> None:
    """The run goes on: the model is told, and the journal has every step, the one that died included."""
    with kernel_in(tmp_path) as session:
        for victim in (worker, supervisor):
            replies = (step("x = 1"), step(WAIT), step("final_answer('x' in globals())"))
            with serving(*replies) as server:
                msg_id, inner = on_stream(session, agent(server.url))
                kill(session, victim, inner)
                result = session.wait(msg_id)
                assert LOST in str(server.requests[2]["messages"][-1])
            assert result.reply["status"] == "ok"
            assert "False" in "".join(result.displays)
    assert steps_in(tmp_path) == ["ok", "died", "ok"] * 2
