"""The tree of checkpoints as a person sees it: lines for a console, a list for a notebook.

Rule: pure. A chain stays at the margin; what began beside a chain is set in, under the one it began at.
What is gone is shown where it had a name or something that is kept came of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from codeact_kernel.kernel.rewind.checkpoint import Checkpoint, State
from codeact_kernel.kernel.rewind.checkpoints import NONE_YET
from codeact_kernel.trace.text import some

_NAMES = 4
_MIB = 1024 * 1024


def text(rows: Sequence[Checkpoint], here: int) -> str:
    """For a console."""
    if not rows:
        return NONE_YET
    shown = _shown(rows, here)
    lines = [f"{'   ' * depth}{_line(row, here)}" for row, depth in _walk(shown)]
    return "\n".join([*lines, "", *_rest(rows, shown), _HOW])


def markdown(rows: Sequence[Checkpoint], here: int) -> str:
    """For a notebook."""
    if not rows:
        return NONE_YET
    shown = _shown(rows, here)
    lines = [f"{'  ' * depth}- {_item(row, here)}" for row, depth in _walk(shown)]
    return "\n".join([*lines, "", *_rest(rows, shown), _HOW])


_HOW = "%agent rewind N goes to one of them, %agent redo takes that back."


def _shown(rows: Sequence[Checkpoint], here: int) -> list[Checkpoint]:
    parents = {row.number: row.parent for row in rows}
    wanted: set[int] = set()
    for row in rows:
        if row.state is State.KEPT or row.name or row.number == here:
            number = row.number
            while number in parents and number not in wanted:
                wanted.add(number)
                number = parents[number]
    return [row for row in rows if row.number in wanted]


def _rest(rows: Sequence[Checkpoint], shown: Sequence[Checkpoint]) -> Iterator[str]:
    if left := len(rows) - len(shown):
        yield f"{left} more {'is' if left == 1 else 'are'} gone."


def _walk(rows: Sequence[Checkpoint]) -> Iterator[tuple[Checkpoint, int]]:
    """Each row and how far it is set in: first what began beside its chain, then how that goes on."""
    known = {row.number for row in rows}
    children: dict[int, list[Checkpoint]] = {}
    for row in rows:
        children.setdefault(row.parent if row.parent in known else 0, []).append(row)
    waiting = [(row, 0) for row in reversed(children.get(0, []))]
    while waiting:
        row, depth = waiting.pop()
        yield row, depth
        found = children.get(row.number, [])
        waiting += [(first, depth) for first in found[:1]]
        waiting += [(other, depth + 1) for other in reversed(found[1:])]


def _line(row: Checkpoint, here: int) -> str:
    return " · ".join([f"{row.number:>3}  {row.title}", *_facts(row, here)])


def _item(row: Checkpoint, here: int) -> str:
    gone = row.state is not State.KEPT
    title = f"{row.number} {row.title}"
    return " · ".join([f"~~{title}~~" if gone else f"**{title}**", *_facts(row, here, "`")])


def _facts(row: Checkpoint, here: int, quote: str = "") -> Iterator[str]:
    yield time.strftime("%H:%M:%S", time.localtime(row.when))
    if names := row.changed:
        yield f"changed: {some([f'{quote}{name}{quote}' for name in names], _NAMES)}"
    if row.size >= _MIB:
        yield f"{row.size // _MIB} MB"
    if row.state is not State.KEPT:
        yield f"gone: {row.state}"
    elif row.obstacles:
        yield "not all can be restored"
    if row.number == here:
        yield "you are here"
