"""`codeact run` and `codeact ask` with the real kernel and sandbox, and a model whose replies are scripted."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.scripted_server import Reply, ScriptedServer, serving, several

SECONDS = 100
ROOT = Path(__file__).parents[2]
ANSWER = "I know it.\n\n<execute>\nfinal_answer('forty-two')\n</execute>"
TASK = "%%agent\nWhat is the answer?"


def environment(**more: str) -> dict[str, str]:
    """The test's own, without settings of the person who runs it."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CODEACT_")}
    state = str(Path(tempfile.gettempdir(), f"codeact-tests-{os.getuid()}"))
    own = {"PYTHONPATH": str(ROOT), "CODEACT_CONFIG": "/dev/null", "XDG_STATE_HOME": state}
    return {**kept, **own, **more}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "codeact_kernel", *map(str, arguments)]


@dataclass(frozen=True)
class Done:
    """How a command ended, and the notebook it left (valid, or it would not be here)."""

    code: int
    stdout: str
    stderr: str
    notebook: Any

    @property
    def line(self) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(self.stdout.splitlines()[-1])
        return made

    @property
    def steps(self) -> list[Any]:
        return [cell for cell in self.notebook.cells if role(cell) == "step"]


def role(cell: Any) -> str | None:
    name: str | None = cell.metadata.get("codeact", {}).get("role")
    return name


def write(path: Path, *sources: str) -> Path:
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), path)
    return path


def read(path: Path) -> Any:
    if not path.exists():
        return None
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def done(process: subprocess.CompletedProcess[str], out: Path) -> Done:
    assert "Traceback" not in process.stderr
    return Done(process.returncode, process.stdout, process.stderr, read(out))


def go(folder: Path, url: str, *sources: str, options: tuple[str, ...] = ()) -> Done:
    """`codeact run` on a notebook of these cells, with the model at `url`."""
    path = write(folder / "a.ipynb", *(sources or (TASK,)))
    model = ("--model", "openai/scripted", "--api-base", url)
    process = subprocess.run(
        command("run", path, *model, *options),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )
    return done(process, folder / "a.run.ipynb")


def counts(notebook: Any) -> list[int | None]:
    return [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]


def text_of(cell: Any) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def nobody() -> str:
    """An address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


# ── a run that goes well ─────────────────────────────────────────────────────────────────────────


def test_each_step_is_a_cell_with_outputs_and_counts(tmp_path: Path) -> None:
    """Thought, code, outputs and answer stand below the agent cell; the next cell uses what they made."""
    with serving(
        "I add.\n\n<execute>\ntotal = sum(data)\nprint(total)\n</execute>", ANSWER
    ) as model:
        ran = go(tmp_path, model.url, "data = [1, 2, 3]", TASK, "total * 2", options=("--json",))
    assert (ran.code, ran.stderr) == (0, "")
    assert [role(cell) for cell in ran.notebook.cells][:4] == [None, "agent", "thought", "step"]
    assert [cell.source for cell in ran.steps] == [
        "total = sum(data)\nprint(total)",
        "final_answer('forty-two')",
    ]
    assert text_of(ran.steps[0]) == "6\n"
    assert counts(ran.notebook) == [1, 2, 3, 4, 5]
    assert ran.notebook.cells[-1].outputs[0].data["text/plain"] == "12"
    assert ran.line["outcome"] == "answer"
    assert ran.line["answer"] == "forty-two"
    assert (ran.line["steps"], ran.line["calls"], ran.line["runs"]) == (2, 2, 1)
    assert ran.line["usage"] == {"input_tokens": 200, "output_tokens": 20, "cached_tokens": 0}
    assert ran.line["seconds"] > 0


def test_a_pipe_gets_the_answer_and_nothing_else(tmp_path: Path) -> None:
    """stdout is the answer, without what would steer a terminal; stderr is silent."""
    with serving("<execute>\nfinal_answer('\\x1b[2Jforty-two')\n</execute>") as model:
        ran = go(tmp_path, model.url)
    assert (ran.code, ran.stdout, ran.stderr) == (0, "forty-two\n", "")


def test_a_run_again_does_not_double_its_cells(tmp_path: Path) -> None:
    """--in-place twice gives the same cells once."""
    with serving(ANSWER) as model:
        first = go(tmp_path, model.url, options=("-o", str(tmp_path / "a.run.ipynb")))
        process = subprocess.run(
            command(
                "run", tmp_path / "a.run.ipynb", "--in-place",
                "--model", "openai/scripted", "--api-base", model.url,
            ),
            env=environment(), capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
    second = done(process, tmp_path / "a.run.ipynb")
    assert second.code == 0
    assert [cell.source for cell in second.notebook.cells] == [
        cell.source for cell in first.notebook.cells
    ]
    assert len(second.notebook.metadata.codeact.runs) == 1


# ── what models really send ──────────────────────────────────────────────────────────────────────


HTML = "html = '<b><code>x</code></b>'\nprint(html)"
FORMS = (
    # two code blocks
    (
        "First.\n\n```python\nprint(1)\n```\n\nThen.\n\n```python\nprint(2)\n```",
        "print(1)\n\nprint(2)",
        "1\n2\n",
    ),
    # code in JSON
    ('{"thought": "I print.", "code": "print(\\"json\\")"}', 'print("json")', "json\n"),
    # an unclosed fence, an unclosed tag
    ("I print.\n\n```python\nprint(1)", "print(1)", "1\n"),
    ("I print.\n\n<execute>\nprint(1)\n", "print(1)", "1\n"),
    # HTML with </code> in a string
    (f"<code>\n{HTML}\n</code>", HTML, "<b><code>x</code></b>\n"),
)


def test_replies_in_other_forms_are_understood(tmp_path: Path) -> None:
    """Two blocks, JSON, an unclosed fence or tag, HTML in a string: what was meant is what runs."""
    models = {f"form{n}": (reply, ANSWER) for n, (reply, _, _) in enumerate(FORMS)}
    with several(models) as url:
        cells = [f"%%agent --model openai/{name}\nTask." for name in models]
        path = write(tmp_path / "a.ipynb", *cells)
        process = subprocess.run(
            command("run", path, "--api-base", url),
            env=environment(), capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
    ran = done(process, tmp_path / "a.run.ipynb")
    assert ran.code == 0, ran.stderr
    assert [(step.source, text_of(step)) for step in ran.steps[::2]] == [
        (source, printed) for _, source, printed in FORMS
    ]


def test_a_reply_without_code_is_the_answer(tmp_path: Path) -> None:
    """Prose alone ends the run as an answer."""
    with serving("It is forty-two.") as model:
        ran = go(tmp_path, model.url)
    assert (ran.code, ran.stdout) == (0, "It is forty-two.\n")
    assert ran.steps == []


# ── a provider that has trouble ──────────────────────────────────────────────────────────────────


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


def test_too_many_requests_are_tried_again(tmp_path: Path) -> None:
    """A 429 costs a moment, not the run."""
    with serving(Reply(text=ANSWER, refusals=(429,))) as model:
        ran = go(tmp_path, model.url)
        assert len(model.requests) == 2
    assert (ran.code, ran.stdout) == (0, "forty-two\n")


def test_a_refusal_that_stays_is_said(tmp_path: Path) -> None:
    """A 401 is not tried again; the sentence says what the provider said."""
    with serving(Reply(text=ANSWER, refusals=(401,) * 20)) as model:
        ran = go(tmp_path, model.url)
        assert len(model.requests) == 1
    assert ran.code == 1
    assert ran.stderr.count("\n") == 1


def test_a_stream_that_is_cut_is_asked_again(tmp_path: Path) -> None:
    """Half a reply is never run."""
    with serving(Reply(text=ANSWER, cuts=1)) as model:
        ran = go(tmp_path, model.url)
        assert len(model.requests) == 2
    assert (ran.code, ran.stdout) == (0, "forty-two\n")
    assert len(ran.steps) == 1


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


# ── limits, several runs, wrong usage ────────────────────────────────────────────────────────────


def test_a_limit_is_exit_3(tmp_path: Path) -> None:
    """An agent that is not done after its steps ends with 3; the sentence says which limit."""
    with serving("<execute>\nprint('on')\n</execute>") as model:
        ran = go(tmp_path, model.url, options=("--steps", "2", "--json"))
    assert ran.code == 3
    assert ran.line["outcome"] == "step_limit"
    assert len(ran.steps) == 2
    assert ran.stderr.count("\n") == 1


def test_the_worst_of_several_runs_decides(tmp_path: Path) -> None:
    """One answered and one stopped at its limit: 3, with the answer on stdout."""
    models = {"asked": (ANSWER,), "looping": ("<execute>\nprint('on')\n</execute>",)}
    with several(models) as url:
        limited = "%%agent --steps 1 --model openai/looping\nGo on."
        path = write(tmp_path / "a.ipynb", "%%agent --model openai/asked\nAsk.", limited)
        process = subprocess.run(
            command("run", path, "--api-base", url),
            env=environment(), capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
    ran = done(process, tmp_path / "a.run.ipynb")
    assert (ran.code, ran.stdout) == (3, "forty-two\n")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("%%agent\n\n", "no task"),
        ("%%agent --modle x\ntask", "--modle is not an option"),
        ("%%agent\nWhat is {nothing}?", "no variable nothing"),
    ],
)
def test_a_wrong_agent_cell_is_exit_2_and_the_old_result_stays(
    tmp_path: Path, source: str, sentence: str
) -> None:
    """Nothing was run, so what an earlier run left is worth more."""
    (tmp_path / "a.run.ipynb").write_text("before")
    path = write(tmp_path / "a.ipynb", source)
    process = subprocess.run(
        command("run", path, "--model", "openai/x", "--api-base", nobody()),
        env=environment(), capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert process.returncode == 2
    assert sentence in process.stderr
    assert process.stderr.count("\n") == 1
    assert (tmp_path / "a.run.ipynb").read_text() == "before"
    assert not list(tmp_path.glob(".*"))


def test_no_model_is_one_sentence(tmp_path: Path) -> None:
    """Who has not chosen a model is told how."""
    process = subprocess.run(
        command("run", write(tmp_path / "a.ipynb", TASK)),
        env=environment(), capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert process.returncode in (1, 2)
    assert "--model" in process.stderr
    assert process.stderr.count("\n") == 1


# ── replay, ask, a terminal ──────────────────────────────────────────────────────────────────────


def test_a_run_replays_without_a_server(tmp_path: Path) -> None:
    """The result is a recording; a task that was changed meanwhile is said."""
    with serving("<execute>\nprint(6 * 7)\n</execute>", ANSWER) as model:
        go(tmp_path, model.url)
    recorded = (tmp_path / "a.run.ipynb").rename(tmp_path / "recorded.ipynb")
    for task, notices in ((TASK, 0), (TASK + " Please.", 1)):
        process = subprocess.run(
            command("run", write(tmp_path / "a.ipynb", task), "--model", "replay/recorded.ipynb"),
            env=environment(), capture_output=True, text=True, timeout=SECONDS, cwd=tmp_path,
        )  # fmt: skip
        ran = done(process, tmp_path / "a.run.ipynb")
        assert (ran.code, ran.stdout) == (0, "forty-two\n")
        assert [text_of(cell) for cell in ran.steps] == ["42\n", ""]
        header = next(c for c in ran.notebook.cells if role(c) == "agent").metadata.codeact.run
        assert min(len(header.notices), 1) == notices
        assert ran.stderr.count("\n") == len(header.notices)
    assert recorded.exists()


def test_ask_makes_a_notebook_of_a_sentence_and_a_file(tmp_path: Path) -> None:
    """The file is where the cell says, the task is in the notebook, the answer on stdout."""
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / "data.csv").write_text("a\n1\n2\n")
    read_it = "<execute>\nfinal_answer(open(files[0]).read().count('\\n'))\n</execute>"
    with serving(read_it) as model:
        process = subprocess.run(
            command(
                "ask", "How many lines has {it}?", "-o", "o.ipynb",
                "--model", "openai/scripted", "--api-base", model.url, tmp_path / "data.csv",
            ),
            env=environment(), capture_output=True, text=True, timeout=SECONDS, cwd=work,
        )  # fmt: skip
        prompt = json.dumps(model.requests[0]["messages"])
    ran = done(process, work / "o.ipynb")
    assert (ran.code, ran.stdout, ran.stderr) == (0, "3\n", "")
    assert "How many lines has {it}?" in prompt
    assert ran.notebook.cells[0].source == "# How many lines has {it}?"
    assert ran.notebook.cells[1].source == "files = ['data.csv']"


def test_a_terminal_sees_steps_tokens_and_the_answer(tmp_path: Path) -> None:
    """Live progress on stderr, the answer on stdout, where the notebook is at the end."""
    path = write(tmp_path / "a.ipynb", TASK)
    with serving("I print.\n\n<execute>\nprint(1)\n</execute>", ANSWER) as model:
        code, text = on_a_terminal(
            "run", path, "--model", "openai/scripted", "--api-base", model.url
        )
    assert code == 0
    assert "asking the model" in text
    assert "✓ 1  I print." in text
    assert "110 tokens" in text
    assert text.rsplit("\r\x1b[K", 1)[1].startswith("forty-two\r\n")


def on_a_terminal(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and everything a person sees."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command(*arguments),
        env=environment(TERM="xterm", COLUMNS="100", NO_COLOR="1"),
        stdout=slave, stderr=slave, stdin=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    text, end = b"", time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            if select.select([master], [], [], 1.0)[0]:
                text += os.read(master, 65536)
    except OSError:  # the other end is closed: it is over
        pass
    finally:
        process.kill()
        process.wait()
        os.close(master)
    return process.returncode, text.decode()
