"""`codeact run` and `codeact ask` with the real kernel and sandbox, and a model whose replies are scripted."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.commands import (
    ANSWER,
    SECONDS,
    TASK,
    Done,
    command,
    counts,
    done,
    environment,
    finished,
    go,
    nobody,
    role,
    text_of,
    write,
)
from tests.scripted_server import serving, several

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


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """A run that went well, and its notebook."""
    folder = tmp_path_factory.mktemp("answered")
    answer = "<execute>\nfinal_answer('\\x1b[2Jforty-two')\n</execute>"
    with serving("<execute>\nprint(6 * 7)\n</execute>", answer) as model:
        ran = go(folder, model.url, options=("-o", str(folder / "a.run.ipynb")))
    return ran, folder / "a.run.ipynb"


def test_a_pipe_gets_the_answer_and_nothing_else(answered: tuple[Done, Path]) -> None:
    """stdout is the answer, without what would steer a terminal; stderr is silent."""
    ran, _ = answered
    assert (ran.code, ran.stdout, ran.stderr) == (0, "forty-two\n", "")


def test_a_run_again_does_not_double_its_cells(answered: tuple[Done, Path], tmp_path: Path) -> None:
    """--in-place on the result gives the same cells once."""
    first, path = answered
    for name in ("a.ipynb", "recorded.ipynb"):
        shutil.copy(path, tmp_path / name)
    again = ("run", "a.ipynb", "--in-place", "--model", "replay/recorded.ipynb")
    second = done(finished(*again, cwd=tmp_path), tmp_path / "a.ipynb")
    assert second.code == 0
    assert [cell.source for cell in second.notebook.cells] == [
        cell.source for cell in first.notebook.cells
    ]
    assert len(second.notebook.metadata.codeact.runs) == 1


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
    with several(models) as server:
        limited = "%%agent --steps 1 --model openai/looping\nGo on."
        path = write(tmp_path / "a.ipynb", "%%agent --model openai/asked\nAsk.", limited)
        process = finished("run", path, "--api-base", server.url)
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
    process = finished("run", path, "--model", "openai/x", "--api-base", nobody())
    assert process.returncode == 2
    assert sentence in process.stderr
    assert process.stderr.count("\n") == 1
    assert (tmp_path / "a.run.ipynb").read_text() == "before"
    assert not list(tmp_path.glob(".*"))


def test_no_model_is_one_sentence(tmp_path: Path) -> None:
    """Who has not chosen a model is told how."""
    process = finished("run", write(tmp_path / "a.ipynb", TASK))
    assert process.returncode in (1, 2)
    assert "--model" in process.stderr
    assert process.stderr.count("\n") == 1


# ── replay, ask, a terminal ──────────────────────────────────────────────────────────────────────


def test_a_run_replays_without_a_server(answered: tuple[Done, Path], tmp_path: Path) -> None:
    """The result is a recording; a task that was changed meanwhile is said."""
    recorded = Path(shutil.copy(answered[1], tmp_path / "recorded.ipynb"))
    for task, notices in ((TASK, 0), (TASK + " Please.", 1)):
        path = write(tmp_path / "a.ipynb", task)
        process = finished("run", path, "--model", "replay/recorded.ipynb", cwd=tmp_path)
        ran = done(process, tmp_path / "a.run.ipynb")
        assert (ran.code, ran.stdout) == (0, "forty-two\n")
        assert [text_of(cell) for cell in ran.steps] == ["42\n", ""]
        header = next(c for c in ran.notebook.cells if role(c) == "agent").metadata.codeact.run
        assert min(len(header.notices), 1) == notices
        assert ran.stderr.count("\n") == len(header.notices)
    assert recorded.read_bytes() == answered[1].read_bytes()


def test_ask_makes_a_notebook_of_a_sentence_and_a_file(tmp_path: Path) -> None:
    """The file is where the cell says, the task is in the notebook, the answer on stdout."""
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / "data.csv").write_text("a\n1\n2\n")
    read_it = "<execute>\nfinal_answer(open(files[0]).read().count('\\n'))\n</execute>"
    with serving(read_it) as model:
        how = ("-o", "o.ipynb", "--model", "openai/scripted", "--api-base", model.url)
        asked = ("ask", "How many lines has {it}?", *how, tmp_path / "data.csv")
        process = finished(*asked, cwd=work)
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
