"""The checkpoints of this session: a tree of states that the notebook can be taken back to.

Rules:
- This table owns number, name, order and what is kept; the sandbox only parks processes (docs/wire.md).
- The newest are kept, `most` of them within `budget` bytes; those nobody has named go first. What is
  not there any more stays in the tree, and says why.
- No cell shall fail for want of memory because of a checkpoint: everything in the live kernel may be
  written anew, and there has to be room for that.
- Going back parks the present state first, so that it can be taken back itself.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from codeact_kernel.errors import SandboxError, UsageError
from codeact_kernel.kernel.rewind import obstacles
from codeact_kernel.kernel.rewind.obstacles import Obstacle

log = logging.getLogger(__name__)
ROWS = 200
"""Checkpoints that are remembered, most of them gone."""
_WEIGH_SECONDS = 2.0
_QUIET_SECONDS = 1.0
"""Weighing makes each of them run: not while a person or a step waits for a fork."""
_MARKS = 500
_CHANGED, _LONGEST = 50, 80
"""Names of one checkpoint that are told, and characters of one."""
OFF = "Checkpoints are switched off: the setting checkpoints is 0."
GONE = "{which} is gone: {why}. %agent branches lists what is there."
UNKNOWN = "There is no checkpoint {which!r}. %agent branches lists what is there."
NONE_YET = "There is no checkpoint yet. Each step of the agent makes one, and so does %agent checkpoint NAME."
TOO_LARGE = (
    "There is no checkpoint of this state, because it takes more than half of the sandbox's memory; "
    "the setting memory_mb raises the limit."
)
NOTHING_TO_REDO = "Nothing was taken back, so there is nothing to redo."

Progress = Mapping[str, tuple[int, ...]]
"""By run: the steps whose effects are a part of the state."""


class State(StrEnum):
    """Whether one can go back to it."""

    KEPT = "kept"
    DROPPED = "given up for newer ones"
    HEAVY = "given up because checkpoints took too much memory"
    LOST = "its process has ended"
    PAST = "it was in a sandbox that has ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One state. `kind`: step (before that step of that run), named (by the user), left (by going
    elsewhere). `parent` is the number it came from, 0 for none; `changed` are the variables that
    differ from there. `size` is the memory it holds in bytes, `when` seconds since the epoch."""

    number: int
    kind: str
    parent: int
    name: str = ""
    run: str = ""
    step: int = 0
    when: float = 0.0
    marks: Mapping[str, int] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    progress: Progress = field(default_factory=dict)
    size: int = 0
    state: State = State.KEPT

    @property
    def title(self) -> str:
        """What a person calls it."""
        if self.name:
            return self.name
        return f"before step {self.step}" if self.kind == "step" else "the state that was left"


class Sandbox(Protocol):
    """What is needed of the link."""

    async def order(self, kind: str, **head: Any) -> Any: ...
    def send(self, head: dict[str, Any]) -> None: ...


class Checkpoints:
    """Owner of the table and of `here`, the checkpoint that the present state came from."""

    def __init__(self, link: Sandbox, *, most: int, budget: int, memory: int) -> None:
        """`memory`: bytes that all of the sandbox may take."""
        self._link = link
        self._memory = memory
        self._most = most
        self._budget = budget
        self._rows: dict[int, Checkpoint] = {}
        self._numbers = itertools.count(1)
        self._left = 0
        self._weighed_at = float("-inf")
        self._weighing: asyncio.Task[None] | None = None
        self.here = 0
        self.progress: dict[str, tuple[int, ...]] = {}

    @property
    def on(self) -> bool:
        """Whether there are any."""
        return self._most > 0

    @property
    def rows(self) -> tuple[Checkpoint, ...]:
        """All that are remembered, oldest first."""
        return tuple(self._rows.values())

    @property
    def kept(self) -> frozenset[int]:
        """The numbers of those one can go back to."""
        return frozenset(row.number for row in self.rows if row.state is State.KEPT)

    @property
    def redo(self) -> int:
        """The number of the state that `%agent redo` goes to; 0 when it goes nowhere."""
        return self._left if self._left in self.kept else 0

    def table(self) -> list[dict[str, Any]]:
        """The rows as JSON, for a panel; `here` marks the one that the present state came from."""
        return [
            {
                "number": row.number,
                "kind": row.kind,
                "title": row.title,
                "name": row.name,
                "parent": row.parent,
                "run": row.run,
                "step": row.step,
                "when": row.when,
                "changed": list(row.changed),
                "not_restored": [str(each) for each in row.obstacles],
                "size": row.size,
                "kept": row.state is State.KEPT,
                "why_gone": "" if row.state is State.KEPT else str(row.state),
                "here": row.number == self.here,
            }
            for row in self._rows.values()
        ]

    def step_done(self, run: str, number: int) -> None:
        """The code of this step has run: its effects are a part of the state."""
        self.progress[run] = (*self.progress.get(run, ()), number)

    # -- making one -------------------------------------------------------------------------

    async def take(
        self,
        kind: str,
        marks: Mapping[str, str],
        *,
        name: str = "",
        run: str = "",
        step: int = 0,
        spare: int = 0,
    ) -> Checkpoint:
        """A checkpoint of what is now; for it, one that is not `spare` may have to go.

        Raises UsageError, SandboxError with the sentence why there is none.
        """
        if not self.on:
            raise UsageError(OFF)
        number = next(self._numbers)
        try:
            answer = await self._link.order("checkpoint", number=number)
        except (SandboxError, asyncio.CancelledError):
            self._discard(number)  # it may still come
            raise
        given = answer if isinstance(answer, dict) else {}
        found = obstacles.read(given.get("reasons"))
        if given.get("taken") is not True:
            why = obstacles.sentence(each for each in found if each.stops) or "it was refused"
            raise UsageError(f"There is no checkpoint of this state, because {why}.")
        size = given.get("size")
        if not self._make_room(2 * size if type(size) is int else 0, spare):
            self._discard(number)
            raise UsageError(TOO_LARGE)
        parent = self._rows.get(self.here)
        short = {mark[0]: hash(mark[1]) for mark in itertools.islice(marks.items(), _MARKS)}
        row = Checkpoint(
            number=number,
            kind=kind,
            parent=self.here,
            name=name,
            run=run,
            step=step,
            when=time.time(),
            marks=short,
            changed=changed(parent.marks if parent else {}, short),
            obstacles=found,
            progress=dict(self.progress),
        )
        self._rows[number] = row
        self.here = number
        self._thin(spare)
        self._weigh_soon()
        return row

    def withdraw(self, row: Checkpoint) -> None:
        """The newest one was not wanted after all."""
        if self._rows.pop(row.number, None) is not None:
            self._discard(row.number)
            self.here = row.parent

    def find(self, which: str) -> Checkpoint:
        """By number or name, "" for the newest that is kept. Raises UsageError."""
        if not self.on:
            raise UsageError(OFF)
        if not which:
            kept = [row for row in self.rows if row.state is State.KEPT and row.kind != "left"]
            if not kept:
                raise UsageError(NONE_YET)
            return kept[-1]
        named = [row for row in self.rows if which in (row.name, str(row.number))]
        if not named:
            raise UsageError(UNKNOWN.format(which=which[:40]))
        return self._alive(named[-1])

    def left(self) -> Checkpoint:
        """The state that the last rewind left. Raises UsageError."""
        row = self._rows.get(self._left)
        if row is None:
            raise UsageError(NOTHING_TO_REDO)
        return self._alive(row)

    def _alive(self, row: Checkpoint) -> Checkpoint:
        if row.state is not State.KEPT:
            which = f"Checkpoint {row.number} ({row.title})"
            raise UsageError(GONE.format(which=which, why=row.state))
        return row

    # -- going back -------------------------------------------------------------------------

    async def go(self, row: Checkpoint, left: Checkpoint | None) -> None:
        """The state is that of `row` from here on; `left` is the present one, parked before, if it
        could be. Raises UsageError, SandboxError; then nothing has changed."""
        try:
            await self._link.order("rewind", number=row.number)
        except SandboxError as error:
            raise UsageError(
                f"Checkpoint {row.number} ({row.title}) could not be woken: {error}. "
                "The notebook is as it was."
            ) from None
        self.here = row.number
        self.progress = dict(row.progress)
        self._left = left.number if left is not None else 0

    # -- what becomes of them ---------------------------------------------------------------

    def lost(self, number: object) -> None:
        """The sandbox says that this one has ended."""
        row = self._rows.get(number) if type(number) is int else None
        if row is not None and row.state is State.KEPT:
            self._rows[row.number] = replace(row, state=State.LOST, marks={})

    def sandbox_ended(self) -> None:
        """All are gone with the sandbox; what comes next has no past."""
        for row in self.rows:
            if row.state is State.KEPT:
                self._rows[row.number] = replace(row, state=State.PAST, marks={})
        self.here = self._left = 0
        self.progress = {}

    def _thin(self, spare: int) -> None:
        kept = [row for row in self.rows if row.state is State.KEPT and row.number != spare]
        while len(kept) > max(1, self._most - bool(spare)):
            kept.remove(self._give_up(kept, State.DROPPED))
        for number in list(self._rows)[:-ROWS]:
            if self._rows[number].state is not State.KEPT:
                del self._rows[number]

    def _make_room(self, needed: int, spare: int) -> bool:
        """Give up old ones for so many bytes; False: even without them it is too much."""
        if needed > self._memory:
            return False
        kept = [row for row in self.rows if row.state is State.KEPT]
        others = [row for row in kept if row.number != spare]
        while others and needed + sum(row.size for row in kept) > self._memory:
            gone = self._give_up(others, State.HEAVY)
            others.remove(gone)
            kept.remove(gone)
        return True

    def _give_up(self, kept: list[Checkpoint], why: State) -> Checkpoint:
        """The oldest that nobody has named, or else the oldest."""
        old = kept[:-1] or kept
        row = next((row for row in old if not row.name), old[0])
        self._rows[row.number] = replace(row, state=why, marks={})
        self._discard(row.number)
        return row

    def _discard(self, number: int) -> None:
        try:
            self._link.send({"t": "discard", "numbers": [number]})
        except SandboxError:
            log.info("a checkpoint went with its sandbox")

    def _weigh_soon(self) -> None:
        if self._weighing is None and time.monotonic() - self._weighed_at > _WEIGH_SECONDS:
            self._weighing = asyncio.get_running_loop().create_task(self._weigh())

    async def _weigh(self) -> None:
        try:
            await asyncio.sleep(_QUIET_SECONDS)
            await self.weigh()
        except SandboxError as error:
            log.info("the checkpoints could not be weighed: %s", error)
        finally:
            self._weighing, self._weighed_at = None, time.monotonic()

    async def weigh(self) -> None:
        """Ask what each holds, and keep within the budget. Raises SandboxError."""
        sizes = await self._link.order("weigh")
        for text, size in sizes.items() if isinstance(sizes, dict) else ():
            row = self._rows.get(int(text)) if text.isdecimal() and len(text) < 10 else None
            if row is not None and type(size) is int and size >= 0:
                self._rows[row.number] = replace(row, size=size)
        kept = [row for row in self.rows if row.state is State.KEPT]
        while kept and sum(row.size for row in kept) > self._budget:
            kept.remove(self._give_up(kept, State.HEAVY))


def changed(before: Mapping[str, int], now: Mapping[str, int]) -> tuple[str, ...]:
    """Names of variables that are new, other or gone, as far as their marks tell; not too many."""
    every = dict.fromkeys((*before, *now))
    found = (name for name in every if before.get(name) != now.get(name))
    return tuple(itertools.islice((name for name in found if _is_plain(name)), _CHANGED))


def _is_plain(name: str) -> bool:
    return name.isidentifier() and len(name) <= _LONGEST
