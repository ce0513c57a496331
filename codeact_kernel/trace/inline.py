"""A run that has no cells of its own: all of it in the metadata of one output of its agent cell.

Rule: the last thing such a run says carries the whole run, as `records` writes it, and each step's
code and observation text besides, since no cell holds them. Outputs are not said twice: they stand
above it in the same cell. So `run_in(metadata(run)) == bare(run)`. Reading takes nothing for
granted and raises Damaged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from codeact_kernel.trace.cells import VERSION, chain, is_valid_id
from codeact_kernel.trace.key import KEY
from codeact_kernel.trace.reading import Damaged, mapping, optional_text, sequence, text
from codeact_kernel.trace.records import run_of, run_record, step_of, step_record
from codeact_kernel.trace.values import Run, Step

JSON = dict[str, Any]
_ROLE = "run"


def metadata(run: Run) -> JSON:
    """The `codeact` metadata of the output that ends this run."""
    steps = [_step_record(run.id, step) for step in bare(run).steps]
    return {
        "role": _ROLE,
        "version": VERSION,
        "run": run_record(run),
        "steps": steps,
        "chain": chain(run),
    }


def bare(run: Run) -> Run:
    """The run as an output can hold it: without what its steps put out."""
    return replace(run, steps=tuple(_bare(step) for step in run.steps))


def metadata_in(cell: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The newest `codeact` metadata in a code cell's outputs, whatever it is worth."""
    outputs = cell.get("outputs")
    if cell.get("cell_type") != "code" or not isinstance(outputs, list):
        return None
    found = (_of_output(output) for output in reversed(outputs))
    return next((each for each in found if each is not None), None)


def run_in(said: Mapping[str, Any], cell: str) -> Run:
    """The run in the metadata of an output of the cell with id `cell`. Raises Damaged."""
    header = mapping(said.get("run"), "the run header")
    name = text(header, "id", required=True)
    steps: dict[int, Step] = {}
    for record in sequence(said, "steps"):
        step = _step(mapping(record, "a step"))
        if step.number in steps:
            raise Damaged(f"step {step.number} of run {name} is there twice")
        steps[step.number] = step
    if len({step.cell for step in steps.values()}) < len(steps):
        raise Damaged(f"two steps of run {name} name the same cell")
    return run_of(header, cell, tuple(steps[number] for number in sorted(steps)))


def without(cell: JSON, runs: Collection[str]) -> JSON:
    """The cell with none of these runs in its outputs; what they show stays."""
    if metadata_in(cell) is None:
        return cell
    return {**cell, "outputs": [_without(output, runs) for output in cell["outputs"]]}


def _without(output: Any, runs: Collection[str]) -> Any:
    said = _of_output(output)
    if said is None or run_id(said) not in runs:
        return output
    kept = {key: value for key, value in output["metadata"].items() if key != KEY}
    return {**output, "metadata": kept}


def run_id(said: Mapping[str, Any]) -> str | None:
    """Which run this metadata says it is."""
    header = said.get("run")
    name = header.get("id") if isinstance(header, Mapping) else None
    return name if isinstance(name, str) else None


def _of_output(output: Any) -> Mapping[str, Any] | None:
    data = output.get("metadata") if isinstance(output, Mapping) else None
    said = data.get(KEY) if isinstance(data, Mapping) else None
    return said if isinstance(said, Mapping) and said.get("role") == _ROLE else None


# ── steps ────────────────────────────────────────────────────────────────────────────────────────


def _bare(step: Step) -> Step:
    """Which images the model saw stays known by their types."""
    seen = step.observation
    if seen is None:
        return step
    images = tuple(replace(image, data="") for image in seen.images)
    return replace(step, observation=replace(seen, outputs=(), images=images))


def _step_record(run: str, step: Step) -> JSON:
    role = "step" if step.code is not None else "thought" if step.answer is None else "answer"
    record = {**step_record(run, role, step), "cell": step.cell, "code": step.code}
    if step.observation is not None:
        seen = {**record["observation"], "text": step.observation.text}
        seen.pop("sha256", None)
        record |= {"observation": seen, "count": step.observation.count}
    return record


def _step(record: Mapping[str, Any]) -> Step:
    cell = text(record, "cell", required=True)
    if not is_valid_id(cell):
        raise Damaged(f"{cell[:80]!r} is no name of a cell")
    count = record.get("count")
    code = optional_text(record, "code")
    known = count if isinstance(count, int) and not isinstance(count, bool) else None
    return step_of(record, cell, code, (), known)
