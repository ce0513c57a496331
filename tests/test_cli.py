"""The command as a person or a script meets it: a process, its streams and its exit code."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from codeact_kernel import __version__
from codeact_kernel.cli import main

SECONDS = 90
ROOT = Path(__file__).parents[1]


def environment(**more: str) -> dict[str, str]:
    """The test's own, without settings of the person who runs it."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CODEACT_")}
    state = str(Path(tempfile.gettempdir(), f"codeact-tests-{os.getuid()}"))
    own = {"PYTHONPATH": str(ROOT), "CODEACT_CONFIG": "/dev/null", "XDG_STATE_HOME": state}
    return {**kept, **own, **more}


def codeact(
    *arguments: str | Path, cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run it as a process."""
    return subprocess.run(
        [sys.executable, "-m", "codeact_kernel", *map(str, arguments)],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )


def write(path: Path, *sources: str) -> Path:
    """A notebook with a title and these code cells."""
    cells = [new_markdown_cell("# title"), *map(new_code_cell, sources)]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def read(path: Path) -> Any:
    """The notebook, which has to be valid."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence on stderr."""
    assert done.stderr.startswith("codeact: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


# ── wrong usage: one sentence and exit code 2 ────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "arguments are required"),
        (["fly"], "invalid choice: 'fly'"),
        (["run"], "required: notebook"),
        (["run", "x.ipynb", "--modle", "m"], "Unknown argument --modle"),
        (["run", "x.ipynb", "--steps", "none"], "not a whole number"),
        (["run", "x.ipynb", "--budget", "-1"], "not a number above 0"),
        (["run", "x.ipynb", "--profile", "lax"], "invalid choice: 'lax'"),
        (["run", "x.ipynb", "-o", "y.ipynb", "--in-place"], "not allowed with"),
        (["run", "missing.ipynb"], "There is no file missing.ipynb"),
        (["run", "."], "is a folder"),
        (["run", "text.ipynb"], "it is not JSON"),
        (["run", "three.ipynb"], "format 3; format 4 is needed"),
        (["run", "r.ipynb"], "only Python can be run"),
        (["run", "good.ipynb", "-o", "none/out.ipynb"], "cannot be written: no such file"),
        (["run", "good.ipynb", "-o", "."], "is a folder"),
        (["ask", "  "], "The task is empty"),
        (["ask", "task", "missing.csv"], "There is no file missing.csv"),
        (["ask", "task", "-o", "none/out.ipynb"], "There is no folder none"),
        (["ask", "task", "--bad"], "Unknown argument --bad"),
        (["kernel"], "required: install|uninstall"),
        (["kernel", "uninstall", "--prefix", "nowhere"], "no CodeAct kernel"),
        (["lab", "missing.ipynb"], "There is no file missing.ipynb"),
    ],
)
def test_wrong_usage_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    """What is wrong and what to do, exit code 2, nothing on stdout, nothing left behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODEACT_CONFIG", "/dev/null")
    (tmp_path / "text.ipynb").write_text("hello")
    (tmp_path / "three.ipynb").write_text('{"nbformat": 3, "nbformat_minor": 0, "worksheets": []}')
    r = new_notebook(metadata={"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}})
    nbformat.write(r, tmp_path / "r.ipynb")
    write(tmp_path / "good.ipynb", "1")
    before = sorted(tmp_path.iterdir())
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("codeact: ")
    assert err.count("\n") == 1
    assert sentence in err
    assert sorted(tmp_path.iterdir()) == before


def test_a_wrong_setting_is_wrong_usage(tmp_path: Path) -> None:
    """A configuration nobody can follow is said before a kernel starts."""
    done = codeact("run", write(tmp_path / "a.ipynb", "1"), CODEACT_ISOLATION="maybe")
    assert done.returncode == 2
    assert "isolation must be one of" in said(done)


# ── help ─────────────────────────────────────────────────────────────────────────────────────────


def test_version() -> None:
    """`--version` is one line."""
    done = codeact("--version")
    assert (done.returncode, done.stdout) == (0, f"codeact {__version__}\n")


@pytest.mark.parametrize("verb", ["", "run", "ask", "demo", "lab", "doctor", "kernel"])
def test_help_fits_a_terminal(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb says what it does, in lines that fit."""
    with pytest.raises(SystemExit, match="0"):
        main([*filter(None, [verb]), "--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 100
    assert text.startswith("usage: codeact")


def test_help_does_not_load_the_world() -> None:
    """`--help` imports neither nbclient nor litellm nor jupyter."""
    code = (
        "import sys\nfrom codeact_kernel.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('nbclient', 'litellm', 'jupyter_client', 'nbformat', 'zmq') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.stdout.splitlines()[-1] == "[]"


# ── a notebook without an agent ──────────────────────────────────────────────────────────────────


def test_a_plain_notebook_runs(tmp_path: Path) -> None:
    """Cells run in the notebook's folder; the result lies beside it; a pipe hears nothing."""
    (tmp_path / "data.txt").write_text("forty-two")
    done = codeact("run", write(tmp_path / "a.ipynb", "open('data.txt').read()", "print(1)"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    result = read(tmp_path / "a.run.ipynb")
    assert result.cells[1].outputs[0].data["text/plain"] == "'forty-two'"
    assert [cell.execution_count for cell in result.cells[1:]] == [1, 2]
    assert result.metadata.kernelspec.name == "codeact"
    assert read(tmp_path / "a.ipynb").cells[1].outputs == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.ipynb",
        "a.run.ipynb",
        "data.txt",
    ]


def test_a_cell_that_fails_is_exit_1_and_what_there_is_is_kept(tmp_path: Path) -> None:
    """The sentence names the cell; the notebook has the error and the cells before it."""
    path = write(tmp_path / "a.ipynb", "x = 1", "x / 0", "never")
    done = codeact("run", path, "--in-place", "--json")
    assert done.returncode == 1
    assert "Cell 3 failed: ZeroDivisionError: division by zero" in said(done)
    line = json.loads(done.stdout.splitlines()[-1])
    assert line["outcome"] == "failed"
    assert line["answer"] is None
    result = read(path)
    assert [cell.execution_count for cell in result.cells[1:]] == [1, 2, None]
    assert result.cells[2].outputs[0].ename == "ZeroDivisionError"


def test_a_cell_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    """--timeout ends the run in order, with what was printed before."""
    path = write(tmp_path / "a.ipynb", "print('begun', flush=True)\nimport time; time.sleep(60)")
    began = time.monotonic()
    done = codeact("run", path, "--timeout", "1.5", "--json")
    assert time.monotonic() - began < 30
    assert done.returncode == 1
    assert "took longer than 1.5 s" in said(done)
    assert json.loads(done.stdout)["outcome"] == "stopped"
    assert read(tmp_path / "a.run.ipynb").cells[1].outputs[0].text == "begun\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_keeps_what_there_is(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C stops the cell, writes a valid notebook and ends with 1 and a sentence."""
    code = "print('begun')\nopen('it.said', 'w').write('begun')\nimport time; time.sleep(60)"
    path = write(tmp_path / "a.ipynb", code, "never")
    process = subprocess.Popen(
        [sys.executable, "-m", "codeact_kernel", "run", str(path), "-o", str(tmp_path / "o.ipynb")],
        env=environment(CODEACT_WORKSPACE_MODE="rw"),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: "begun" in seen_inside(tmp_path))
        process.send_signal(number)
        _, err = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1
    assert err == "codeact: Stopped: it was interrupted.\n"
    result = read(tmp_path / "o.ipynb")
    assert result.cells[1].outputs[0].text == "begun\n"
    assert result.cells[2].execution_count is None


def seen_inside(folder: Path) -> str:
    """What a running cell printed cannot be seen yet, so the cell says it with a file (mode rw)."""
    return "".join(path.read_text() for path in folder.glob("*.said"))


def wait_for(happened: Any) -> None:
    """Wait until it has, or fail."""
    end = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


# ── a terminal ───────────────────────────────────────────────────────────────────────────────────


def on_a_terminal(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and everything a person sees."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "codeact_kernel", *map(str, arguments)],
        env=environment(TERM="xterm", COLUMNS="100", NO_COLOR=""),
        stdout=slave,
        stderr=slave,
        stdin=slave,
        start_new_session=True,
    )
    os.close(slave)
    text = b""
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            ready, _, _ = select.select([master], [], [], 1.0)
            if not ready:
                continue
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            if not piece:
                break
            text += piece
        return process.wait(timeout=10), text.decode()
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_a_terminal_is_told_what_goes_on_and_where_the_result_is(tmp_path: Path) -> None:
    """A live line while it runs, gone at the end; then the path and how to open it."""
    code, text = on_a_terminal("run", write(tmp_path / "a.ipynb", "import time; time.sleep(0.5)"))
    assert code == 0
    assert "starting the kernel" in text
    assert "runs cell 2" in text
    last = text.rsplit("\r\x1b[K", 1)[1]
    assert f"The notebook is {tmp_path / 'a.run.ipynb'}" in last
    assert re.search(r"Open it with: (codeact|\S+/codeact|python -P -m codeact_kernel) lab ", last)


def test_an_errors_text_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """What the sandbox says in an exception arrives as text."""
    boom = "raise ValueError('\\x1b]0;owned\\x07\\x1b[2Jboom')"
    _, text = on_a_terminal("run", write(tmp_path / "a.ipynb", boom))
    assert "Cell 2 failed: ValueError: boom" in text
    assert "\x1b]0" not in text
    assert "\x1b[2J" not in text


# ── doctor ───────────────────────────────────────────────────────────────────────────────────────


def test_doctor_says_how_well_code_is_held(tmp_path: Path) -> None:
    """Grade and layers for a person, and the same for a program; 0 when isolation holds."""
    done = codeact("doctor", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    data = json.loads(codeact("doctor", "--json", cwd=tmp_path).stdout)
    assert data["grade"] in ("vm", "gvisor", "namespaces", "landlock")
    assert data["grade"] in done.stdout


# ── kernel, last resort ──────────────────────────────────────────────────────────────────────────


def test_kernel_install_and_uninstall(tmp_path: Path) -> None:
    """The kernel comes into Jupyter's list and goes again."""
    done = codeact("kernel", "install", "--prefix", tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "share/jupyter/kernels/codeact/kernel.json").is_file()
    assert codeact("kernel", "uninstall", "--prefix", tmp_path).returncode == 0
    assert not (tmp_path / "share/jupyter/kernels/codeact").exists()


def test_a_bug_of_ours_is_one_sentence_and_a_file(tmp_path: Path) -> None:
    """No traceback on the terminal; it is in a private file the sentence names."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "nbclient.py").write_text("raise ZeroDivisionError('a bug')")
    path = write(tmp_path / "a.ipynb", "1")
    search = os.pathsep.join((str(tmp_path / "broken"), str(ROOT)))
    done = codeact("run", path, PYTHONPATH=search, XDG_STATE_HOME=str(tmp_path / "state"))
    assert done.returncode == 1
    sentence = said(done)
    log = next((tmp_path / "state" / "codeact" / "logs").iterdir())
    assert str(log) in sentence
    assert "ZeroDivisionError: a bug" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
