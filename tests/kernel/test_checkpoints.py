"""The table of checkpoints: numbers, branches, what is kept and what is said of what is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from codeact_kernel.errors import SandboxError, UsageError
from codeact_kernel.kernel.rewind import branches, obstacles
from codeact_kernel.kernel.rewind.checkpoint import Checkpoint, State
from codeact_kernel.kernel.rewind.checkpoints import Checkpoints, Present


class FakeSandbox:
    """Parks and wakes at once; `answers` stand in for what it would say."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.orders: list[tuple[str, dict[str, Any]]] = []
        self.discarded: list[int] = []

    async def order(self, kind: str, **head: Any) -> Any:
        self.orders.append((kind, head))
        await asyncio.sleep(0)
        answer = self.answers.get(kind, {"taken": True, "ok": True, "reasons": []})
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def query(self, name: str, arguments: Mapping[str, Any]) -> Any:
        return await self.order(name)

    def send(self, head: dict[str, Any]) -> None:
        self.discarded += head["numbers"]


def table(
    most: int = 3, budget: int = 10**9, memory: int = 10**9
) -> tuple[Checkpoints, FakeSandbox]:
    """An empty table."""
    sandbox = FakeSandbox()
    return Checkpoints(sandbox, most=most, budget=budget, memory=memory), sandbox


async def take(
    checkpoints: Checkpoints, kind: str, marks: Mapping[str, str], **more: Any
) -> Checkpoint:
    """A checkpoint of a state with these marks."""
    return await checkpoints.take(checkpoints.reserve(), kind, lambda: seen(marks), **more)


async def present(checkpoints: Checkpoints, target: Checkpoint) -> Present:
    """The state that is about to be left, without variables."""
    return await checkpoints.present(checkpoints.reserve(), lambda: seen({}), target)


async def until_discarded(sandbox: FakeSandbox, *numbers: int) -> None:
    """Soon these and no others have been ended, in this order."""
    for _ in range(2000):
        if len(sandbox.discarded) >= len(numbers):
            break
        await asyncio.sleep(0.01)
    assert tuple(sandbox.discarded) == numbers


async def seen(marks: Mapping[str, str]) -> Mapping[str, str]:
    """Somebody has looked."""
    return marks


def kept(checkpoints: Checkpoints) -> list[int]:
    """The numbers of those one can go back to."""
    return [row.number for row in checkpoints.rows if row.state is State.KEPT]


async def test_the_oldest_without_a_name_goes_first() -> None:
    """Beyond `most` automatic ones are given up, then named ones; the sandbox is told."""
    checkpoints, sandbox = table()
    await take(checkpoints, "named", {}, name="mine")
    for number in range(1, 4):
        await take(checkpoints, "step", {}, run="r", step=number)
    assert kept(checkpoints) == [1, 3, 4]
    for name in ("x", "y", "z"):
        await take(checkpoints, "named", {}, name=name)
    assert kept(checkpoints) == [5, 6, 7]
    await until_discarded(sandbox, 2, 3, 4, 1)
    with pytest.raises(UsageError, match="given up for newer ones"):
        checkpoints.find("mine")


async def test_many_that_are_given_up_end_at_once() -> None:
    """However fast steps follow each other: only a few more than are kept are there at a time."""
    checkpoints, sandbox = table(most=1)
    for number in range(1, 30):
        await take(checkpoints, "step", {}, run="r", step=number)
        assert number - len(sandbox.discarded) <= 1 + 6


async def test_the_way_back_is_never_given_up_for_the_way_forward() -> None:
    """Keeping the present state before a rewind does not drop the one that is gone to."""
    checkpoints, _ = table(most=2)
    target = await take(checkpoints, "step", {}, run="r", step=1)
    await take(checkpoints, "step", {}, run="r", step=2)
    left = await checkpoints.go(target, await present(checkpoints, target))
    assert kept(checkpoints) == [1, 3]
    assert checkpoints.here == 1
    assert checkpoints.left() == left


async def test_too_much_memory() -> None:
    """Over the budget the oldest go, whatever they are worth; a weight that is no number is nothing."""
    checkpoints, sandbox = table(budget=100)
    for number in range(1, 4):
        await take(checkpoints, "step", {}, run="r", step=number)
    sandbox.answers["weigh"] = {"1": 60, "2": 30, "3": 40, "x": 5, "9" * 30: 5, "4": True}
    await checkpoints.weigh()
    assert kept(checkpoints) == [2, 3]
    assert [row.size for row in checkpoints.rows] == [60, 30, 40]
    assert "too much memory" in branches.text(checkpoints.rows, checkpoints.here)


async def test_no_cell_fails_for_want_of_memory_because_of_a_checkpoint() -> None:
    """There is room for all of the live kernel once more: old ones go for it, or there is none."""
    checkpoints, sandbox = table(memory=100)
    for number in range(1, 4):
        sandbox.answers["checkpoint"] = {"taken": True, "reasons": [], "size": 20}
        await take(checkpoints, "step", {}, run="r", step=number)
    sandbox.answers["weigh"] = {"1": 15, "2": 15, "3": 15}
    await checkpoints.weigh()
    sandbox.answers["checkpoint"] = {"taken": True, "reasons": [], "size": 40}
    await take(checkpoints, "step", {}, run="r", step=4)
    assert kept(checkpoints) == [3, 4]
    sandbox.answers["checkpoint"] = {"taken": True, "reasons": [], "size": 51}
    with pytest.raises(UsageError, match="more than half of the sandbox's memory"):
        await take(checkpoints, "step", {}, run="r", step=5)
    assert kept(checkpoints) == [3, 4]
    assert sandbox.discarded == [1, 2, 5]


async def test_what_was_refused_leaves_no_row() -> None:
    """With a live thread, or without an answer, there is no checkpoint; a late one is not kept."""
    checkpoints, sandbox = table()
    reason = {"kind": "threads", "count": 2, "names": ["a\x1b[2Jb", "c"], "stops": True}
    sandbox.answers["checkpoint"] = {"taken": False, "reasons": [reason]}
    with pytest.raises(UsageError, match=r"2 threads are running \(ab, c\)"):
        await take(checkpoints, "step", {})
    sandbox.answers["checkpoint"] = SandboxError("It did not answer.")
    with pytest.raises(SandboxError):
        await take(checkpoints, "step", {})
    assert checkpoints.rows == ()
    assert sandbox.discarded == [2]


async def test_a_rewind_that_fails_changes_nothing() -> None:
    """The place in the tree and the steps that count stay; one sentence says what happened."""
    checkpoints, sandbox = table()
    row = await take(checkpoints, "named", {}, name="a")
    checkpoints.step_done("r", 1)
    await take(checkpoints, "named", {}, name="b")
    left = await present(checkpoints, row)
    sandbox.answers["rewind"] = SandboxError("its process ended at once")
    with pytest.raises(UsageError, match="The notebook is as it was"):
        await checkpoints.go(row, left)
    assert checkpoints.here == 2
    assert checkpoints.progress == {"r": (1,)}
    assert kept(checkpoints) == [1, 2]
    assert sandbox.discarded == [left.number]


async def test_progress_goes_with_the_state() -> None:
    """Which steps of which run a state holds is known after any walk through the tree."""
    checkpoints, _ = table()
    row = await take(checkpoints, "step", {}, run="r", step=1)
    for number in (1, 2):
        checkpoints.step_done("r", number)
    left = await checkpoints.go(row, await present(checkpoints, row))
    assert left is not None
    assert checkpoints.progress == {}
    checkpoints.step_done("r", 3)
    await checkpoints.go(left, None)
    assert checkpoints.progress == {"r": (1, 2)}
    with pytest.raises(UsageError, match="nothing to redo"):
        checkpoints.left()


async def test_what_the_sandbox_says_of_others_is_not_heard() -> None:
    """A number that is not in the table, or no number, is lost by nobody; a real one is."""
    checkpoints, _ = table()
    await take(checkpoints, "named", {}, name="a")
    for number in (7, "1", None, True, [1]):
        checkpoints.lost(number)
    assert kept(checkpoints) == [1]
    checkpoints.lost(1)
    with pytest.raises(UsageError, match="its process has ended"):
        checkpoints.find("a")


async def test_the_table_is_json() -> None:
    """What a panel gets is plain values: names, sentences, numbers, where one is."""
    checkpoints, sandbox = table()
    files = {"kind": "files", "count": 1, "names": ["log.txt"]}
    sandbox.answers["checkpoint"] = {"taken": True, "reasons": [files, {"kind": "nonsense"}, 7]}
    await take(checkpoints, "named", {"x": "1"}, name="a")
    (row,) = json.loads(json.dumps(checkpoints.table()))
    assert row["changed"] == ["x"]
    assert row["not_restored"] == [
        "a file is open for writing (log.txt); what is in it stays as it is"
    ]
    assert (row["title"], row["kept"], row["here"], row["parent"]) == ("a", True, True, 0)


async def test_another_sandbox_has_no_past() -> None:
    """When the sandbox ends all are gone, and the tree says so."""
    checkpoints, _ = table()
    await take(checkpoints, "named", {}, name="a")
    checkpoints.sandbox_ended()
    with pytest.raises(UsageError, match="a sandbox that has ended"):
        checkpoints.find("a")
    assert (checkpoints.here, checkpoints.progress) == (0, {})


async def test_switched_off() -> None:
    """With checkpoints = 0 nothing is asked of the sandbox."""
    checkpoints, sandbox = table(most=0)
    with pytest.raises(UsageError, match="switched off"):
        await take(checkpoints, "named", {})
    with pytest.raises(UsageError, match="switched off"):
        checkpoints.find("")
    assert sandbox.orders == []


def test_a_chain_of_hundreds_is_drawn() -> None:
    """A long run is a flat list; a row whose parent is forgotten stands at the margin."""
    rows = [Checkpoint(number=n, kind="step", parent=n - 1, step=n) for n in range(5, 900)]
    lines = branches.text(rows, 899).splitlines()
    assert [line for line in lines if line.startswith("      ")] == []
    assert "you are here" in lines[894]


async def test_names_of_variables_are_names_and_few() -> None:
    """What a hostile sandbox calls variables is not told."""
    checkpoints, _ = table()
    marks = {"x": "1", "<img src=x>": "1", "y" * 99: "1", **{f"v{n}": "1" for n in range(999)}}
    row = await take(checkpoints, "named", marks, name="a")
    assert row.changed == ("x", *(f"v{n}" for n in range(49)))


def test_what_is_gone_is_shown_where_it_matters() -> None:
    """A name, or what something kept came of, is worth a line; the others are a number."""
    gone = State.DROPPED
    rows = [
        Checkpoint(number=1, kind="step", parent=0, step=1, state=gone),
        Checkpoint(number=2, kind="left", parent=1),
        Checkpoint(number=3, kind="left", parent=1, state=gone),
        Checkpoint(number=4, kind="named", parent=3, name="mine", state=gone),
        Checkpoint(number=5, kind="left", parent=4, state=gone),
    ]
    lines = branches.text(rows, 2).splitlines()
    assert [line.split()[0] for line in lines if "·" in line] == ["1", "3", "4", "2"]
    assert "1 more is gone." in lines


def test_reasons_are_bounded() -> None:
    """However much the sandbox tells, it is a few short names."""
    told = [{"kind": "files", "count": -3, "names": ["x" * 9999, "", 7, None, *"abcdef"]}] * 99
    found = obstacles.read(told)
    assert len(found) == 16
    assert found[0].count == 1
    assert found[0].names == ("x" * 80, "7", "None", "a")
    assert obstacles.read("no list") == ()
