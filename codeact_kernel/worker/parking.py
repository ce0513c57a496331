"""When the live kernel is forked for a checkpoint, and what it says about it.

Rules:
- Nothing is under way and no frame is half taken: what comes behind the order waits, so that it is
  not a part of what is kept and is not done twice.
- The loop is left first; the fork is made by `live`, at the bottom of the stack.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from codeact_kernel.worker import faithful, process
from codeact_kernel.worker import loop as loops
from codeact_kernel.worker.faithful import Reason
from codeact_kernel.worker.forks import Forks, Place

if TYPE_CHECKING:
    from codeact_kernel.worker.kernel import WireKernel

_PATIENCE = 1.0
"""Seconds a checkpoint waits for what is under way."""


class Parking:
    """Owner of the order to fork that is under way, if there is one. `open` after the fork."""

    def __init__(self, kernel: WireKernel) -> None:
        self._kernel = kernel
        self._loop: asyncio.AbstractEventLoop
        self._forks: Forks
        self._order: int | None = None
        self._reasons: list[Reason] = []

    def open(self, loop: asyncio.AbstractEventLoop, place: Place) -> None:
        """The process has its place."""
        self._loop, self._forks = loop, Forks(place)

    async def prepare(self, number: int) -> None:
        """A `fork` frame: leave the loop when nothing is under way, or say why there is no fork."""
        try:
            self._reasons = await self._find_reasons()
        except Exception:  # whatever it is, there is an answer, and the frames behind it are taken
            self._kernel.log.exception("a checkpoint failed")
            self._reasons = [Reason(kind="failed", stops=True)]
        if any(reason.stops for reason in self._reasons):
            self._refuse(number, self._reasons)
        else:
            self._order = number
            self._loop.stop()

    async def _find_reasons(self) -> list[Reason]:
        under_way = self._kernel.intake.under_way
        if under_way and (await asyncio.wait(under_way, timeout=_PATIENCE))[1]:
            return [Reason(kind="busy", stops=True)]
        if self._kernel.debugger.attached:
            return [Reason(kind="debugger", stops=True)]
        faithful.tidy(self._kernel.shell, self._loop)
        return faithful.reasons(self._forks.descriptors | loops.own_descriptors(self._loop))

    def fork(self) -> bool:
        """Carry out what was prepared; False: nothing was, so the loop was left for good.

        A copy comes back from here when it is woken.
        """
        number, self._order = self._order, None
        if number is None:
            return False
        try:
            woken = self._forks.fork(
                number,
                lambda: loops.release(self._loop),
                lambda: self._say(number, True, self._reasons),
            )
        except OSError:
            self._refuse(number, [Reason(kind="limit", stops=True)])
            return True
        if woken:
            self._kernel.link.reopen()
            loops.renew(self._loop)
            self._kernel.interrupts.settle()
        self._kernel.intake.go_on()
        return True

    def _refuse(self, number: int, reasons: list[Reason]) -> None:
        self._forks.forget(number)
        self._say(number, False, reasons)
        self._kernel.intake.go_on()

    def _say(self, number: int, ok: bool, reasons: list[Reason]) -> None:
        told = [reason.to_json() for reason in reasons]
        head = {"t": "forked", "number": number, "ok": ok, "reasons": told}
        self._kernel.link.send({**head, "size": process.anonymous_memory()})
