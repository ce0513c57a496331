"""The shipped fakes: one for each port, scripted, without any patching.

A test that wants to patch something has found a port that is missing or too wide.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from codeact_kernel.agent.ports import Chunk, Execution, Finished, Surroundings
from codeact_kernel.trace.values import (
    Approve,
    Decision,
    Message,
    Status,
    Usage,
    Variable,
)

# ── agent: Model, Runtime, Gate, Clock ───────────────────────────────────────────────────────────

USAGE = Usage(input_tokens=100, output_tokens=10, cost=0.001)


class Stall:
    """In a script of FakeModel: says nothing until it is cancelled. In FakeRuntime alike."""


class FakeModel:
    """A Model that gives the scripted replies in order, in small chunks.

    An item is a text, an exception to raise, a Finished with the text before it as a pair, or a
    Stall. `asked` are the messages of each question, `closed` how many streams were left.
    """

    def __init__(
        self,
        *script: str | Exception | tuple[str, Exception | Finished] | Stall,
        name: str = "fake/model",
        sees: bool = False,
        window: int | None = 100_000,
        usage: Usage = USAGE,
        piece: int = 7,
    ) -> None:
        self._script = list(script)
        self.name, self.sees, self.window = name, sees, window
        self._usage, self._piece = usage, piece
        self.asked: list[tuple[Message, ...]] = []
        self.closed = 0
        self.stalled = asyncio.Event()

    async def prepare(self) -> None:
        """Is ready."""

    async def stream(self, messages: Sequence[Message]) -> AsyncIterator[Chunk | Finished]:
        self.asked.append(tuple(messages))
        try:
            item = self._script.pop(0)
            if isinstance(item, Exception):
                raise item
            if isinstance(item, Stall):
                yield Chunk(text="I will ")
                self.stalled.set()
                await asyncio.Event().wait()
            text, last = item if isinstance(item, tuple) else (item, None)
            for start in range(0, len(str(text)), self._piece):
                yield Chunk(text=str(text)[start : start + self._piece])
            if isinstance(last, Exception):
                raise last
            yield last or Finished(usage=self._usage, model=self.name)
        finally:
            self.closed += 1


@dataclass
class FakeRuntime:
    """A Runtime that answers from `results` (code → Execution), else "ok" without output.

    `variables` is what exists; a function in `effects` (code → new variables) changes it.
    """

    results: Mapping[str, Execution] = field(default_factory=dict)
    effects: Mapping[str, Mapping[str, Variable]] = field(default_factory=dict)
    around: Surroundings = field(default_factory=lambda: Surroundings(names=frozenset({"print"})))
    ran: list[tuple[int, str, str]] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    hang: str | None = None
    """Code that runs until it is cancelled."""
    returns_when_stopped: bool = False
    """Whether a stop makes `execute` return, as the real one may, instead of raising."""
    running: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something hangs."""
    lost: Exception | Stall | None = None
    """What comes of asking what the notebook holds once code has run: an error, or nothing."""
    unkept: Exception | Stall | None = None
    """What comes of binding a text to a variable."""

    async def execute(self, number: int, cell: str, code: str) -> Execution:
        self.ran.append((number, cell, code))
        if code == self.hang:
            self.running.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if not self.returns_when_stopped:
                    raise
                return Execution(status=Status.INTERRUPTED, reason="The code was interrupted.")
        if code in self.effects:
            variables = {**self.around.variables, **self.effects[code]}
            self.around = replace(self.around, variables=variables)
        return self.results.get(code, Execution(status=Status.OK, count=number))

    async def surroundings(self) -> Surroundings:
        if self.ran:
            await self._fail(self.lost)
        return self.around

    async def keep(self, name: str, text: str) -> None:
        await self._fail(self.unkept)
        self.kept[name] = text

    async def _fail(self, how: Exception | Stall | None) -> None:
        if isinstance(how, Exception):
            raise how
        if how is not None:
            self.running.set()
            await asyncio.Event().wait()


@dataclass
class FakeGate:
    """A Gate that answers with `decide(code)`, by default yes. `asked` are code and concerns."""

    answer: Callable[[str], Decision] = lambda code: Approve(code=code)
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    clock: FakeClock | None = None
    takes: float = 0.0
    """Seconds the person thinks, on `clock`."""

    async def decide(self, number: int, cell: str, code: str, concerns: Sequence[str]) -> Decision:
        self.asked.append((code, tuple(concerns)))
        if self.clock is not None:
            await self.clock.sleep(self.takes)
        return self.answer(code)


@dataclass
class FakeClock:
    """A Clock that does not wait: sleeping moves its time. `slept` are the pauses."""

    time: float = 1000.0
    tick: float = 0.0
    """Seconds that pass with each look at it."""
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        self.time += self.tick
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)
