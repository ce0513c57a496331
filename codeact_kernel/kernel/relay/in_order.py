"""What comes from inside is taken one after the other, also when one of them takes a while.

Rule: the event loop is never held for it. What takes long is done in a thread; what comes meanwhile
waits here, in order, and the sandbox is not read any further until it has been taken.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

log = logging.getLogger(__name__)
_Made = TypeVar("_Made")


class InOrder:
    """Owner of what waits. `hold(True)` stops the reading of the sandbox, `hold(False)` goes on."""

    def __init__(self, hold: Callable[[bool], None]) -> None:
        self._hold = hold
        self._work: asyncio.Task[None] | None = None
        self._waiting: deque[Callable[[], None]] = deque()
        self._idle = asyncio.Event()
        self._idle.set()

    def do(self, act: Callable[..., None], *values: object) -> None:
        """Now, or when what came before it is done."""
        if self._idle.is_set():
            act(*values)
        else:
            self._waiting.append(partial(act, *values))

    def work(self, work: Callable[[], _Made], then: Callable[[_Made], None]) -> None:
        """Do `work` in a thread, and `then` with what it made before anything that comes later."""
        if self._work is not None:
            self._waiting.append(lambda: self.work(work, then))
            return
        self._idle.clear()
        self._hold(True)
        self._work = asyncio.get_running_loop().create_task(self._carry_out(work, then))

    async def empty(self) -> None:
        """Wait until nothing waits."""
        await self._idle.wait()

    async def _carry_out(self, work: Callable[[], _Made], then: Callable[[_Made], None]) -> None:
        try:
            made = await asyncio.to_thread(work)
        except Exception as error:  # noqa: BLE001 -- only it is lost
            log.warning("dropped what could not be dealt with: %.200r", error)
            self._go_on()
            return
        self._go_on(lambda: then(made))

    def _go_on(self, act: Callable[[], None] | None = None) -> None:
        self._work = None
        if act is not None:
            _do(act)
        while self._waiting and self._work is None:
            _do(self._waiting.popleft())
        if self._work is None:
            self._idle.set()
            self._hold(False)


def _do(act: Callable[[], None]) -> None:
    try:
        act()
    except Exception:
        log.exception("what came from inside could not be taken")
