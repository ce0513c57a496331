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
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from codeact_kernel.errors import SandboxError, UsageError
from codeact_kernel.kernel.rewind import obstacles
from codeact_kernel.kernel.rewind.checkpoint import Checkpoint, State, changed, short
from codeact_kernel.kernel.rewind.discards import Discards
from codeact_kernel.kernel.rewind.obstacles import Obstacle

log = logging.getLogger(__name__)
ROWS = 200
"""Checkpoints that are remembered, most of them gone."""
_WEIGH_SECONDS = 2.0
_QUIET_SECONDS = 1.0
"""Weighing makes each of them run: not while a person or a step waits for a fork."""
REFUSED = "There is no checkpoint of this state, because {why}."
OFF = "Checkpoints are switched off: the setting checkpoints is 0."
GONE = "{which} is gone: {why}. %agent branches lists what is there."
UNKNOWN = "There is no checkpoint {which!r}. %agent branches lists what is there."
NONE_YET = "There is no checkpoint yet. Each step of the agent makes one, and so does %agent checkpoint NAME."
TOO_LARGE = (
    "There is no checkpoint of this state, because it takes more than half of the sandbox's memory; "
    "the setting memory_mb raises the limit."
)
NOTHING_TO_REDO = "Nothing was taken back, so there is nothing to redo."

Look = Callable[[], Awaitable[Mapping[str, str]]]
"""Marks of all variables, as they are now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The present state, which can be kept under `number` when it is left."""

    number: int
    marks: Mapping[str, int]
    obstacles: tuple[Obstacle, ...]


class Sandbox(Protocol):
    """What is needed of the link."""

    async def query(self, name: str, arguments: Mapping[str, Any]) -> Any: ...
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
        self._discards = Discards(link)
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
        return [{**row.to_json(), "here": row.number == self.here} for row in self.rows]

    def step_done(self, run: str, number: int) -> None:
        """The code of this step has run: its effects are a part of the state."""
        self.progress[run] = (*self.progress.get(run, ()), number)

    # -- making one -------------------------------------------------------------------------

    def reserve(self) -> int:
        """The number of the next one, for `take` or `present`. Raises UsageError: there are none."""
        if not self.on:
            raise UsageError(OFF)
        return next(self._numbers)

    async def take(
        self, number: int, kind: str, look: Look, *, name: str = "", run: str = "", step: int = 0
    ) -> Checkpoint:
        """A checkpoint of what is now. Raises UsageError, SandboxError with the sentence why not."""
        try:
            order = self._link.order("checkpoint", number=number)
            marks, told = await asyncio.gather(look(), order)  # sent in this order, at once
            found = self._found(told, "taken")
        except (SandboxError, asyncio.CancelledError):
            self._discards.now(number)  # it may still come
            raise
        if not self._make_room(told, 0):
            self._discards.now(number)
            raise UsageError(TOO_LARGE)
        present = Present(number=number, marks=short(marks), obstacles=found)
        row = self._enter(present, kind, name=name, run=run, step=step)
        self.here = number
        self._thin(0)
        return row

    async def present(self, number: int, look: Look, target: Checkpoint) -> Present:
        """What is now, before it is left for `target`; for it, others may have to go.

        Raises UsageError, SandboxError with the sentence why it cannot be kept.
        """
        question = self._link.query("obstacles", {})
        marks, told = await asyncio.gather(look(), question)
        found = self._found(told, "ok")
        if not self._make_room(told, target.number):
            raise UsageError(TOO_LARGE)
        return Present(number=number, marks=short(marks), obstacles=found)

    def _found(self, told: Any, fine: str) -> tuple[Obstacle, ...]:
        """What the sandbox says about a state, `fine` that it can be kept. Raises UsageError."""
        given = told if isinstance(told, dict) else {}
        found = obstacles.read(given.get("reasons"))
        if given.get(fine) is not True:
            why = obstacles.sentence(each for each in found if each.stops) or "it was refused"
            raise UsageError(REFUSED.format(why=why))
        return found

    def _enter(self, present: Present, kind: str, **more: Any) -> Checkpoint:
        parent = self._rows.get(self.here)
        row = Checkpoint(
            number=present.number,
            kind=kind,
            parent=self.here,
            when=time.time(),
            marks=present.marks,
            changed=changed(parent.marks if parent else {}, present.marks),
            obstacles=present.obstacles,
            progress=dict(self.progress),
            **more,
        )
        self._rows[row.number] = row
        self._weigh_soon()
        return row

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

    async def go(self, row: Checkpoint, present: Present | None) -> Checkpoint | None:
        """The state is that of `row` from here on; the present one is kept, and returned, if it can
        be. Raises UsageError; then nothing has changed."""
        keep = {"keep": present.number} if present is not None else {}
        try:
            await self._link.order("rewind", number=row.number, **keep)
        except SandboxError as error:
            if present is not None:
                self._discards.now(present.number)  # it may still come
            raise UsageError(
                f"Checkpoint {row.number} ({row.title}) could not be woken: {error}. "
                "The notebook is as it was."
            ) from None
        left = self._enter(present, "left") if present is not None else None
        self.here = row.number
        self.progress = dict(row.progress)
        self._left = left.number if left is not None else 0
        self._thin(row.number)
        return left

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
            gone = self._give_up(kept, State.DROPPED)
            kept.remove(gone)
            self._discards.soon(gone.number)
        for number in list(self._rows)[:-ROWS]:
            if self._rows[number].state is not State.KEPT:
                del self._rows[number]

    def _make_room(self, told: Mapping[str, Any], spare: int) -> bool:
        """Give up old ones for twice the size that is told; False: even so it is too much."""
        size = told.get("size")
        needed = 2 * size if type(size) is int else 0
        if needed > self._memory:
            return False
        kept = [row for row in self.rows if row.state is State.KEPT]
        others = [row for row in kept if row.number != spare]
        while others and needed + sum(row.size for row in kept) > self._memory:
            gone = self._give_up(others, State.HEAVY)
            others.remove(gone)
            kept.remove(gone)
            self._discards.now(gone.number)
        return True

    def _give_up(self, kept: list[Checkpoint], why: State) -> Checkpoint:
        """The oldest that nobody has named, or else the oldest."""
        old = kept[:-1] or kept
        row = next((row for row in old if not row.name), old[0])
        self._rows[row.number] = replace(row, state=why, marks={})
        return row

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
            if row is not None and type(size) is int and 0 <= size < 2**53:
                self._rows[row.number] = replace(row, size=size)
        kept = [row for row in self.rows if row.state is State.KEPT]
        while kept and sum(row.size for row in kept) > self._budget:
            gone = self._give_up(kept, State.HEAVY)
            kept.remove(gone)
            self._discards.now(gone.number)
