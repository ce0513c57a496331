"""pip, run outside for the user's own `%pip` cell, in the environment this kernel runs in.

Rules:
- It is started without a shell, in an empty folder and with Python's search path of the
  environment alone: nothing that code in the sandbox can write is imported by it.
- Only a cell that its user runs is carried out. A cell the agent wrote stays the agent's when it is
  run again by hand or with all others; a client where nobody could be asked is refused.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import importlib.util
import json
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeact_kernel.errors import CodeActError
from codeact_kernel.kernel.cells.pip_cell import PipCell
from codeact_kernel.kernel.channels.messages import Incoming
from codeact_kernel.settings import Settings, child_environment, notebook_name

Say = Callable[[str, str], None]
"""`say(stream, text)`: what pip prints, as it comes."""

GRACE = 5.0
"""Seconds an interrupted pip has to put things back before it is killed."""
_LARGEST_NOTEBOOK = 100 * 1024 * 1024
_READ = 64 * 1024
STRICT = (
    "Profile strict installs nothing: %pip would run outside the sandbox. Use a terminal, or the "
    "profile notebook."
)
NEVER = 'Your configuration says pip = "never". Use a terminal.'
AGENTS = (
    "This cell was written by an agent, and %pip runs outside the sandbox, as you. To install it, "
    "type the line into a cell of your own."
)
NOBODY_THERE = (
    "%pip runs outside the sandbox, as you, so you have to run its cell yourself; this client runs a "
    "notebook without anybody who could be asked. Install the package in a terminal before."
)
NO_PIP = (
    "This kernel's environment ({prefix}) has no pip. Install the package with the tool that made it, "
    "for example: uv pip install --python {python} ..."
)
NOTE = "Note: you may need to restart the kernel to use updated packages.\n"


class PipFailed(CodeActError):
    """pip ended with an error, which it has printed."""


class PipStopped(CodeActError):
    """It was interrupted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pip:
    """What the user's settings allow; `notebook` is the file of this kernel's cells, when known."""

    setting: str = "user"
    profile: str = "notebook"
    notebook: Path | None = None

    @classmethod
    def of(cls, settings: Settings, profile: str) -> Pip:
        """For the kernel of this process."""
        name = notebook_name()
        notebook = Path.cwd() / name if name else None
        return cls(setting=settings.pip, profile=profile, notebook=notebook)

    def refusal(self, message: Incoming, code: str) -> str:
        """Why this request's %pip line is not carried out; "" when it is. Raises BadMessage."""
        if self.profile == "strict":
            return STRICT
        if self.setting == "never":
            return NEVER
        metadata = message.read_metadata()
        cell = metadata.get("cellId")
        if _is_agents(metadata) or (
            self.notebook and _is_saved_as_agents(self.notebook, cell, code)
        ):
            return AGENTS
        if message.read_content().get("allow_stdin") is not True:
            return NOBODY_THERE
        if importlib.util.find_spec("pip") is None:
            return NO_PIP.format(prefix=sys.prefix, python=sys.executable)
        return ""


def _is_agents(metadata: Mapping[str, Any]) -> bool:
    """Does the cell's own metadata, which JupyterLab sends along, say that an agent wrote it?

    The cell with the task (role "agent") is its user's.
    """
    ours = metadata.get("codeact")
    return isinstance(ours, dict) and bool(ours) and ours.get("role") != "agent"


def _is_saved_as_agents(notebook: Path, cell: object, code: str) -> bool:
    """For clients that send no metadata of the cell: does the saved notebook say so?

    By the cell's id; where the client's ids are not the notebook's, by the cell's text.
    """
    try:
        with notebook.open("rb") as file:
            cells = json.loads(file.read(_LARGEST_NOTEBOOK))["cells"]
        same = [each for each in cells if cell is not None and each.get("id") == cell]
        same = same or [each for each in cells if _source(each) == code.strip()]
        return any(_is_agents(each["metadata"]) for each in same)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False


def _source(cell: Mapping[str, Any]) -> str:
    source = cell["source"]
    return (source if isinstance(source, str) else "".join(source)).strip()


async def run(cell: PipCell, say: Say) -> None:
    """Show the command and run it. Raises PipFailed, and PipStopped when it is cancelled."""
    command = [sys.executable, "-P", "-m", "pip", cell.verb, *cell.arguments]
    if cell.verb == "uninstall" and not {"-y", "--yes"} & set(cell.arguments):
        command.append("--yes")  # nobody can answer its question
    say("stdout", f"$ {shlex.join(command)}\n")
    with tempfile.TemporaryDirectory(prefix="codeact-pip-") as folder:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=_environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        told = asyncio.gather(
            _tell(process.stdout, lambda text: say("stdout", text)),
            _tell(process.stderr, lambda text: say("stderr", text)),
        )
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            await _stop(process)
            raise PipStopped("pip was interrupted; what it had not finished is undone.") from None
        finally:
            await _no_longer_than(1.0, told)
    if status != 0:
        raise PipFailed(f"pip ended with status {status}; what it said is above.")
    say("stdout", NOTE)


def _environment() -> dict[str, str]:
    """The user's, without what would let Python find modules elsewhere."""
    kept = {
        name: value
        for name, value in child_environment({}).items()
        if not name.startswith(("PYTHON", "CODEACT_")) or name == "PYTHONUSERBASE"
    }
    return {**kept, "PIP_NO_INPUT": "1", "PIP_PROGRESS_BAR": "off", "PYTHONUNBUFFERED": "1"}


async def _tell(pipe: asyncio.StreamReader | None, say: Callable[[str], None]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while pipe is not None and (data := await pipe.read(_READ)):
        say(decoder.decode(data))


async def _stop(process: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        await _no_longer_than(GRACE, process.wait())


async def _no_longer_than(seconds: float, work: Any) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await work
