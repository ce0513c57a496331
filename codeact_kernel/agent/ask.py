"""One question to the model, with retries: the only place that waits for a provider.

Rule: what is retried is what the error says may help (`retryable`), at most TRIES times, after the
time the provider asked for or a growing one. A reply that broke off after its first bytes is asked
for once more from the beginning; the partial one is thrown away, and both is said, never hidden.
Leaving this module by any way closes the stream at once, which stops the provider's counter.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from codeact_kernel.agent.ports import Chunk, Clock, Finished, Model
from codeact_kernel.agent.streaming import SoFar, so_far
from codeact_kernel.errors import ModelError, StreamCut
from codeact_kernel.trace.digest import digest
from codeact_kernel.trace.values import Message, Reply

TRIES = 5
_Stream = AsyncIterator[Chunk | Finished]
LONGEST = 120.0
"""Seconds: a provider that wants to be left alone for longer ends the run instead."""
EVERY = 0.1
"""Seconds between two drawings of a reply that grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A complete reply. `truncated` and `notice` as in ports.Finished."""

    reply: Reply
    truncated: bool = False
    notice: str = ""


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
        return error.retry_after if error.retry_after <= LONGEST else None
    jitter = random.uniform(0.75, 1.25)  # noqa: S311 -- spreads clients, keeps no secret
    return min(2.0**attempt, 30.0) * jitter


async def _once(
    model: Model, messages: Sequence[Message], clock: Clock, grew: Callable[[SoFar], None]
) -> Answered:
    began = drawn = clock.now()
    shown = SoFar("", "")
    text, finished = "", None  # type: str, Finished | None
    async with _closing(model.stream(messages)) as stream:
        async for piece in stream:
            if isinstance(piece, Finished):
                finished = piece
                break
            text += piece.text
            if clock.now() - drawn >= EVERY:
                drawn, before = clock.now(), shown
                shown = so_far(text)
                if shown != before:
                    grew(shown)
    if finished is None:
        raise StreamCut("The model's reply ended without its last word.", retryable=True)
    text = _whole(text)
    grew(so_far(text))
    reply = Reply(
        text=text,
        model=finished.model,
        prompt=digest(messages),
        usage=finished.usage,
        seconds=max(0.0, clock.now() - began),
    )
    return Answered(reply=reply, truncated=finished.truncated, notice=finished.notice)


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
