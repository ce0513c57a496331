"""The reply to a cell of the user's comes, whatever happens to the files the cell wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from codeact_kernel.kernel.cells.files import Files
from codeact_kernel.kernel.channels.messages import Incoming, to_json
from codeact_kernel.kernel.relay.in_order import InOrder
from codeact_kernel.kernel.relay.own_cell import OwnCell
from codeact_kernel.kernel.relay.said import Said
from codeact_kernel.sandbox.staging.layer import Change, Entry
from codeact_kernel.sandbox.staging.staging import Outcome

REPLY = Said("execute_reply", to_json({"status": "ok"}), {"status": "ok"})


def change(path: str, size: int = 1) -> Change:
    """A new file in the layer."""
    return Change(
        path=path, act="created", entry=Entry(kind="file", size=size, mode=0o644, stamp="1")
    )


class Layer:
    """Stands in for a Staging: has these changes, and fails where it is told to."""

    def __init__(self, changes: Sequence[Change], *, note: bool = True, put: bool = True) -> None:
        self._changes = list(changes)
        self._note, self._put = note, put

    def note(self, since: float | None) -> list[Change]:
        if not self._note:
            raise ValueError("embedded null byte")
        return self._changes

    def put(self, changes: Sequence[Change]) -> Outcome:
        if not self._put:
            raise ValueError("embedded null byte")
        return Outcome()


class Screen:
    """Stands in for a Publisher: what one cell's client sees, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def stream(self, parent: bytes, name: str, text: str) -> None:
        self.seen.append(text)

    def reply(self, message: Incoming, content: bytes, *rest: object) -> None:
        self.seen.append("reply")


async def answered(layer: Layer) -> list[str]:
    """What is seen when the cell is over."""
    message = Incoming("shell", (b"me",), "execute_request", "a", "s", b"{}", b"{}", b"{}")
    screen: Any = Screen()
    staging: Any = layer
    order = InOrder(lambda on: None)
    files = Files(staging, "cow")
    cell = OwnCell(
        message, screen, files, order, allow_stdin=False, silent=False, warning=lambda: ""
    )
    cell.reply(REPLY)
    await order.empty()
    seen: list[str] = screen.seen
    return seen


FEW, MANY, LARGE = [change("a")], [change(f"{n}") for n in range(100)], [change("a", 1 << 30)]


@pytest.mark.parametrize("changes", [[], FEW, MANY, LARGE], ids=["none", "few", "many", "large"])
async def test_a_cell_that_went_well_has_nothing_but_its_reply(changes: list[Change]) -> None:
    """However much it wrote."""
    assert await answered(Layer(changes)) == ["reply"]


@pytest.mark.parametrize("changes", [FEW, MANY, LARGE], ids=["few", "many", "large"])
async def test_a_mistake_while_files_are_put_in_place_costs_no_reply(changes: list[Change]) -> None:
    """The user is told that they stay staged, then the cell is answered."""
    told, reply = await answered(Layer(changes, put=False))
    assert told.startswith("What this cell wrote stays staged because of a mistake")
    assert reply == "reply"


async def test_a_mistake_while_the_layer_is_looked_at_costs_no_reply() -> None:
    """As above: what cannot be looked at is not put anywhere."""
    told, reply = await answered(Layer([], note=False))
    assert told.startswith("What this cell wrote stays staged because of a mistake")
    assert reply == "reply"
