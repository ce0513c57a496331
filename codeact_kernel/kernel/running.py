"""What runs inside now, how long it may, and how it is stopped.

Rule: code is asked to stop (SIGINT) and given `GRACE` seconds; then the sandbox is ended under it,
because nothing inside can be relied on to stop. What was lost is said. The clock stands still only
while code waits for a person: not while it goes on beside its question, nor for ever.
"""

from __future__ import annotations

import asyncio

from codeact_kernel.kernel.link import Link
from codeact_kernel.kernel.requests import Request
from codeact_kernel.sandbox.ended import Cause, Ended

GRACE = 2.0
LONGEST_PAUSE = 1800.0
"""Seconds for which one request's clock may stand still in all."""
_AFTER_ASKING = 1.0
"""What was written just before the question may arrive just after it."""
LOST = "All variables are lost; a fresh sandbox is starting."


class Running:
    """The one owner of `current`: the shell request whose code runs, None between cells."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.current: Request | None = None
        self._limit_hit = False
        self._limit: asyncio.TimerHandle | None = None
        self._left = 0.0
        self._asked: float | None = None
        self._pause_left = 0.0
        self._pause_end: asyncio.TimerHandle | None = None
        self._grace: asyncio.TimerHandle | None = None

    def began(self, request: Request) -> None:
        """Its code runs from now on."""
        if request.type == "execute_request":
            self.current = request
            self._limit_hit = False
            self._disarm()
            self._pause_left = LONGEST_PAUSE
            if request.seconds is not None:
                self._arm(request, request.seconds)

    def ended(self, request: Request) -> None:
        """It is over."""
        if request is self.current:
            self.forget()

    def forget(self) -> None:
        """Nothing runs."""
        self.current = None
        self._disarm()

    def pause(self, request: Request) -> None:
        """Its code asks a person: the clock stands still."""
        if request is not self.current or self._limit is None:
            return
        loop = asyncio.get_running_loop()
        self._asked = loop.time()
        self._left = max(0.0, self._limit.when() - self._asked)
        self._limit.cancel()
        self._limit = None
        self._pause_end = loop.call_later(self._pause_left, self.resume)

    def resume(self) -> None:
        """The person has answered: what was left of the time runs on."""
        if self._asked is not None and self.current is not None:
            self._pause_left -= asyncio.get_running_loop().time() - self._asked
            self._end_pause()
            self._arm(self.current, self._left)

    def active(self, msg_id: object) -> None:
        """Something but a question came from this request's code; when it waited, it does not."""
        if self._asked is None or self.current is None or msg_id != self.current.id:
            return
        if asyncio.get_running_loop().time() - self._asked > _AFTER_ASKING:
            self.resume()

    def interrupt(self) -> None:
        """Stop what runs: SIGINT, and after the grace period the end of the sandbox."""
        self._link.interrupt()
        if self.current is not None and self._grace is None:
            self._grace = asyncio.get_running_loop().call_later(GRACE, self._insist, self.current)

    def _arm(self, request: Request, seconds: float) -> None:
        self._limit = asyncio.get_running_loop().call_later(seconds, self._over, request)

    def _over(self, request: Request) -> None:
        self._limit = None
        if request is self.current:
            self._limit_hit = True
            request.timed_out()
            self.interrupt()

    def _insist(self, request: Request) -> None:
        self._grace = None
        if request is self.current:
            self._link.kill(_stubborn(request.seconds if self._limit_hit else None))

    def _end_pause(self) -> None:
        self._asked = None
        if self._pause_end is not None:
            self._pause_end.cancel()
            self._pause_end = None

    def _disarm(self) -> None:
        self._end_pause()
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None


def _stubborn(seconds: float | None) -> Ended:
    """The code did not stop; `seconds` is the time limit it was over, None when a person stopped it."""
    what = f"The code did not stop within {GRACE:g} s of being interrupted, so its Python process was ended."
    if seconds is None:
        return Ended(cause=Cause.STOPPED, what=what)
    return Ended(
        cause=Cause.TIME,
        what=f"The time limit of {seconds:g} s was over. {what}",
        remedy="The settings step_seconds (an agent's step) and cell_seconds (a cell) raise the limit.",
    )
