"""One question to the model, with retries: the only place that waits for a provider.

Rule: what is retried is what the error says may help (`retryable`), at most TRIES times, after the
time the provider asked for or a growing one. A reply that broke off after its first bytes is asked
for once more from the beginning; the partial one is thrown away, and both is said, never hidden.
A reply has a longest length, where it counts as cut off, and a longest time.
Leaving this module by any way closes the stream at once, which stops the provider's counter.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from codeact_kernel.agent.beside import beside
from codeact_kernel.agent.parse import LONGEST
from codeact_kernel.agent.ports import Chunk, Clock, Finished, Model
from codeact_kernel.agent.streaming import SoFar, so_far
from codeact_kernel.errors import ModelError, StreamCut
from codeact_kernel.trace.digest import digest
from codeact_kernel.trace.values import Message, Observation, Reply, Usage

TRIES = 5
_Stream = AsyncIterator[Chunk | Finished]
LONGEST_PAUSE = 120.0
"""Seconds: a provider that wants to be left alone for longer ends the run instead."""
EVERY = 0.1
"""Seconds between two drawings of a reply that grows."""
GROWN = 1.02
"""By how much it must have grown as well: all drawings together then cost as much as fifty."""
PATIENCE = 1800.0
"""Seconds until a reply must be complete, thinking included."""
TOO_LONG = "The reply of {name} was cut off at {longest:,} characters, so it is not run."
ENDLESS = (
    "{name} did not complete its reply within {minutes:.0f} minutes, so it is given up: check the "
    "model and its server, or give it a smaller task."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A complete reply. The rest as in ports.Finished."""

    reply: Reply
    truncated: bool = False
    notice: str = ""
    recorded: Observation | None = None


async def ask(
    model: Model,
    messages: Sequence[Message],
    *,
    clock: Clock,
    grew: Callable[[SoFar], None],
    waited: Callable[[str], None],
) -> Answered:
    """The model's reply to `messages`.

    `grew` is told what can be shown so far, `waited` a sentence before each wait. Raises ModelError.
    """
    cut = False
    for attempt in range(1, TRIES + 1):
        try:
            return await _once(model, messages, clock, grew)
        except StreamCut as error:
            if cut:
                again = (
                    "It broke off again when asked once more: check the provider and your network."
                )
                raise StreamCut(f"{error} {again}") from error
            cut = True
            waited(f"{error} The part that came is thrown away and the question asked once more.")
        except ModelError as error:
            pause = _pause(error, attempt)
            if pause is None:
                raise
            waited(f"{error} Trying again in {pause:.0f} s (try {attempt + 1} of {TRIES}).")
            await clock.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _pause(error: ModelError, attempt: int) -> float | None:
    """Seconds to wait before the next try, None when there is none."""
    if not error.retryable or attempt == TRIES:
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= LONGEST_PAUSE else None
    jitter = random.uniform(0.75, 1.25)  # noqa: S311 -- spreads clients, keeps no secret
    return min(2.0**attempt, 30.0) * jitter


async def _once(
    model: Model, messages: Sequence[Message], clock: Clock, grew: Callable[[SoFar], None]
) -> Answered:
    growing = _Growing(model=model.name, clock=clock, grew=grew)
    finished: Finished | None = None
    async with _closing(model.stream(messages)) as stream:
        async for piece in stream:
            if isinstance(piece, Finished):
                finished = piece
            elif not await growing.take(piece.text):
                finished = growing.cut(messages)
            if finished is not None:
                break
    if finished is None:
        raise StreamCut("The model's reply ended without its last word.", retryable=True)
    text = _whole(growing.text)
    grew(await beside(len(text), so_far, text))
    reply = Reply(
        text=text,
        model=finished.model,
        prompt=digest(messages),
        usage=finished.usage,
        seconds=growing.seconds,
    )
    return Answered(
        reply=reply,
        truncated=finished.truncated,
        notice=finished.notice,
        recorded=finished.recorded,
    )


class _Growing:
    """A reply on its way, within its bounds, drawn now and then."""

    def __init__(self, *, model: str, clock: Clock, grew: Callable[[SoFar], None]) -> None:
        self._model, self._clock, self._grew = model, clock, grew
        self._began = self._drawn = clock.now()
        self._shown = SoFar("", "")
        self._next = 0.0
        self.text = ""

    @property
    def seconds(self) -> float:
        return max(0.0, self._clock.now() - self._began)

    async def take(self, text: str) -> bool:
        """One more piece, "" for a sign of life; False when the reply is too long to go on.

        Raises ModelError when it takes too long.
        """
        self.text += text
        now = self._clock.now()
        if now - self._began > PATIENCE:
            raise ModelError(ENDLESS.format(name=self._model, minutes=PATIENCE / 60))
        if len(self.text) > LONGEST:
            self.text = self.text[:LONGEST]
            return False
        if now - self._drawn >= EVERY and len(self.text) >= self._next:
            self._drawn, self._next = now, len(self.text) * GROWN
            shown = await beside(len(self.text), so_far, self.text)
            if shown != self._shown:
                self._shown = shown
                self._grew(shown)
        return True

    def cut(self, messages: Sequence[Message]) -> Finished:
        """The last word of a reply that is left before its own; what it cost is a guess."""
        sent = sum(len(message.text) for message in messages)
        return Finished(
            usage=Usage(input_tokens=sent // 4, output_tokens=len(self.text) // 4, estimated=True),
            model=self._model,
            notice=TOO_LONG.format(name=self._model, longest=LONGEST),
            truncated=True,
        )


@asynccontextmanager
async def _closing(stream: _Stream) -> AsyncIterator[_Stream]:
    """Closes the stream however it is left. A plain iterator has nothing to close."""
    try:
        yield stream
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()


def _whole(text: str) -> str:
    """Surrogate pairs that arrived in two chunks put together; halves without a partner replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
