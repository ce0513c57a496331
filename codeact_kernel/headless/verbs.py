"""What the verbs that run a notebook have in common: from arguments to a Job and back."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from codeact_kernel import settings
from codeact_kernel.errors import UsageError
from codeact_kernel.headless import ask, demo, files, run
from codeact_kernel.headless.arguments import sandbox_options
from codeact_kernel.headless.outcome import Ended
from codeact_kernel.headless.progress import Progress
from codeact_kernel.kernel.start import policy_of

_REPLAY = "replay/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How it ended, where the notebook is, and what was already there to be said."""

    ended: Ended
    notebook: Path


def run_notebook(arguments: argparse.Namespace) -> Result:
    """`codeact run`."""
    source: Path = arguments.notebook
    notebook = files.read(source)
    out = arguments.out or (source if arguments.in_place else source.with_suffix(".run.ipynb"))
    return _run(arguments, run.prepare(notebook, str(source)), source.resolve().parent, out)


def ask_task(arguments: argparse.Namespace) -> Result:
    """`codeact ask`."""
    if not arguments.task.strip():
        raise UsageError("The task is empty; say in a sentence what is to be done.")
    ask.require(arguments.files)
    out = arguments.out or ask.default_out(arguments.task, Path.cwd())
    folder = _work_folder(out, made=arguments.out is None)
    if arguments.files and not ask.is_shown(folder):
        raise UsageError(
            f"{folder} is not shown to the agent, which could not read the files there. "
            "Name a notebook in a folder of its own with -o."
        )
    names, copied = ask.gather(arguments.files, folder)
    for name in copied:
        _progress().say(f"{name} was copied to {folder}, where the agent can see it.")
    notebook = run.prepare(ask.notebook(arguments.task, names), "the task")
    return _run(arguments, notebook, folder, out)


def _work_folder(out: Path, *, made: bool) -> Path:
    try:
        if made:
            out.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out.parent} cannot be made: {error.strerror}.") from None
    if not out.parent.is_dir():
        raise UsageError(f"There is no folder {out.parent}.")
    return out.parent.resolve()


def replay_demo(arguments: argparse.Namespace) -> Result:
    """`codeact demo`."""
    recorded = demo.unpack(demo.examples_path(), arguments.out)
    arguments.model = f"{_REPLAY}{recorded}"
    notebook = run.prepare(files.read(recorded), str(recorded))
    return _run(arguments, notebook, arguments.out.resolve().parent, arguments.out)


def _run(arguments: argparse.Namespace, notebook: NotebookNode, folder: Path, out: Path) -> Result:
    environment = settings.child_environment(settings.variables(sandbox_options(arguments)))
    policy_of(settings.load(environment), folder)  # what is wrong is said before anything starts
    job = run.Job(
        notebook=notebook,
        folder=folder,
        environment=environment,
        overrides=_overrides(arguments),
        cell_seconds=getattr(arguments, "timeout", None),
    )
    with files.Target(out) as target:
        return Result(ended=run.execute(job, target, _progress()), notebook=target.path)


def _overrides(arguments: argparse.Namespace) -> dict[str, object]:
    names = ("model", "steps", "budget", "vision", "api_base")
    given = {name: getattr(arguments, name, None) for name in names}
    if str(given["model"] or "").startswith(_REPLAY):
        given["model"] = _REPLAY + _absolute(str(given["model"]).removeprefix(_REPLAY))
    return {name: value for name, value in given.items() if value is not None}


def _absolute(recording: str) -> str:
    """A recording is named as seen from here; the kernel runs in the notebook's folder."""
    return str(Path(recording).resolve()) if Path(recording).exists() else recording


def _progress() -> Progress:
    return Progress(sys.stderr, settings.terminal_style())
