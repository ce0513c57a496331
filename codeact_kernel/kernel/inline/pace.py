"""Drawing no more often than eyes can follow.

Rule: the first wish is drawn at once, and the last one is always drawn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TENTH = 0.1


class Pace:
    """Calls `draw` at most every `seconds`, and besides every `beat` seconds when that is given."""

    def __init__(
        self, draw: Callable[[], None], seconds: float = TENTH, beat: float | None = None
    ) -> None:
        self._draw = draw
        self._seconds = seconds
        self._beat = beat
        self._wished = False
        self._pause: asyncio.TimerHandle | None = None
        self._next: asyncio.TimerHandle | None = None
        self._over = False

    def wish(self) -> None:
        """Something has changed."""
        if self._over:
            return
        if self._pause is not None:
            self._wished = True
            return
        loop = asyncio.get_running_loop()
        self._pause = loop.call_later(self._seconds, self._resume)
        if self._beat is not None:
            if self._next is not None:
                self._next.cancel()
            self._next = loop.call_later(self._beat, self.wish)
        self._draw()

    def _resume(self) -> None:
        self._pause = None
        if self._wished:
            self._wished = False
            self.wish()

    def stop(self) -> None:
        """Nothing is drawn any more."""
        self._over = True
        for timer in (self._pause, self._next):
            if timer is not None:
                timer.cancel()
