"""What the verbs that run a notebook have in common: from arguments to a Job and back."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nbformat import NotebookNode

from codeact_kernel import settings
from codeact_kernel.errors import UsageError
from codeact_kernel.headless import ask, demo, files, run, staged
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
    staged: tuple[str, ...] = ()
    """Sentences on files that wait to be kept."""


def run_notebook(arguments: argparse.Namespace) -> Result:
    """`codeact run`."""
    source: Path = arguments.notebook
    notebook = files.read(source)
    out = arguments.out or (source if arguments.in_place else source.with_suffix(".run.ipynb"))
    prepared = run.prepare(notebook, str(source))
    result = _run(arguments, prepared, source.resolve().parent, out, _named(source))
    return replace(result, staged=tuple(staged.after_run(source, keep=arguments.keep)))


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
    if arguments.out is None:
        return _run(arguments, notebook, folder, out, _own_folder(arguments))
    result = _run(arguments, notebook, folder, out, _named(out))
    return replace(result, staged=tuple(staged.after_run(out, keep=False)))


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
    demo.require()
    recorded = demo.unpack(demo.examples_path(), arguments.out)
    arguments.model = f"{_REPLAY}{recorded}"
    notebook = run.prepare(files.read(recorded), str(recorded))
    folder = arguments.out.resolve().parent
    return _run(arguments, notebook, folder, arguments.out, _own_folder(arguments))


def _named(notebook: Path) -> dict[str, str]:
    """As Jupyter tells a kernel which notebook it was started for."""
    return {"JPY_SESSION_NAME": str(notebook.resolve())}


def _own_folder(arguments: argparse.Namespace) -> dict[str, str]:
    """A folder that was made for the run holds nothing to be careful with: no staging there.

    What was asked to be read-only, by the mode or by the profile strict, stays so.
    """
    loaded = settings.load()
    asked = replace(loaded, profile=arguments.profile or loaded.profile)
    return settings.variables({"workspace_mode": "rw" if asked.mode == "cow" else None})


def _run(
    arguments: argparse.Namespace,
    notebook: NotebookNode,
    folder: Path,
    out: Path,
    told: Mapping[str, str],
) -> Result:
    # a command ends: a sandbox for what comes after a death or a restart would be made in vain
    asked = {"standby": False, **sandbox_options(arguments)}
    given = {**settings.variables(asked), **told}
    environment = settings.child_environment(given)
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
