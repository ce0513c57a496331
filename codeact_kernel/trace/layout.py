"""Turns events into notebook edits while a run goes on.

Rule: what the front end was told so far is compared with the cells the run now wants (cells.py),
and the difference is the edits; so no sequence of events can leave the two apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from codeact_kernel.trace.cells import (
    Cell,
    agent_metadata,
    marked,
    notebook_metadata,
    step_cells,
    unfinished_cells,
)
from codeact_kernel.trace.edits import (
    DeleteCell,
    Edit,
    InsertCell,
    RestoreCell,
    SetMetadata,
    SetNotebookMetadata,
    SetOutputs,
    SetSource,
)
from codeact_kernel.trace.events import (
    CodeProposed,
    CodeStarted,
    Event,
    Held,
    NetworkUsed,
    Noticed,
    ObservationEdited,
    ReplyGrew,
    Rewound,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    after,
    started,
)
from codeact_kernel.trace.values import Run, Status, Step


@dataclass(slots=True, kw_only=True)
class _Told:
    """One run as the front end knows it: `open` are the cells of the step that goes on, whose code
    cell will have the id `cell`; `steps` are the finished steps' cells, and `askers` the cell whose
    request each belongs to: they follow each other below it."""

    run: Run
    agent: str = ""
    cell: str = ""
    asker: str = ""
    """The cell whose request the steps of now belong to: the agent's, or one that continued it."""
    marks: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The cells that continued it, and their metadata."""
    askers: dict[int, str] = field(default_factory=dict)
    open: tuple[Cell, ...] = ()
    steps: dict[int, tuple[Cell, ...]] = field(default_factory=dict)
    replaced: bool = False
    """Its agent cell was run again and carries another run now; what is left of this one is stale."""

    @property
    def stale(self) -> frozenset[int]:
        """The steps whose effects are no part of what the notebook shows."""
        return frozenset(self.steps) if self.replaced else self.run.stale

    @property
    def last(self) -> str:
        """The cell that the open step's cells are below; "" = the one that sent the request."""
        mine = (number for number, asker in self.askers.items() if asker == self.asker)
        newest = max(mine, default=None)
        return "" if newest is None else self.steps[newest][-1].id


class Layout:
    """Turns the events of a session, in order, into notebook edits. The only owner of its state."""

    def __init__(self) -> None:
        self._told: dict[str, _Told] = {}

    def run(self, run: str) -> Run:
        """This run as far as it has come. KeyError for an unknown one."""
        return self._told[run].run

    def edits(self, event: Event) -> tuple[Edit, ...]:
        """The edits that bring the notebook up to this event. KeyError for an unknown run."""
        if isinstance(event, RunStarted):
            return self._start(event)
        told = self._told[event.run]
        told.run = after(told.run, event)
        match event:
            case StepStarted():
                told.cell = event.cell
                return self._show(told, ())
            case Held():
                return self._show(told, ())
            case ObservationEdited():
                return (*_renewed(told, event.number), *_notebook(told))
            case ReplyGrew():
                return self._show(told, _unfinished(told, event, "writing"))
            case CodeProposed():
                return self._show(told, _unfinished(told, event, "proposed"))
            case CodeStarted():
                return self._show(told, _running(told, event))
            case StepFinished():
                return (*self._finish(told, event.step), *_notebook(told))
            case RunFinished():
                return (*self._show(told, ()), *_header(told), *_notebook(told))
            case Noticed():
                return _header(told)
            case Rewound():
                told.agent = told.run.cell  # what is told now is told from another cell
                return (*_mark_stale(told), *_header(told), *_notebook(told))
            case NetworkUsed():
                return (*_header(told), *_notebook(told))
            case _:
                return ()

    def restored(self) -> Iterator[Edit]:
        """Every run as it is now, for a notebook that may have missed edits."""
        for told in self._told.values():
            yield from _notebook(told)
            if not told.replaced:
                yield _restored(_own(told.run.cell, agent_metadata(told.run)), "")
            for cell, mark in told.marks.items():
                yield _restored(_own(cell, mark), "")
            last: dict[str, str] = {}
            for number, cells in sorted(told.steps.items()):
                asker = told.askers[number]
                for each in cells:
                    yield _restored(each, last.get(asker, asker))
                    last[asker] = each.id
            for each in told.open:
                yield _restored(each, last.get(told.asker, told.asker))
                last[told.asker] = each.id

    def _start(self, event: RunStarted) -> tuple[Edit, ...]:
        known = self._told.get(event.id)
        run = started(known.run if known else None, event)
        told = self._told[event.id] = _Told(run=run, asker=event.cell)
        stale = self._replace(event.cell, run.id)
        if known is None:
            return (*_header(told), *_notebook(told), *stale)
        told.replaced = known.replaced
        told.steps, told.askers, told.marks = known.steps, known.askers, known.marks
        if event.cell == run.cell:
            return (*_header(told), *_notebook(told), *stale)
        told.agent = run.cell
        mark = {"role": "continue", "run": run.id, "task": event.task}
        told.marks[event.cell] = mark
        return (SetMetadata(cell="", metadata=mark), *_header(told), *_notebook(told), *stale)

    def _replace(self, cell: str, run: str) -> tuple[Edit, ...]:
        """This cell is run again: what other runs made below it is no more, as its outputs are. The
        front end that has those cells takes them away; what is left of such a run is stale."""
        edits: list[Edit] = []
        for told in self._told.values():
            if not cell or told.run.id == run:
                continue
            told.marks.pop(cell, None)
            for number in [number for number, asker in told.askers.items() if asker == cell]:
                del told.askers[number]
                told.steps.pop(number, None)
            if told.run.cell == cell:
                told.replaced = True
                edits += _mark_stale(told)
        return tuple(edits)

    def _show(self, told: _Told, cells: tuple[Cell, ...]) -> tuple[Edit, ...]:
        edits = difference(told.open, cells, told.last)
        told.open = cells
        return edits

    def _finish(self, told: _Told, step: Step) -> tuple[Edit, ...]:
        cells = step_cells(told.run.id, step)
        edits = self._show(told, cells)
        told.steps[step.number] = cells
        told.askers[step.number] = told.asker
        told.open = ()
        observation = step.observation
        if observation is not None and observation.status is Status.NOT_RUN:
            edits += (SetOutputs(cell=step.cell, outputs=observation.outputs),)
        return edits


def difference(old: Sequence[Cell], new: Sequence[Cell], anchor: str) -> tuple[Edit, ...]:
    """The edits from `old` to `new`, cells that follow each other below the cell `anchor`."""
    kept = {cell.id: cell for cell in old}
    wanted = {cell.id: cell.type for cell in new}
    edits: list[Edit] = [
        DeleteCell(cell=cell.id) for cell in old if wanted.get(cell.id) != cell.type
    ]
    for cell in new:
        was = kept.get(cell.id)
        if was is None or was.type != cell.type:
            edits.append(
                InsertCell(
                    cell=cell.id,
                    after=anchor,
                    cell_type=cell.type,
                    source=cell.source,
                    metadata=cell.metadata,
                )
            )
        else:
            if was.source != cell.source:
                edits.append(SetSource(cell=cell.id, source=cell.source))
            if was.metadata != cell.metadata:
                edits.append(SetMetadata(cell=cell.id, metadata=cell.metadata))
        anchor = cell.id
    return tuple(edits)


def _own(cell: str, metadata: Mapping[str, Any]) -> Cell:
    """A cell of the user's: the agent's, or one that continued a run."""
    return Cell(id=cell, type="code", source="", metadata=metadata)


def _restored(cell: Cell, anchor: str) -> RestoreCell:
    return RestoreCell(
        cell=cell.id,
        after=anchor,
        cell_type=cell.type,
        source=cell.source,
        metadata=cell.metadata,
    )


def _mark_stale(told: _Told) -> tuple[Edit, ...]:
    """The marks of cells whose steps have become stale, or are so no more."""
    edits: list[Edit] = []
    stale = told.stale
    for number, cells in told.steps.items():
        edits += _marks(told, number, tuple(marked(cell, number in stale) for cell in cells))
    return tuple(edits)


def _renewed(told: _Told, number: int) -> tuple[Edit, ...]:
    """The record of a finished step that has become another one."""
    step = next((each for each in told.run.steps if each.number == number), None)
    if step is None or number not in told.steps:
        return ()
    stale = number in told.stale
    return _marks(told, number, tuple(marked(c, stale) for c in step_cells(told.run.id, step)))


def _marks(told: _Told, number: int, now: tuple[Cell, ...]) -> tuple[Edit, ...]:
    """What changes in the metadata of a finished step's cells; their text stays."""
    before, told.steps[number] = told.steps[number], now
    return tuple(
        SetMetadata(cell=new.id, metadata=new.metadata)
        for old, new in zip(before, now, strict=True)
        if old != new
    )


def _header(told: _Told) -> tuple[Edit, ...]:
    if told.replaced:
        return ()
    return (SetMetadata(cell=told.agent, metadata=agent_metadata(told.run)),)


def _notebook(told: _Told) -> tuple[Edit, ...]:
    if told.replaced:
        return ()
    return (SetNotebookMetadata(metadata=notebook_metadata([told.run])),)


def _unfinished(told: _Told, event: ReplyGrew | CodeProposed, status: str) -> tuple[Cell, ...]:
    return unfinished_cells(event.run, event.number, told.cell, event.thought, event.code, status)


def _running(told: _Told, event: CodeStarted) -> tuple[Cell, ...]:
    """The open cells with the code that runs, whatever was proposed."""
    kept = tuple(cell for cell in told.open if cell.id != event.cell)
    return kept + unfinished_cells(event.run, event.number, event.cell, "", event.code, "running")
