"""`codeact files`: what runs of a notebook have staged, listed, kept or discarded from outside.

Rule: an area that a kernel still uses is only named; nobody decides about files under its hands.
"""

from __future__ import annotations

import argparse
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from codeact_kernel import settings
from codeact_kernel.errors import NotebookError, UsageError
from codeact_kernel.sandbox.staging import area as areas
from codeact_kernel.sandbox.staging import diff
from codeact_kernel.sandbox.staging.area import About, Area
from codeact_kernel.sandbox.staging.staging import Outcome, Staging, TooMuch

_PATIENCE = 5.0
_TURN = 0.1
NOTHING = "Nothing is staged."
_IN_USE = "a kernel that runs; decide there with %agent files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`text` for a person; `ok` unless something that was asked for was refused."""

    text: str
    ok: bool = True


def carry_out(arguments: argparse.Namespace) -> Answer:
    """`codeact files`. Raises UsageError, NotebookError."""
    if arguments.notebook is None:
        return _overview()
    verb, paths = arguments.action, tuple(arguments.paths)
    if verb != "list" and bool(paths) == arguments.all:
        raise UsageError(f"Say what to {verb}: paths as codeact files lists them, or --all.")
    found = _found(arguments.notebook)
    answers = [
        answer
        for path in found
        if (answer := _decide(path, verb, None if arguments.all else paths, arguments.force))
    ]
    if not answers:
        return Answer(text=NOTHING, ok=verb == "list")
    text = "\n\n".join(answer.text for answer in answers)
    return Answer(text=text, ok=all(answer.ok for answer in answers))


def after_run(notebook: Path, *, keep: bool) -> list[str]:
    """Sentences on what a run that is over has staged; with `keep` all of it is put in place."""
    lines: list[str] = []
    try:
        for path in _found(notebook):
            with _opened(path) as staging:
                if staging is None:
                    continue
                if keep:
                    outcome = staging.keep()
                    if outcome.done:
                        lines += [f"{_count(outcome.done)} put in {staging.folder}."]
                    lines += [f"Not kept: {line}." for line in diff.told(outcome.refused)]
                if left := staging.changes():
                    named = shlex.quote(str(notebook))
                    lines.append(
                        f"{_count(left)} staged, not yet in the folder: {diff.summary(left)}. "
                        f"See the changes with: codeact files {named}. "
                        f"Keep them with: codeact files {named} keep --all"
                    )
    except (TooMuch, OSError) as error:
        lines.append(f"What was staged cannot be read: {error}.")
    return lines


def _overview() -> Answer:
    lines = []
    for path in areas.find(settings.state_path()):
        with _opened(path, patience=0) as staging:
            if staging is None:
                about = areas.read_about(path)
                lines.append(f"{about.notebook or about.workspace if about else path}: {_IN_USE}")
            elif changes := _listed(staging):
                about = staging.area.about
                lines.append(f"{about.notebook or about.workspace}: {_count(changes)} staged")
    return Answer(text="\n".join(map(diff.shown, lines)) or NOTHING)


def _listed(staging: Staging) -> Sequence[object]:
    try:
        return staging.changes()
    except (TooMuch, OSError):
        return [None]  # something is there, and naming the notebook shows what


def _decide(path: str, verb: str, paths: Sequence[str] | None, force: bool) -> Answer | None:
    with _opened(path) as staging:
        if staging is None:
            return Answer(text=f"What is staged is in use by {_IN_USE}.", ok=False)
        try:
            changes = staging.changes()
            if not changes:
                return None
            if verb == "list":
                staging.show(changes)
                text = diff.listing(changes, staging.folder, staging.area.upper)
                return Answer(text=text)
            if verb == "keep":
                return _answer(staging.keep(paths, force=force), "kept")
            return _answer(staging.discard(paths), "discarded")
        except (TooMuch, OSError) as error:
            raise NotebookError(f"What is staged in {path} cannot be read: {error}.") from None


def _answer(outcome: Outcome, what: str) -> Answer:
    lines = [f"{what}: {diff.shown(path)}" for path in outcome.done]
    lines += [f"not {what}: {line}" for line in diff.told(outcome.refused)]
    return Answer(text="\n".join(lines) or NOTHING, ok=not outcome.refused)


def _found(notebook: Path) -> list[str]:
    """The areas of a notebook's kernels; its result, `x.run.ipynb`, means `x.ipynb` too."""
    place = notebook.resolve()
    named = settings.load().workspace
    workspace = os.path.realpath(Path(named).expanduser()) if named else str(place.parent)
    source = place.with_name(f"{place.name.removesuffix('.ipynb').removesuffix('.run')}.ipynb")
    found = [
        path
        for name in (place, source)
        for path in areas.find(settings.state_path(), About(workspace, str(name)))
    ]
    return list(dict.fromkeys(found))


@contextmanager
def _opened(path: str, patience: float = _PATIENCE) -> Iterator[Staging | None]:
    """The staging of an area nobody else holds; what is decided leaves it afterwards."""
    area: Area | None = areas.open_existing(path)
    deadline = time.monotonic() + patience
    while area is None and time.monotonic() < deadline and areas.read_about(path):
        time.sleep(_TURN)  # a kernel that was just ended
        area = areas.open_existing(path)
    if area is None:
        yield None
        return
    staging = Staging(area)
    try:
        yield staging
    finally:
        if os.path.isdir(staging.folder):
            staging.tidy()
        area.close()


def _count(items: Sequence[object]) -> str:
    return f"{len(items):,} {'change' if len(items) == 1 else 'changes'}"
