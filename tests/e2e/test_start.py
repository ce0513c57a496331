"""Starting, and starting where something is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from jupyter_client.connect import write_connection_file

from tests.e2e.conftest import ROOT, Session, alive, below, gone, started


def test_kernel_info_before_the_sandbox_is_ready(tmp_path: Path) -> None:
    """kernel_info is answered while the sandbox still starts, and a cell sent then is not lost."""
    with started(tmp_path, ready=False) as session:
        cell = session.client.execute("6 * 7")
        info = session.client.kernel_info()
        assert session.reply(info)["implementation"] == "codeact"
        assert session.reply(cell)["status"] == "ok"


def test_an_orphan_ends(tmp_path: Path) -> None:
    """When the program that started it is killed, the kernel and its sandbox end."""
    name, _ = write_connection_file(str(tmp_path / "c.json"))
    code = (
        "import os, subprocess, sys, time\n"
        "os.environ['JPY_PARENT_PID'] = str(os.getpid())\n"
        "p = subprocess.Popen([sys.executable, '-m', 'codeact_kernel.kernel', '-f', sys.argv[1]])\n"
        "print(p.pid, flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, name],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        end = time.monotonic() + 20
        while len(below(pid)) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        processes = [pid, *below(pid)]
        parent.kill()
        assert gone(processes), alive(processes)


def test_wrong_settings_are_said_in_each_cell(tmp_path: Path) -> None:
    """A kernel with a wrong setting comes up and answers with the sentence that names it."""
    with started(tmp_path, {"CODEACT_PROFILE": "loose"}) as session:
        result = session.run("1 + 1")
        assert result.reply["status"] == "error"
        assert "profile must be one of notebook, strict" in result.error["evalue"]
        assert result.reply["ename"] == "SandboxRefused"
        result = session.run("%%agent\nx")
        assert "profile must be one of" in result.error["evalue"]


def test_litellm_is_not_imported_on_the_start_path(tmp_path: Path) -> None:
    """Neither litellm nor the agent's half nor IPython is imported before somebody asks for it."""
    code = (
        "import sys; import codeact_kernel.kernel.app\n"
        "print([m for m in ('litellm', 'IPython', 'ipykernel', 'jupyter_client', "
        "'codeact_kernel.agent.loop', 'codeact_kernel.trace.values', "
        "'codeact_kernel.kernel.cells.agent_cell', 'difflib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_the_spec_says_how_to_interrupt() -> None:
    """The kernel spec asks for interrupt messages and is plain `python`."""
    data = json.loads((ROOT / "codeact_kernel" / "kernelspec" / "kernel.json").read_text())
    assert data["argv"][0] == "python"
    assert data["interrupt_mode"] == "message"
    assert data["language"] == "python"


def test_wrong_use_is_one_sentence(tmp_path: Path) -> None:
    """Without a connection file, or with a broken one, the kernel says so and ends with 2."""
    broken = tmp_path / "c.json"
    broken.write_text("{")
    for arguments in ([], ["-f"], ["-f", str(broken)], ["-f", str(tmp_path / "none.json")]):
        done = subprocess.run(
            [sys.executable, "-m", "codeact_kernel.kernel", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


STANDING_BY = 5
"""Processes of a sandbox that stands by: two that start it, the first one inside, the kernel, and who
waits to mount the folder."""
IMPORTED = "import sys; 'numpy' in sys.modules"


def until_one_stands_by(session: Session, alone: int) -> list[int]:
    """Wait until its imports are done; all processes of the kernel then, `alone` of them not its own."""
    end, steady = time.monotonic() + 60, 0
    found: list[int] = []
    while steady < 20 and time.monotonic() < end:  # the font list has a sandbox, too
        found = below(session.pid)
        steady = steady + 1 if len(found) == alone + STANDING_BY else 0
        time.sleep(0.1)
    return found


def test_a_sandbox_that_dies_is_followed_by_the_one_that_stood_by(tmp_path: Path) -> None:
    """It has imported what most notebooks use, and no other process is started for the next cell."""
    with started(tmp_path, {"CODEACT_STANDBY": "true"}) as session:
        assert session.run(IMPORTED).value == "False"
        session.run("open('kept.txt', 'w').write('kept')")
        alone = len(below(session.pid))
        for _ in range(3):  # on a busy machine it may not be done with its imports
            before = until_one_stands_by(session, alone)
            assert session.run("import os; os._exit(1)").error["ename"] == "SandboxDied"
            imported = session.run(IMPORTED).value
            if imported == "True":
                break
        assert imported == "True"
        assert len(set(below(session.pid)) & set(before)) == STANDING_BY - 1
        session.run("open('data.txt', 'w').write('new')")
        assert session.run("open('kept.txt').read()").value == "'kept'"
        assert (tmp_path / "data.txt").read_text() == "new"


def test_a_restart_takes_the_sandbox_that_stood_by(tmp_path: Path) -> None:
    """Another process is the kernel, with no variable of before; it ends with all that it took over."""
    with started(tmp_path, {"CODEACT_STANDBY": "true"}) as session:
        session.run("before = 1")
        for _ in range(3):
            alone = below(session.pid)
            standing = set(until_one_stands_by(session, len(alone))) - set(alone)
            session.manager.restart_kernel()
            session.client.wait_for_ready(timeout=60)
            imported = session.run(IMPORTED).value
            if imported == "True":
                break
        assert imported == "True"
        assert session.run("before").error["ename"] == "NameError"
        taken = [pid for pid in standing if alive([pid])]
        assert len(taken) == STANDING_BY - 1
        session.run("open('data.txt', 'w').write('new')")
        assert (tmp_path / "data.txt").read_text() == "new"
        session.manager.shutdown_kernel()
        assert gone(taken), alive(taken)
