"""Stopping code, and code that ends its own process."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Session, alive, below, drain, gone, started

LOSES = "variables are lost"


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        "import asyncio; await asyncio.sleep(60)",
        "import subprocess; subprocess.run(['sleep', '60'])",
        "!sleep 60",
        "while True: print('x' * 50)",
    ],
)
def test_an_interrupt_stops_a_cell_and_keeps_the_state(kernel: Session, code: str) -> None:
    """Loops, sleeps, awaits, child processes and floods stop within the grace period."""
    kernel.run("kept = 1")
    msg_id = kernel.client.execute(code)
    kernel.until(msg_id, lambda m: m["msg_type"] == "execute_input")
    time.sleep(0.3)
    kernel.interrupt()
    result = kernel.wait(msg_id)
    assert result.reply["status"] in ("error", "ok")  # `!sleep` ends quietly
    assert kernel.run("kept").value == "1"


def test_an_interrupt_of_a_question_stops_the_cell(kernel: Session) -> None:
    """A cell that waits in `input()` can be stopped, and a late answer does no harm."""
    msg_id = kernel.client.execute("input('? ')")
    kernel.client.get_stdin_msg(timeout=10)
    kernel.interrupt()
    assert kernel.wait(msg_id).error["ename"] == "KeyboardInterrupt"
    kernel.client.input("too late")
    assert kernel.run("1 + 1").value == "2"


def test_a_time_limit_for_cells(tmp_path: Path) -> None:
    """With a limit a cell is interrupted and told so; one that will not stop loses its sandbox."""
    with started(tmp_path, {"CODEACT_CELL_SECONDS": "1"}) as session:
        result = session.run("kept = 1\nwhile True: pass")
        assert "time limit of 1 s" in result.stream("stderr")
        assert result.error["ename"] == "KeyboardInterrupt"
        assert session.run("kept").value == "1"
        msg_id = session.client.execute("input('the clock stands still: ')")
        session.client.get_stdin_msg(timeout=10)
        time.sleep(1.5)
        session.client.input("answer")
        assert session.wait(msg_id).value == "'answer'"
        result = session.run(
            "import signal, time\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
            "time.sleep(60)"
        )
        assert LOSES in result.error["evalue"]


def test_an_interrupt_between_cells_changes_nothing(kernel: Session) -> None:
    """Nothing runs, nothing is stopped."""
    kernel.run("kept = 2")
    channel = (
        kernel.client.control_channel
    )  # its reply is awaited: the next cell must come after it
    channel.send(kernel.client.session.msg("interrupt_request", {}))
    assert kernel.client.get_control_msg(timeout=30)["msg_type"] == "interrupt_reply"
    assert kernel.run("kept").value == "2"


def test_code_that_cannot_be_interrupted_is_ended_and_it_is_said(fresh: Session) -> None:
    """After the grace period the sandbox is ended under such code; the next cell runs in a new one."""
    msg_id = fresh.client.execute(
        "kept = 1\nimport signal, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
        "print('in', flush=True)\n"
        "time.sleep(60)"
    )
    fresh.until(msg_id, lambda m: bool(m["msg_type"] == "stream"))
    began = time.monotonic()
    fresh.interrupt()
    result = fresh.wait(msg_id)
    assert time.monotonic() - began > 1.5
    assert "did not stop" in result.error["evalue"]
    assert LOSES in result.error["evalue"]
    assert fresh.run("'kept' in globals()").value == "False"


@pytest.mark.parametrize(
    "code",
    [
        "import os; os._exit(3)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import ctypes; ctypes.string_at(0)",
    ],
)
def test_a_process_that_ends_is_answered_for_at_once(fresh: Session, code: str) -> None:
    """The cell gets an error that says what is lost, the queue is aborted, and it works again."""
    fresh.run("kept = 1")
    drain(fresh)
    began = time.monotonic()
    first = fresh.client.execute(code)
    second = fresh.client.execute("never = 1")
    result = fresh.wait(first)
    assert time.monotonic() - began < 15
    assert LOSES in result.error["evalue"]
    assert fresh.reply(second)["status"] == "aborted"
    states = []
    while "restarting" not in states:
        states.append(fresh.client.get_iopub_msg(timeout=10)["content"].get("execution_state"))
    assert fresh.run("'kept' in globals()").value == "False"
    assert fresh.manager.is_alive()


def test_shutdown_leaves_no_process(fresh: Session) -> None:
    """Shut down in order: the kernel and everything below it is gone."""
    fresh.run("import subprocess; p = subprocess.Popen(['sleep', '600'])")
    processes = fresh.processes()
    assert len(processes) > 2
    fresh.manager.shutdown_kernel()
    assert gone(processes), alive(processes)


def test_a_restart_gives_a_fresh_namespace(fresh: Session) -> None:
    """After a restart nothing of before is there, and no process of before either."""
    fresh.run("kept = 1")
    before = fresh.processes()
    fresh.manager.restart_kernel()
    fresh.client.wait_for_ready(timeout=60)
    assert fresh.run("'kept' in globals()").value == "False"
    assert gone(before), alive(before)


def test_a_killed_kernel_takes_its_sandbox_along(fresh: Session) -> None:
    """SIGKILL to the outer kernel leaves nothing running inside."""
    fresh.run("1")
    inside = below(fresh.pid)
    os.kill(fresh.pid, signal.SIGKILL)
    assert gone(inside), alive(inside)


def test_sigterm_ends_in_order(fresh: Session) -> None:
    """SIGTERM is a shutdown: exit code 0, nothing left."""
    processes = fresh.processes()
    os.kill(fresh.pid, signal.SIGTERM)
    assert gone(processes), alive(processes)


def test_sigint_to_the_kernel_itself_is_ignored(fresh: Session) -> None:
    """Ctrl-C in the terminal of the server does not end kernels."""
    os.kill(fresh.pid, signal.SIGINT)
    assert fresh.run("1 + 1").value == "2"
