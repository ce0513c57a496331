"""Ending the processes of checkpoints that were given up.

Rule: when memory is wanted, at once; else a little later, several together. To end a large process
takes time, and somebody who waits for a fork would wait for that, too.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from codeact_kernel.errors import SandboxError

log = logging.getLogger(__name__)
_SECONDS, _MOST = 0.2, 5
"""After this, or when they are more, those that can wait end, too."""


class Inside(Protocol):
    """What is needed of the link."""

    def send(self, head: dict[str, Any]) -> None: ...


class Discards:
    """Owner of the numbers that are still to be ended."""

    def __init__(self, link: Inside) -> None:
        self._link = link
        self._waiting: list[int] = []

    def now(self, *numbers: int) -> None:
        """End these."""
        try:
            self._link.send({"t": "discard", "numbers": list(numbers)})
        except SandboxError:
            log.info("checkpoints went with their sandbox")

    def soon(self, number: int) -> None:
        """End this one; nobody needs its memory."""
        self._waiting.append(number)
        if len(self._waiting) > _MOST:
            self._end_waiting()
        elif len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(_SECONDS, self._end_waiting)

    def _end_waiting(self) -> None:
        numbers, self._waiting = self._waiting, []
        if numbers:
            self.now(*numbers)
