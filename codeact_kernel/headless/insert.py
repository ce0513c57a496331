"""The cells of a run, in a notebook as nbformat has it. Pure: no kernel, no file.

Rule: what an edit means is decided in trace/edits.py; here are only the nodes nbformat and nbclient
want, and where cells went.
"""

from __future__ import annotations

from typing import Any

import nbformat
from nbformat import NotebookNode

from codeact_kernel.kernel.cells.agent_cell import PlainCell, read
from codeact_kernel.trace import edits
from codeact_kernel.trace.key import KEY

_MADE = frozenset({"thought", "step", "answer"})
"""The roles of cells that a run inserts; the agent cell itself is the user's."""


def is_agent(cell: NotebookNode) -> bool:
    """Whether this cell is meant for the agent."""
    return cell.cell_type == "code" and not isinstance(read(cell.source), PlainCell)


def find(notebook: NotebookNode, cell: str) -> NotebookNode | None:
    """The cell with this id."""
    return next((each for each in notebook.cells if each["id"] == cell), None)


def apply(notebook: NotebookNode, edit: edits.Edit, agent: str) -> None:
    """Do one edit, in place. `agent` is the id of the cell that runs."""
    edits.apply(edit, notebook.cells, notebook.metadata, agent)
    match edit:
        case edits.InsertCell():
            notebook.cells[:] = [_as_node(cell) for cell in notebook.cells]
        case edits.SetOutputs():
            cell = find(notebook, edit.cell)
            if cell is not None and cell.cell_type == "code":
                cell["outputs"] = [nbformat.from_dict(output) for output in cell["outputs"]]
        case _:
            pass


def join_streams(cell: NotebookNode) -> None:
    """Add the last output to the one before when both are pieces of the same stream."""
    if len(cell.outputs) < 2:
        return
    first, last = cell.outputs[-2:]
    if first.output_type == last.output_type == "stream" and first.name == last.name:
        first.text += last.text
        cell.outputs.pop()


def without_runs(notebook: NotebookNode) -> NotebookNode:
    """`notebook` as it was before an agent worked in it, in place: a run again does not double its cells.

    Only what a run inserted below an agent cell goes. A step whose agent cell was deleted is the
    user's now and stays.
    """
    kept: list[NotebookNode] = []
    seen_agent = False
    for cell in notebook.cells:
        seen_agent = seen_agent or is_agent(cell)
        if seen_agent and _role(cell) in _MADE:
            continue
        if is_agent(cell):
            cell.metadata.pop(KEY, None)
        kept.append(cell)
    notebook.cells = kept
    notebook.metadata.pop(KEY, None)
    return notebook


def _role(cell: NotebookNode) -> Any:
    ours = cell.metadata.get(KEY)
    role = ours.get("role") if isinstance(ours, dict) else None
    return role if isinstance(role, str) else None


def _as_node(cell: Any) -> NotebookNode:
    return cell if isinstance(cell, NotebookNode) else nbformat.from_dict(cell)
