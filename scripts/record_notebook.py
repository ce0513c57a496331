"""Records a notebook anew: its replies stay, everything the kernel and the sandbox say is new.

Rule: the replies were written by hand for what the code showed then. When it shows something else
now they may be wrong, so nothing is put in place before a person has seen the difference.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

from codeact_kernel.agent.prompt import task_lines
from codeact_kernel.trace import notebook
from codeact_kernel.trace.cells import notebook_metadata
from codeact_kernel.trace.key import KEY
from codeact_kernel.trace.values import Run, Trace
from tests.scripted_server import Recorded, ScriptedServer

ENVIRONMENT, FOLDER = "/opt/codeact", "/srv/notebooks"
"""How a recording calls the Python environment and the folder: it names no machine."""
_SECONDS = 600


class Refused(Exception):
    """The notebook is not recorded, and this sentence says why."""


def main(arguments: Sequence[str]) -> int:
    """1 when a notebook was not put in place."""
    parser = argparse.ArgumentParser(prog="scripts/record", description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument(
        "--accept", action="store_true", help="the replies fit what is different now"
    )
    given = parser.parse_args(arguments)
    failed = False
    for path in given.notebooks:
        try:
            print(record(path, accept=given.accept))
        except Refused as why:
            print(f"{path} stays as it is. {why}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


def record(path: Path, *, accept: bool) -> str:
    """Run it, compare, put it in place; a sentence. Raises Refused."""
    before = notebook.read(_loaded(path))
    with tempfile.TemporaryDirectory(prefix="codeact-record-") as scratch:
        folder = Path(scratch, "notebooks")
        shutil.copytree(path.resolve().parent, folder)
        made = _without_places(_run(folder / path.name, before), folder)
    after = notebook.read(made)
    lines = [*_ends(before, after), *_differences(before, after)]
    if lines and not accept:
        shown = "\n".join(lines)
        raise Refused(
            f"The replies may not fit what the model would be shown now:\n{shown}\n"
            "Mend the replies in its metadata, or say --accept."
        )
    path.write_text(nbformat.v4.writes(made).rstrip("\n") + "\n", "utf-8")
    return f"{path}: {sum(len(run.steps) for run in after.runs)} steps recorded."


def _run(path: Path, before: Trace) -> Any:
    """The notebook as `codeact run` makes it with the recorded replies."""
    models = {run.model for run in before.runs}
    if len(models) != 1:
        raise Refused(f"It needs the runs of one model, not of {len(models)}.")
    server = ScriptedServer(())
    recorded = [(task_lines(run.task), _replies(run)) for run in before.runs]
    server.replies = Recorded(recorded, _tokens)
    server.start()
    out = path.with_suffix(".recorded.ipynb")
    model = ("--model", models.pop(), "--api-base", server.url)
    try:
        done = subprocess.run(
            [
                sys.executable,
                "-P",
                "-m",
                "codeact_kernel",
                "run",
                path.name,
                "-o",
                out.name,
                *model,
            ],
            cwd=path.parent,
            env=_environment(path.parent),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    finally:
        server.close()
    if done.returncode or not out.exists():
        raise Refused(f"codeact run ended with {done.returncode}: {done.stderr.strip()}")
    return _loaded(out)


def _replies(run: Run) -> list[str]:
    return [reply.text for step in run.steps for reply in step.replies]


def _tokens(text: str) -> int:
    """About as many as a provider would count."""
    return -(-len(text) // 4)


def _environment(folder: Path) -> dict[str, str]:
    """A newcomer's: no settings, no key."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CODEACT_")}
    state = str(folder.parent / "state")
    return {**kept, "CODEACT_CONFIG": "/dev/null", "XDG_STATE_HOME": state}


def _loaded(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def _without_places(made: Any, folder: Path) -> Any:
    """The notebook with this machine's folders called by other names, and the digests of that.

    Raises Refused.
    """
    names = ((str(folder), FOLDER), (sys.prefix, ENVIRONMENT))
    told = "".join(
        step.observation.text
        for run in notebook.read(made).runs
        for step in run.steps
        if step.observation is not None
    )
    for place, _ in names:
        if place in told:  # the model saw it, and a replay elsewhere shows another one
            raise Refused(f"A step shows the model {place}, which is another folder elsewhere.")
    for cell in made.cells:
        if "outputs" in cell:
            text = json.dumps(cell.outputs, ensure_ascii=False)
            for place, name in names:
                text = text.replace(place, name)
            cell.outputs = [nbformat.from_dict(output) for output in json.loads(text)]
    made.metadata[KEY] = nbformat.from_dict(notebook_metadata(notebook.read(made).runs))
    return made


def _ends(before: Trace, after: Trace) -> list[str]:
    """What became of the runs, where it is not what became of them before."""
    said = [
        [(run.task, run.outcome, run.answer, len(run.steps)) for run in trace.runs]
        for trace in (before, after)
    ]
    return [] if said[0] == said[1] else [f"before: {said[0]}", f"now:    {said[1]}"]


def _differences(before: Trace, after: Trace) -> list[str]:
    """A unified diff of all the model was shown."""
    diff = difflib.unified_diff(_told(before), _told(after), "before", "now", lineterm="", n=2)
    return list(diff)


def _told(trace: Trace) -> list[str]:
    observations = [step.observation for run in trace.runs for step in run.steps]
    return [line for seen in observations if seen is not None for line in seen.text.splitlines()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
