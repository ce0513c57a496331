"""A trace as a notebook and back: pure functions on nbformat 4.5 dicts, no file is touched here.

Rule: `read(write(trace, notebook)) == trace`. Reading never raises for a v4 notebook, whatever a
person did to it: what cannot be read is left out and said in `Reading.skipped`. A step's code is
what its cell says now; when that is not what ran, it is said as well. A run without cells of its
own, which an output holds (inline.py), is read too; of one that is in both ways its cells count.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from codeact_kernel.trace import digest, inline
from codeact_kernel.trace.cells import (
    Cell,
    agent_cell_id,
    agent_metadata,
    chain,
    is_valid_id,
    marked,
    notebook_metadata,
    step_cells,
)
from codeact_kernel.trace.edits import merged, new_cell
from codeact_kernel.trace.key import KEY
from codeact_kernel.trace.reading import Damaged
from codeact_kernel.trace.records import changed_since, run_of, step_of
from codeact_kernel.trace.text import joined
from codeact_kernel.trace.values import Output, Run, Step, Trace

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a notebook tells, and in `skipped`, a sentence each, what in it could not be read."""

    trace: Trace
    skipped: tuple[str, ...] = ()


def blank() -> JSON:
    """A notebook without cells."""
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}


def read(notebook: Mapping[str, Any]) -> Trace:
    """The runs recorded in a v4 notebook, in order."""
    return survey(notebook).trace


def survey(notebook: Mapping[str, Any]) -> Reading:
    """The runs recorded in a v4 notebook, and what of them could not be read."""
    found = _Found()
    for cell in _cells(notebook):
        metadata = _metadata(cell)
        found.names[str(cell.get("id", ""))] = _made_by(metadata)
        carried = inline.metadata_in(cell) if metadata is None else None
        try:
            if metadata is not None:
                found.take(metadata, cell)
            elif carried is not None:
                found.take_whole(carried, cell)
        except Damaged as error:
            found.skipped.append(f"Cell {cell.get('id', '?')}: {error}; it was left out.")
        except RecursionError:
            what = "it is nested too deeply to be read"
            found.skipped.append(f"Cell {cell.get('id', '?')}: {what}; it was left out.")
    return found.reading(_chains(notebook))


def write(trace: Trace, notebook: Mapping[str, Any]) -> JSON:
    """A copy of the v4 notebook with the runs in it: each below its agent cell, once.

    An agent cell that is not there is put at the end. Cells of these runs that are there already
    are replaced, all other cells stay. What outputs hold of these runs goes: cells hold it now.
    """
    ids = {run.id for run in trace.runs}
    made = {**blank(), **_without_steps(notebook, ids)}
    minor = made["nbformat_minor"]
    made["nbformat_minor"] = max(minor, 5) if isinstance(minor, int) else 5
    cells = made["cells"]
    for number, cell in enumerate(cells):
        if not is_valid_id(str(cell.get("id", ""))):
            cell["id"] = digest.of_json([number, cell.get("source", "")])[:16]
    taken: set[str] = set()
    for run in trace.runs:
        place = _agent_place(cells, run, taken)
        cells[place]["metadata"] = {**_object(cells[place]), KEY: agent_metadata(run)}
        taken.add(cells[place]["id"])
        cells[place + 1 : place + 1] = _written(run)
    made["cells"] = [inline.without(cell, ids) for cell in cells]
    if trace.runs:
        made["metadata"][KEY] = merged(made["metadata"].get(KEY), notebook_metadata(trace.runs))
    return made


def strip(notebook: Mapping[str, Any]) -> JSON:
    """A copy without any run: step, thought and answer cells gone, agent cells as if never run."""
    made = copy.deepcopy(dict(notebook))
    made["cells"] = [cell for cell in _cells(made) if not _inserted(_metadata(cell))]
    for cell in made["cells"]:
        ours = _metadata(cell) is not None
        if ours:
            del cell["metadata"][KEY]
        if cell.get("cell_type") == "code" and (ours or inline.metadata_in(cell) is not None):
            cell |= {"outputs": [], "execution_count": None}
    if "metadata" in made:
        made["metadata"] = {key: value for key, value in _object(made).items() if key != KEY}
    return made


# ── writing ──────────────────────────────────────────────────────────────────────────────────────


def _without_steps(notebook: Mapping[str, Any], runs: set[str]) -> JSON:
    made = copy.deepcopy(dict(notebook))
    made["metadata"] = dict(_object(made))
    made["cells"] = [cell for cell in _cells(made) if _made_by(_metadata(cell)) not in runs]
    return made


def _agent_place(cells: list[JSON], run: Run, taken: set[str]) -> int:
    """Where the run's agent cell is: the cell it names, else the one that carries it, else a new
    one at the end. A cell another run has just been written to is not used twice."""
    for wanted in (lambda cell: bool(run.cell) and cell["id"] == run.cell, _carries(run.id)):
        for place, cell in enumerate(cells):
            if wanted(cell) and cell["id"] not in taken:
                return place
    ids = {cell["id"] for cell in cells}
    name = run.cell if is_valid_id(run.cell) and run.cell not in ids else agent_cell_id(run.id)
    cells.append(new_cell(name, "code", f"%%agent\n{run.task}", {}))
    return len(cells) - 1


def _carries(run: str) -> Any:
    def carries(cell: JSON) -> bool:
        metadata = _metadata(cell)
        said = inline.metadata_in(cell) if metadata is None else metadata
        return said is not None and inline.run_id(said) == run

    return carries


def _written(run: Run) -> Iterator[JSON]:
    stale = run.stale
    for step in run.steps:
        for cell in step_cells(run.id, step):
            yield _with_outputs(marked(cell, step.number in stale), step)


def _with_outputs(cell: Cell, step: Step) -> JSON:
    made = new_cell(cell.id, cell.type, cell.source, cell.metadata)
    if cell.type == "code" and step.observation is not None:
        made["outputs"] = [copy.deepcopy(dict(output)) for output in step.observation.outputs]
        made["execution_count"] = step.observation.count
    return made


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Found:
    """What was come across so far, going down the notebook."""

    headers: dict[str, tuple[Mapping[str, Any], str]] = field(default_factory=dict)
    steps: dict[str, list[Step]] = field(default_factory=dict)
    whole: dict[str, tuple[Run, Any]] = field(default_factory=dict)
    """Runs that outputs hold, and their chains."""
    names: dict[str, str | None] = field(default_factory=dict)
    """Of each cell the run that made it, None for one of the user's."""
    skipped: list[str] = field(default_factory=list)

    def take(self, metadata: Mapping[str, Any], cell: JSON) -> None:
        """One cell with `codeact` metadata. Raises Damaged."""
        if metadata.get("role") == "agent":
            run = run_of(metadata.get("run"), "", ())
            self.headers[run.id] = (metadata["run"], str(cell.get("id", "")))
        elif "replies" in metadata:
            run_id = metadata.get("run")
            if not isinstance(run_id, str):
                raise Damaged("it does not say which run it belongs to")
            step = self._step(metadata, cell)
            if any(known.number == step.number for known in self.steps.get(run_id, ())):
                raise Damaged(f"step {step.number} of its run was there already")
            self.steps.setdefault(run_id, []).append(step)
        elif metadata.get("role") == "step":
            raise Damaged("its step was not finished when the notebook was saved")

    def take_whole(self, said: Mapping[str, Any], cell: JSON) -> None:
        """One cell whose outputs hold a run; of one that was continued the newest counts. Raises
        Damaged."""
        run = inline.run_in(said, str(cell.get("id", "")))
        known, _ = self.whole.get(run.id, (run, None))
        if _length(run) >= _length(known):
            self.whole[run.id] = (replace(run, cell=known.cell), said.get("chain"))

    def reading(self, chains: Mapping[str, Any]) -> Reading:
        self._settle()
        chains = {**chains, **{name: link for name, (_, link) in self.whole.items()}}
        known = {**self.headers, **self.whole}
        runs = []
        for name in sorted(known, key=_order(chains, known)):
            run = self._run(name)
            if name in chains and chains[name] != chain(run):
                self.skipped.append(f"Run {name} was changed after it was recorded.")
            runs.append(run)
        for name in self.steps:
            self.skipped.append(f"The agent cell of run {name} is gone; its steps were left out.")
        return Reading(trace=Trace(runs=tuple(runs)), skipped=tuple(self.skipped))

    def _settle(self) -> None:
        """Each run is read in one way: from its cells, or whole where no agent cell names it. A run
        that would take a cell of the user's for its own is left out."""
        for name, (run, _) in list(self.whole.items()):
            cells = {step.cell: name for step in run.steps}
            if name in self.headers:
                del self.whole[name]
            elif any(self.names.get(cell, name) != name for cell in cells):
                self.skipped.append(
                    f"Run {name} names cells that are not its own; it was left out."
                )
                del self.whole[name]
            else:
                self.names |= cells
                self.steps.pop(name, None)

    def _run(self, name: str) -> Run:
        if name in self.whole:
            return self.whole[name][0]
        header, cell = self.headers[name]
        steps = sorted(self.steps.pop(name, []), key=lambda step: step.number)
        return run_of(header, cell, tuple(steps))

    def _step(self, metadata: Mapping[str, Any], cell: JSON) -> Step:
        source = str(joined(cell.get("source", "")))
        name = str(cell.get("id", ""))
        if cell.get("cell_type") != "code":
            return step_of(metadata, name, None, (), None)
        if changed_since(metadata, source):
            self.skipped.append(f"Cell {name} was edited after it ran; its code is read as it is.")
        outputs = cell.get("outputs") or []
        if not isinstance(outputs, list):
            raise Damaged("its outputs are not a list")
        shown = tuple(_output(each) for each in outputs)
        count = cell.get("execution_count")
        return step_of(metadata, name, source, shown, count if isinstance(count, int) else None)


def _order(chains: Mapping[str, Any], headers: Mapping[str, Any]) -> Any:
    """Runs in the order of the notebook's own list, then those it does not know as they come."""
    listed = {name: place for place, name in enumerate(chains)}
    found = {name: place for place, name in enumerate(headers)}
    return lambda name: (listed.get(name, len(listed)), found[name])


def _cells(notebook: Mapping[str, Any]) -> list[JSON]:
    cells = notebook.get("cells")
    return [cell for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []


def _object(holder: JSON) -> Mapping[str, Any]:
    """The metadata of a cell or a notebook, empty when it is no object."""
    metadata = holder.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _metadata(cell: JSON) -> Mapping[str, Any] | None:
    metadata = cell.get("metadata")
    ours = metadata.get(KEY) if isinstance(metadata, Mapping) else None
    return ours if isinstance(ours, Mapping) else None


def _inserted(metadata: Mapping[str, Any] | None) -> bool:
    """Whether this is the metadata of a cell that a run put there."""
    return metadata is not None and metadata.get("role") in ("thought", "step", "answer")


def _made_by(metadata: Mapping[str, Any] | None) -> str | None:
    """The run that put a cell with this metadata there, None when none did."""
    return str(metadata.get("run")) if metadata is not None and _inserted(metadata) else None


def _length(run: Run) -> tuple[int, int]:
    """How far a run had come: of two records of it the longer one is newer."""
    return len(run.added), len(run.steps)


def _chains(notebook: Mapping[str, Any]) -> dict[str, Any]:
    metadata = notebook.get("metadata")
    ours = metadata.get(KEY) if isinstance(metadata, Mapping) else None
    runs: Sequence[Any] = ours.get("runs", ()) if isinstance(ours, Mapping) else ()
    if not isinstance(runs, list):
        return {}
    return {
        run["id"]: run.get("chain")
        for run in runs
        if isinstance(run, Mapping) and isinstance(run.get("id"), str)
    }


def _output(output: Any) -> Output:
    """An output with every text in one piece, as values have it. Raises Damaged."""
    if not isinstance(output, Mapping):
        raise Damaged("an output is not an object")
    made = copy.deepcopy(dict(output))
    if "text" in made:
        made["text"] = joined(made["text"])
    if isinstance(made.get("data"), Mapping):
        made["data"] = {
            mime: value if mime.endswith("json") else joined(value)
            for mime, value in made["data"].items()
        }
    return made
