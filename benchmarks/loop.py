"""The agent's loop with a model and a sandbox that take no time: what is left is the loop's own.

Rule: 51 trivial steps, each of which makes one variable. A question's size is counted in characters
and given in tokens of four characters each, as English text and code have them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence

from benchmarks.rows import Figure
from codeact_kernel.agent.loop import run
from codeact_kernel.agent.options import Options
from codeact_kernel.agent.ports import Chunk, Finished
from codeact_kernel.trace.values import Limits, Message, Task, Variable
from tests.fakes import FakeClock, FakeGate, FakeModel, FakeRuntime

STEPS = 51
_CHARACTERS = 4
_TASK = "Make the variables x1, x2 and so on, one in each step, until you are told to stop."


class _Instant(FakeModel):
    """Answers at once; remembers when it was asked."""

    def __init__(self) -> None:
        code = (f"Next.\n\n<execute>\nx{n} = {n}\n</execute>" for n in range(1, STEPS + 1))
        super().__init__(*code, window=None, piece=1000)
        self.times: list[float] = []

    async def stream(self, messages: Sequence[Message]) -> AsyncIterator[Chunk | Finished]:
        self.times.append(time.perf_counter())
        async for part in super().stream(messages):
            yield part


def rows(quick: bool) -> Iterator[Figure]:
    """Three rows."""
    runs = [asyncio.run(_walk()) for _ in range(2 if quick else 7)]
    steps = [[(b - a) * 1000 for a, b in zip(m.times, m.times[1:], strict=False)] for m in runs]
    for name, at in (("first", 0), ("50th", 49)):
        samples = [each[at] for each in steps]
        yield Figure(name=f"the loop's own time, {name} step", ours=samples, budget=10, unit="ms")
    asked = runs[0].asked
    characters = sum(len(message.text) for messages in asked for message in messages)
    tokens = characters / _CHARACTERS
    yield Figure(
        name=f"sent in {STEPS} steps",
        ours=[tokens],
        budget=100_000,
        unit="tokens",
        note=f"{_CHARACTERS} characters taken for a token",
    )


async def _walk() -> _Instant:
    model = _Instant()
    made = {n: Variable(type="int", preview=str(n), mark=str(n)) for n in range(1, STEPS + 1)}
    effects = {f"x{n} = {n}": {f"x{n}": variable} for n, variable in made.items()}
    await run(
        Task(text=_TASK),
        model=model,
        runtime=FakeRuntime(effects=effects),
        gate=FakeGate(),
        clock=FakeClock(),
        limits=Limits(steps=STEPS),
        options=Options(),
        emit=lambda event: None,
        run_id="run",
        cell="agent",
    )
    return model
