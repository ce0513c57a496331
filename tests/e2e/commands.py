"""`codeact run` as tests start it: a notebook of some cells, a scripted model, what came of it."""

from __future__ import annotations

import json
import os
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
from nbformat.v4 import new_code_cell, new_notebook

SECONDS = 100
ROOT = Path(__file__).parents[2]
ANSWER = "I know it.\n\n<execute>\nfinal_answer('forty-two')\n</execute>"
TASK = "%%agent\nWhat is the answer?"


def environment(**more: str) -> dict[str, str]:
    """The test's own, without settings of the person who runs it."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CODEACT_")}
    state = str(Path(tempfile.gettempdir(), f"codeact-tests-{os.getuid()}"))
    own = {"PYTHONPATH": str(ROOT), "CODEACT_CONFIG": "/dev/null", "XDG_STATE_HOME": state}
    return {**kept, **own, "CODEACT_STANDBY": "false", **more}


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


def finished(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command, when it is over."""
    return subprocess.run(
        command(*arguments),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
    )


def go(folder: Path, url: str, *sources: str, options: tuple[str, ...] = ()) -> Done:
    """`codeact run` on a notebook of these cells, with the model at `url`."""
    path = write(folder / "a.ipynb", *(sources or (TASK,)))
    process = finished("run", path, "--model", "openai/scripted", "--api-base", url, *options)
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
