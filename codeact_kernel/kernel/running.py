"""What runs inside now, how long it may, and how it is stopped.

Rule: code is asked to stop (SIGINT) and given `GRACE` seconds; then the sandbox is ended under it,
because nothing inside can be relied on to stop. What was lost is said.
"""

from __future__ import annotations

import asyncio

from codeact_kernel.kernel.link import Link
from codeact_kernel.kernel.requests import Request
from codeact_kernel.sandbox.ended import Cause, Ended

GRACE = 2.0
LOST = "All variables are lost; a fresh sandbox is starting."


class Running:
    """The one owner of `current`: the shell request whose code runs, None between cells."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.current: Request | None = None
        self._limit_hit = False
        self._limit: asyncio.TimerHandle | None = None
        self._grace: asyncio.TimerHandle | None = None

    def began(self, request: Request) -> None:
        """Its code runs from now on."""
        if request.type == "execute_request":
            self.current = request
            self._limit_hit = False
            self._arm(request)

    def ended(self, request: Request) -> None:
        """It is over."""
        if request is self.current:
            self.forget()

    def forget(self) -> None:
        """Nothing runs."""
        self.current = None
        self._disarm()

    def pause(self) -> None:
        """A person is being asked: the clock stands still."""
        self._cancel_limit()

    def resume(self) -> None:
        """The person has answered."""
        if self.current is not None:
            self._arm(self.current)

    def interrupt(self) -> None:
        """Stop what runs: SIGINT, and after the grace period the end of the sandbox."""
        self._link.interrupt()
        if self.current is not None and self._grace is None:
            self._grace = asyncio.get_running_loop().call_later(GRACE, self._insist, self.current)

    def _arm(self, request: Request) -> None:
        self._cancel_limit()
        if request.seconds is not None:
            loop = asyncio.get_running_loop()
            self._limit = loop.call_later(request.seconds, self._over, request)

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

    def _cancel_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _disarm(self) -> None:
        self._cancel_limit()
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
