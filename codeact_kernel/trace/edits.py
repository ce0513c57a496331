"""What is done to a notebook while a run goes on, and doing it to a notebook dict.

Rule: an edit names a cell by its id and says how it is now, never how it changed; applying one
twice changes nothing, and an edit of a cell that is gone does nothing. `metadata` is always the
value of the one key `codeact`; nothing else of a cell's metadata is ours. docs/panel.md has the
JSON of each.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from codeact_kernel.trace.key import KEY
from codeact_kernel.trace.values import Output


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertCell:
    """A new cell below `after`; "" = below the cell that sent the `%%agent` request."""

    cell: str
    after: str
    cell_type: str
    source: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSource:
    """The whole source as it is now."""

    cell: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOutputs:
    """The outputs of a cell that is not run (a refusal, a syntax error), whole."""

    cell: str
    outputs: tuple[Output, ...]
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowOutputs:
    """The kernel runs this cell: iopub messages whose parent is `msg_id` are its outputs.

    Only the kernel room makes these: it alone knows the message.
    """

    cell: str
    msg_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCell:
    """Execute this cell now, with `token` in the request's metadata: the step waits for it.

    Like FollowOutputs, AttachCell and RestoreCell it is made in the kernel room alone.
    """

    cell: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachCell:
    """The cell runs without this front end: send its request again with `attach`, to see it run."""

    cell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreCell:
    """How a cell of a run is now, for a notebook that may have missed what made it so.

    Nothing is to be done where the cell is there with this very metadata. `attach`: its outputs
    can be had. `under_way`: it runs now. The agent cell, whose source is "", is never inserted.
    """

    cell: str
    after: str
    cell_type: str
    source: str
    metadata: Mapping[str, Any]
    attach: bool = False
    under_way: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMetadata:
    """Replaces the cell's `codeact` metadata; `cell` "" = the agent cell."""

    cell: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCell:
    """Takes back a cell that was inserted while the model was still writing."""

    cell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNotebookMetadata:
    """Goes into the notebook's `codeact` metadata: its runs replace those with the same id."""

    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveNotebook:
    """Save the notebook: a step, or the run, is done. Made in the kernel room, for one front end."""


Edit = (
    InsertCell
    | SetSource
    | SetOutputs
    | FollowOutputs
    | RunCell
    | AttachCell
    | RestoreCell
    | SetMetadata
    | DeleteCell
    | SetNotebookMetadata
    | SaveNotebook
)

_OPS: dict[str, type[Edit]] = {
    "insert": InsertCell,
    "source": SetSource,
    "outputs": SetOutputs,
    "follow": FollowOutputs,
    "run": RunCell,
    "attach": AttachCell,
    "restore": RestoreCell,
    "metadata": SetMetadata,
    "delete": DeleteCell,
    "notebook": SetNotebookMetadata,
    "save": SaveNotebook,
}
_NAMES = {kind: op for op, kind in _OPS.items()}


def to_json(edit: Edit) -> dict[str, Any]:
    """The edit as docs/panel.md has it."""
    fields = {name: copy.deepcopy(getattr(edit, name)) for name in type(edit).__slots__}
    if isinstance(edit, SetOutputs):
        fields["outputs"] = list(fields["outputs"])
    return {"op": _NAMES[type(edit)], **fields}


def from_json(data: Mapping[str, Any]) -> Edit:
    """The edit in `data`. Raises ValueError for an unknown op, TypeError for wrong fields."""
    fields = dict(data)
    kind = _OPS.get(str(fields.pop("op", "")))
    if kind is None:
        raise ValueError(f"{data.get('op')!r} is not an edit")
    if kind is SetOutputs:
        fields["outputs"] = tuple(fields["outputs"])
    return kind(**fields)


def apply(edit: Edit, cells: list[dict[str, Any]], metadata: dict[str, Any], agent: str) -> None:
    """Do one edit to the cells and the metadata of a notebook (both changed in place).

    `agent` is the id of the cell that sent the request. What asks a front end to run or look at a
    cell does nothing here: outputs arrive as messages.
    """
    match edit:
        case InsertCell():
            _insert(edit, cells, agent)
        case SetSource():
            if cell := _find(cells, edit.cell):
                cell["source"] = edit.source
        case SetOutputs():
            if (cell := _find(cells, edit.cell)) and cell["cell_type"] == "code":
                cell["outputs"] = [copy.deepcopy(dict(output)) for output in edit.outputs]
                cell["execution_count"] = edit.count
        case SetMetadata():
            if cell := _find(cells, edit.cell or agent):
                cell["metadata"][KEY] = copy.deepcopy(dict(edit.metadata))
        case DeleteCell():
            cells[:] = [cell for cell in cells if cell.get("id") != edit.cell]
        case SetNotebookMetadata():
            metadata[KEY] = merged(metadata.get(KEY), edit.metadata)
        case FollowOutputs() | RunCell() | AttachCell() | RestoreCell() | SaveNotebook():
            pass


def new_cell(cell: str, cell_type: str, source: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """An nbformat 4.5 cell with `codeact` metadata."""
    made: dict[str, Any] = {
        "cell_type": cell_type,
        "id": cell,
        "metadata": {KEY: copy.deepcopy(dict(metadata))},
        "source": source,
    }
    if cell_type == "code":
        made |= {"execution_count": None, "outputs": []}
    return made


def merged(old: Any, new: Mapping[str, Any]) -> dict[str, Any]:
    """Notebook-level metadata with the runs of `new` put into those of `old`, in place by id."""
    runs = _runs(old)
    for run in _runs(new):
        same = [i for i, known in enumerate(runs) if known.get("id") == run.get("id")]
        if same:
            runs[same[0]] = run
        else:
            runs.append(run)
    return {**copy.deepcopy(dict(new)), "runs": runs}


def _runs(metadata: Any) -> list[dict[str, Any]]:
    runs: Sequence[Any] = metadata.get("runs", ()) if isinstance(metadata, Mapping) else ()
    if not isinstance(runs, Sequence) or isinstance(runs, str):
        return []
    return [copy.deepcopy(dict(run)) for run in runs if isinstance(run, Mapping)]


def _insert(edit: InsertCell, cells: list[dict[str, Any]], agent: str) -> None:
    if _find(cells, edit.cell):
        return
    ids = [cell.get("id") for cell in cells]
    anchor = edit.after or agent
    place = ids.index(anchor) + 1 if anchor in ids else len(cells)
    cells.insert(place, new_cell(edit.cell, edit.cell_type, edit.source, edit.metadata))


def _find(cells: Sequence[dict[str, Any]], cell: str) -> dict[str, Any] | None:
    return next((each for each in cells if each.get("id") == cell), None)
