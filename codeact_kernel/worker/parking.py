"""When the live kernel is forked for a checkpoint or stands aside, and what it says about it.

Rules:
- Nothing is under way and no frame is half taken: what comes behind the order waits, so that it is
  not a part of what is kept and is not done twice.
- The loop is left first; the rest is done by `live`, at the bottom of the stack.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from codeact_kernel.worker import faithful, process
from codeact_kernel.worker import loop as loops
from codeact_kernel.worker.faithful import Reason
from codeact_kernel.worker.forks import Forks
from codeact_kernel.worker.place import Place

if TYPE_CHECKING:
    from codeact_kernel.worker.kernel import WireKernel

_PATIENCE = 1.0
"""Seconds a checkpoint waits for what is under way."""


class Parking:
    """Owner of the order that is under way, if there is one. `open` after the fork."""

    def __init__(self, kernel: WireKernel) -> None:
        self._kernel = kernel
        self._loop: asyncio.AbstractEventLoop
        self._forks: Forks
        self._ours: frozenset[int] = frozenset()
        self._order: Callable[[], bool] | None = None

    def open(self, loop: asyncio.AbstractEventLoop, place: Place) -> None:
        """The process has its place."""
        self._loop, self._forks = loop, Forks(place)
        self._ours = place.descriptors

    def obstacles(self) -> dict[str, Any]:
        """What a checkpoint made now would not keep, and bytes: as in the answer to an order."""
        if self._kernel.debugger.attached:
            return _told([Reason(kind="debugger", stops=True)])
        faithful.tidy(self._kernel.shell, self._loop)
        return _told(faithful.reasons(self._ours | loops.own_descriptors(self._loop)))

    async def fork(self, number: int) -> None:
        """A `fork` frame: leave the loop when nothing is under way, or say why there is no fork."""
        told = await self._when_nothing_is_under_way()
        if told["ok"]:
            self._order = lambda: self._fork(number, told)
            self._loop.stop()
        else:
            self._refuse_fork(number, told)

    async def leave(self, number: int) -> None:
        """A `leave` frame: the same, but this process itself is to wait from then on."""
        told = await self._when_nothing_is_under_way()
        if told["ok"]:
            self._order = lambda: self._forks.stand_aside(
                number, self._rest, lambda: self._say("leaves", number, told)
            )
            self._loop.stop()
        else:
            self._say("leaves", number, told)
            self._kernel.intake.go_on()

    async def _when_nothing_is_under_way(self) -> dict[str, Any]:
        """What to say then, `ok`: nothing speaks against it. Later than that: that it is busy."""
        try:
            under_way = self._kernel.intake.under_way
            if under_way and (await asyncio.wait(under_way, timeout=_PATIENCE))[1]:
                return _told([Reason(kind="busy", stops=True)])
            return self.obstacles()
        except Exception:  # whatever it is, there is an answer, and the frames behind it are taken
            self._kernel.log.exception("a checkpoint failed")
            return _told([Reason(kind="failed", stops=True)])

    def carry_out(self) -> bool:
        """Do what was prepared; False: nothing was, so the loop was left for good.

        A copy comes back from here when it is woken.
        """
        order, self._order = self._order, None
        if order is None:
            return False
        if order():
            self._kernel.link.reopen()
            loops.renew(self._loop)
            self._kernel.interrupts.settle()
        self._kernel.intake.go_on()
        return True

    def _fork(self, number: int, told: dict[str, Any]) -> bool:
        try:
            return self._forks.fork(number, self._rest, lambda: self._say("forked", number, told))
        except OSError:
            self._refuse_fork(number, _told([Reason(kind="limit", stops=True)]))
            return False

    def _refuse_fork(self, number: int, told: dict[str, Any]) -> None:
        self._forks.forget(number)
        self._say("forked", number, told)
        self._kernel.intake.go_on()

    def _rest(self) -> None:
        loops.release(self._loop)

    def _say(self, kind: str, number: int, told: dict[str, Any]) -> None:
        self._kernel.link.send({"t": kind, "number": number, **told})


def _told(reasons: list[Reason]) -> dict[str, Any]:
    return {
        "ok": not any(reason.stops for reason in reasons),
        "reasons": [reason.to_json() for reason in reasons],
        "size": process.anonymous_memory(),
    }
