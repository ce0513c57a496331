"""The person's hold on a run: it stands still before the model is asked, so that they can change what
the model is shown.

Rule: a run is held between an observation and the question about it and nowhere else; a question that
is under way is taken back. There is no time limit: only the person, or a stop, ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

_T = TypeVar("_T")


class Hold:
    """One run's. The kernel room begins and ends it; the loop stands still when it is `wanted`."""

    def __init__(self) -> None:
        self.wanted = False
        self.observation: int | None = None
        """While the run stands still: the step whose observation can be changed, 0 for none."""
        self._over: asyncio.Future[str | None] | None = None
        self._question: asyncio.Timeout | None = None

    # ── the person's side ────────────────────────────────────────────────────────────────────────

    def begin(self) -> None:
        """Let the run stand still before the model is asked, or asked again."""
        self.wanted = True
        if self._question is not None:
            self._question.reschedule(asyncio.get_running_loop().time())

    def end(self, text: str | None = None) -> bool:
        """Let the run go on, `text` in place of the observation; False: it was not held."""
        was, self.wanted = self.wanted, False
        if self._over is not None and not self._over.done():
            self._over.set_result(text)
        return was

    # ── the loop's side ──────────────────────────────────────────────────────────────────────────

    async def stand(self, observation: int, began: Callable[[], None]) -> str | None:
        """Wait for the person, who is told by `began()`; what they want the model to be shown
        instead, None: what it is."""
        self.observation = observation
        over: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._over = over
        try:
            began()
            return await over
        finally:
            self.observation = self._over = None

    async def unless_wanted(self, question: Awaitable[_T]) -> _T | None:
        """What comes of a question; None: it was taken back, because the run is to stand still."""
        try:
            async with asyncio.timeout(None) as self._question:
                return await question
        except TimeoutError:
            if self._question is None or not self._question.expired():
                raise
            return None
        finally:
            self._question = None
