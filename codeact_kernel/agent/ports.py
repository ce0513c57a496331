"""What the loop needs of the world: four narrow ports. tests/fakes.py holds a fake of each.

Rule: nothing here has a body. The kernel room (the composition root) plugs the real things in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from codeact_kernel.trace.values import (
    Decision,
    Function,
    Message,
    Observation,
    Output,
    Status,
    Usage,
    Variable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a reply as it streams in; "" is a sign of life, of a model that still thinks."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The stream's last word: what it cost, and who wrote it (a replay names the recorded model).

    `notice` is a sentence for the user, "" for none ("the prompt differs from the recorded one").
    `truncated`: the provider's output limit cut the reply, so it must not be run. `recorded`: what a
    replay's run observed after this reply; what a person made of it then is made of it again.
    """

    usage: Usage
    model: str
    notice: str = ""
    truncated: bool = False
    recorded: Observation | None = None


class Model(Protocol):
    """Who writes the code."""

    @property
    def name(self) -> str:
        """As the user named it, "anthropic/claude-sonnet-4-6"."""
        ...

    async def prepare(self) -> None:
        """Get ready, off the event loop where it takes long. Done again it costs nothing.

        Raises errors.ModelError for what can be known before asking: no key, no such provider.
        """
        ...

    @property
    def sees(self) -> bool:
        """Whether it takes images. Known after `prepare`."""
        ...

    @property
    def window(self) -> int | None:
        """Tokens it can read, None when nobody knows. Known after `prepare`."""
        ...

    def stream(self, messages: Sequence[Message]) -> AsyncIterator[Chunk | Finished]:
        """One reply: chunks, then exactly one Finished. Raises errors.ModelError, retries nothing.

        Closing the iterator, or cancelling the task that reads it, stops the provider at once.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What came back when code ran. `answer` is set when it called final_answer and ended well."""

    status: Status
    outputs: tuple[Output, ...] = ()
    answer: str | None = None
    seconds: float = 0.0
    count: int | None = None
    reason: str = ""
    """For every status but ok and error: one sentence, what happened and what was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is in the notebook now."""

    variables: Mapping[str, Variable] = field(default_factory=dict)
    functions: tuple[Function, ...] = ()
    names: frozenset[str] = frozenset()
    """Every name code may use: user namespace and builtins."""


class Runtime(Protocol):
    """Where code runs."""

    async def execute(self, number: int, cell: str, code: str) -> Execution:
        """Run step `number` as cell `cell`. Never raises for what the code does; its limits are its own.

        When its task is cancelled (the user stopped the run) it interrupts the code. Best it then
        returns an Execution with status interrupted and what was printed so far: the loop sees the
        stop by itself. Raising CancelledError is fine too; then the outputs are not in the trace.
        """
        ...

    async def surroundings(self) -> Surroundings:
        """What is in the notebook now. Raises errors.SandboxError when nobody can say it."""
        ...

    async def keep(self, name: str, text: str) -> None:
        """Bind `text` to a variable, so that code can page through what was truncated.

        Raises errors.SandboxError when that cannot be done.
        """
        ...


class Gate(Protocol):
    """Who says yes."""

    async def decide(self, number: int, cell: str, code: str, concerns: Sequence[str]) -> Decision:
        """`concerns` are sentences of the checks, empty when nothing was found."""
        ...


class Clock(Protocol):
    """Seconds, and waiting for them."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...
