"""`codeact run` with a provider that has trouble, and with somebody who stops or kills it."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.commands import (
    ANSWER,
    SECONDS,
    TASK,
    command,
    counts,
    environment,
    go,
    nobody,
    read,
    role,
    text_of,
    wait_for,
    write,
)
from tests.scripted_server import Reply, ScriptedServer, serving


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Exit code 1, one sentence with the address, a valid notebook."""
    url = nobody()
    ran = go(tmp_path, url, "x = 1", TASK, "never", options=("--json",))
    assert ran.code == 1
    assert ran.stderr.startswith("codeact: ")
    assert url in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert ran.line["outcome"] == "failed"
    assert ran.line["reason"] in ran.stderr
    assert counts(ran.notebook) == [1, 2, None]


def test_a_refusal_that_stays_is_said(tmp_path: Path) -> None:
    """A 401 is not tried again; the sentence says what the provider said."""
    with serving(Reply(text=ANSWER, refusals=(401,) * 20)) as model:
        ran = go(tmp_path, model.url)
        assert len(model.requests) == 1
    assert ran.code == 1
    assert ran.stderr.count("\n") == 1


def test_a_failure_half_way_keeps_the_steps_before_it(tmp_path: Path) -> None:
    """The notebook is valid and has what was done; the run says why it ended."""
    first = "<execute>\nx = 7\nprint(x)\n</execute>"
    with serving(first, Reply(text=ANSWER, refusals=(400,) * 20)) as model:
        ran = go(tmp_path, model.url, TASK, "never", options=("--json",))
    assert ran.code == 1
    assert ran.line["outcome"] == "failed"
    assert ran.line["steps"] >= 1
    assert text_of(ran.steps[0]) == "7\n"
    assert ran.notebook.cells[-1].execution_count is None


def test_a_stalled_server_can_be_interrupted(tmp_path: Path) -> None:
    """Ctrl-C while the model is silent ends the run at once, with a valid notebook."""
    first = "<execute>\nprint('one')\n</execute>"
    with serving(first, Reply(text=ANSWER, stall=300)) as model:
        code, err = interrupted(tmp_path, model, lambda: len(model.requests) == 2)
    assert code == 1
    assert err == "codeact: Stopped: it was interrupted.\n"
    notebook = read(tmp_path / "a.run.ipynb")
    assert text_of(next(cell for cell in notebook.cells if role(cell) == "step")) == "one\n"
    assert notebook.cells[-1].execution_count is None


def test_a_step_that_runs_can_be_interrupted(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a step keeps what it printed."""
    step = "<execute>\nimport time\nprint('begun')\nopen('begun', 'w').close()\ntime.sleep(300)\n</execute>"
    with serving(step, ANSWER) as model:
        # In mode rw what it writes is seen at once: it has begun.
        code, err = interrupted(
            tmp_path, model, (tmp_path / "begun").exists, CODEACT_WORKSPACE_MODE="rw"
        )
        assert len(model.requests) == 1
    assert code == 1
    assert err == "codeact: Stopped: it was interrupted.\n"
    step_cell = next(c for c in read(tmp_path / "a.run.ipynb").cells if role(c) == "step")
    assert "begun\n" in text_of(step_cell)


def interrupted(
    folder: Path, model: ScriptedServer, now: Callable[[], bool], **settings: str
) -> tuple[int, str]:
    """Exit code and stderr of a run that got SIGINT when `now` came true."""
    path = write(folder / "a.ipynb", TASK, "never")
    process = subprocess.Popen(
        command("run", path, "--model", "openai/scripted", "--api-base", model.url),
        env=environment(**settings), stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(now)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = process.communicate(timeout=SECONDS)
        assert time.monotonic() - began < 20
    finally:
        process.kill()
        process.wait()
    return process.returncode, err


def test_a_killed_command_leaves_the_copy_in_progress(tmp_path: Path) -> None:
    """What was finished when the process was killed is beside the result, valid, and OUT is untouched."""
    (tmp_path / "a.run.ipynb").write_text("before")
    path = write(tmp_path / "a.ipynb", TASK)
    first = "<execute>\nprint('one')\n</execute>"
    with serving(first, Reply(text=ANSWER, stall=300)) as model:
        process = subprocess.Popen(
            command("run", path, "--model", "openai/scripted", "--api-base", model.url),
            env=environment(), stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(lambda: "one" in step_text(tmp_path / ".a.run.ipynb.partial"))
        finally:
            process.kill()
            process.wait()
    assert step_text(tmp_path / ".a.run.ipynb.partial") == "one\n"
    assert (tmp_path / "a.run.ipynb").read_text() == "before"


def step_text(path: Path) -> str:
    """What the steps in this notebook printed; every state it is seen in is a valid notebook."""
    notebook = read(path) if path.exists() and path.stat().st_size else None
    steps = [cell for cell in notebook.cells if role(cell) == "step"] if notebook else []
    return "".join(map(text_of, steps))
