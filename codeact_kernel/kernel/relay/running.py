"""What runs inside now, how long it may, and how it is stopped.

Rule: code is asked to stop (SIGINT) and given `GRACE` seconds; then the sandbox is ended under it,
because nothing inside can be relied on to stop. What was lost is said. The clock stands still only
while code waits for a person: not while it goes on beside its question, nor for ever.

What runs is known without being told: the kernel inside takes cells in the order they were sent, so
it is the first that is not over. "Busy" is a word of the sandbox's; it moves no clock.
"""

from __future__ import annotations

import asyncio

from codeact_kernel.kernel.relay.link import Link, State
from codeact_kernel.kernel.relay.requests import Request, Requests
from codeact_kernel.sandbox.ended import Cause, Ended

GRACE = 2.0
LONGEST_PAUSE = 1800.0
"""Seconds for which one request's clock may stand still in all."""
_PATIENCE = 10
"""So many times the grace is given again while we ourselves are behind with what came from inside."""
_CHATTER = 2
"""So many times it is given again while output still comes: it may be older than the stop."""
_AFTER_ASKING = 1.0
"""What was written just before the question may arrive just after it."""
LOST = "All variables are lost; a fresh sandbox is starting."


class Running:
    """The one owner of `current`, the cell or step whose code runs, None between cells; of its clock."""

    def __init__(self, link: Link, requests: Requests, grace: float = GRACE) -> None:
        self._link = link
        self._grace_seconds = grace
        self._requests = requests
        self.current: Request | None = None
        self._limit_hit = False
        self._limit: asyncio.TimerHandle | None = None
        self._left = 0.0
        self._asked: float | None = None
        self._pause_left = 0.0
        self._pause_end: asyncio.TimerHandle | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._stopping: Request | None = None
        self._patience = 0
        self._chatter = 0
        self._heard = False

    def look(self) -> None:
        """Something was sent, is over, or can run now: whose turn is it? Its clock starts once."""
        if self._stopping is not None and not self._is_pending(self._stopping):
            self._end_grace()
        first = self._requests.first_cell if self._link.state is State.READY else None
        if first is self.current:
            return
        self.current = first
        self._limit_hit = False
        self._disarm()
        self._pause_left = LONGEST_PAUSE
        if first is not None and first.seconds is not None:
            self._arm(first, first.seconds)

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
        if self._stopping is not None and msg_id == self._stopping.id:
            self._heard = True
        if self._asked is None or self.current is None or msg_id != self.current.id:
            return
        if asyncio.get_running_loop().time() - self._asked > _AFTER_ASKING:
            self.resume()

    def interrupt(self) -> None:
        """Stop what runs: SIGINT, and after the grace period the end of the sandbox."""
        if self._link.state is not State.READY:
            return
        self._link.interrupt()
        target = self.current or self._requests.first_comm
        if target is not None and target is not self._stopping:
            self._end_grace()
            self._stopping = target
            self._patience, self._chatter = _PATIENCE, _CHATTER
            self._link.hurry(True)
            self._give_grace(target)

    def _arm(self, request: Request, seconds: float) -> None:
        self._limit = asyncio.get_running_loop().call_later(seconds, self._over, request)

    def _over(self, request: Request) -> None:
        self._limit = None
        if request is self.current:
            self._limit_hit = True
            request.timed_out()
            self.interrupt()

    def _insist(self, request: Request) -> None:
        # That it is over may not have been heard yet.
        if self._link.held and self._patience > 0:
            self._patience -= 1
            self._give_grace(request)
            return
        if self._heard and self._chatter > 0:
            self._chatter -= 1
            self._give_grace(request)
            return
        self._end_grace()
        if self._is_pending(request):
            timed_out = self._limit_hit and request is self.current
            self._link.kill(_stubborn(self._grace_seconds, request.seconds if timed_out else None))

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

    def _give_grace(self, request: Request) -> None:
        self._heard = False
        self._grace = asyncio.get_running_loop().call_later(
            self._grace_seconds, self._insist, request
        )

    def _is_pending(self, request: Request) -> bool:
        return self._requests.pending.get(request.id) is request

    def _end_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
        self._grace = self._stopping = None
        self._link.hurry(False)


def _stubborn(grace: float, seconds: float | None) -> Ended:
    """The code did not stop; `seconds` is the time limit it was over, None when a person stopped it."""
    what = f"The code did not stop within {grace:g} s of being interrupted, so its Python process was ended."
    if seconds is None:
        return Ended(cause=Cause.STOPPED, what=what)
    return Ended(
        cause=Cause.TIME,
        what=f"The time limit of {seconds:g} s was over. {what}",
        remedy="The settings step_seconds (an agent's step) and cell_seconds (a cell) raise the limit.",
    )
