"""Which cells a run becomes.

Rule: pure functions of the run; layout.py gets a notebook there while the run goes on, notebook.py
writes it afterwards, and both ask here, so that both give the same cells.

Per step: a markdown cell with the thought (role "thought", when there is one), the code cell
(role "step"), a markdown cell with the answer (role "answer", when the step gave one and its
outputs do not show it as a table or a figure already). A step
without code is one markdown cell, under the id its code cell would have had; it carries the record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codeact_kernel.trace import digest
from codeact_kernel.trace.markdown import harmless_markdown
from codeact_kernel.trace.records import request_record, run_record, step_record
from codeact_kernel.trace.values import Observation, Run, Step

VERSION = 1
NO_REPLY = "*No usable reply came from the model.*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell as the run wants it; outputs come from elsewhere."""

    id: str
    type: str
    source: str
    metadata: Mapping[str, Any]


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────


def step_cell_id(run: str, number: int) -> str:
    """The id of step `number`'s cell: the same for the same run and number, valid in nbformat."""
    return _valid_id(f"{run}-{number}")


def agent_cell_id(run: str) -> str:
    """The id of an agent cell made for a run whose own is gone or was never named."""
    return _valid_id(f"{run}-agent")


def _valid_id(wanted: str) -> str:
    """`wanted` when nbformat allows it ([A-Za-z0-9_-], 1 to 64), otherwise its digest."""
    return wanted if is_valid_id(wanted) else digest.of_text(wanted)[:32]


def is_valid_id(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text) is not None


# ── cells ────────────────────────────────────────────────────────────────────────────────────────


def agent_metadata(run: Run) -> dict[str, Any]:
    return {"role": "agent", "run": run_record(run)}


def notebook_metadata(runs: Sequence[Run]) -> dict[str, Any]:
    return {"version": VERSION, "runs": [{"id": run.id, "chain": chain(run)} for run in runs]}


def marked(cell: Cell, stale: bool) -> Cell:
    """The cell of a step whose effects were taken back, if `stale`; it says so and stays."""
    plain = {key: value for key, value in cell.metadata.items() if key != "stale"}
    return replace(cell, metadata={**plain, "stale": True} if stale else plain)


def step_cells(run: str, step: Step) -> tuple[Cell, ...]:
    """The cells of a finished step, in order."""
    if step.code is None:
        role, text = ("thought", step.thought) if step.answer is None else ("answer", step.answer)
        source = _labelled(role, step.number, harmless_markdown(text) or NO_REPLY)
        record = step_record(run, role, step)
        return (Cell(id=step.cell, type="markdown", source=source, metadata=record),)
    code = Cell(
        id=step.cell, type="code", source=step.code, metadata=step_record(run, "step", step)
    )
    cells = (*_prose(run, step.number, step.cell, "thought", step.thought), code)
    if step.answer is not None and not _is_displayed(step):
        cells += _prose(run, step.number, step.cell, "answer", step.answer or "*(empty answer)*")
    return cells


def _is_displayed(step: Step) -> bool:
    """Whether the step's outputs show the answer better than text can: a table, a figure."""
    outputs = step.observation.outputs if step.observation else ()
    shown = [data for output in outputs if isinstance(data := output.get("data"), Mapping)]
    return any(data.get("text/plain") == step.answer and len(data) > 1 for data in shown)


def unfinished_cells(
    run: str, number: int, cell: str, thought: str, code: str, status: str
) -> tuple[Cell, ...]:
    """The cells of a step that is still being written, waits or runs. No record yet."""
    cells = _prose(run, number, cell, "thought", thought)
    if code:
        metadata = {"role": "step", "run": run, "step": number, "status": status}
        cells += (Cell(id=cell, type="code", source=code, metadata=metadata),)
    return cells


def _prose(run: str, number: int, cell: str, role: str, text: str) -> tuple[Cell, ...]:
    if not text.strip():
        return ()
    metadata = {"role": role, "run": run, "step": number}
    source = _labelled(role, number, harmless_markdown(text))
    name = _valid_id(f"{cell}-{role}")
    return (Cell(id=name, type="markdown", source=source, metadata=metadata),)


def _labelled(role: str, number: int, text: str) -> str:
    """Prose that a reader can tell from the author's own: it says which step speaks."""
    if role == "answer":
        return f"**Answer**\n\n{text}"
    starts_block = re.match(r"[#>|`~*+-]|\d+[.)]|\s", text)
    return f"**Step {number}.**{chr(10) * 2 if starts_block else ' '}{text}"


def chain(run: Run) -> str:
    """A hash over the run, each step taking in the one before: an edit anywhere shows."""
    link = digest.of_json([run.id, run.task, list(run.added), run.model, dict(run.settings)])
    for step in run.steps:
        observation = step.observation
        link = digest.of_json(
            [
                link,
                step.number,
                [[reply.text, reply.model, reply.prompt] for reply in step.replies],
                step.code,
                step.proposed,
                observation and _seen(observation),
                step.answer,
            ]
        )
    end: list[Any] = [link, run.outcome, run.answer]
    if run.network:
        end.append([request_record(each) for each in run.network])
    if run.rewinds:
        end.append([[each.taken, list(each.kept), each.to] for each in run.rewinds])
    return digest.of_json(end)


def _seen(observation: Observation) -> list[str]:
    edited = [] if observation.original is None else [observation.original]
    return [observation.status, observation.text, *edited]
