"""Looks at a running sandbox from outside: often while something goes on, seldom when nothing does.

Rule: off the way of every request. The first look is an interval after something was sent; each
look at which nothing has changed doubles the interval.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from codeact_kernel.sandbox.ended import Ended
from codeact_kernel.sandbox.gauges import Gauge, Reading

OFTEN = 0.05
"""Seconds between two looks while something goes on."""


class Watch:
    """Calls `over` once, on the event loop, with the first limit that is reached.

    `seldom` is the longest interval, in seconds.
    """

    def __init__(
        self, gauges: Sequence[Gauge], over: Callable[[Ended], None], *, seldom: float
    ) -> None:
        self._gauges = gauges
        self._over = over
        self._seldom = seldom
        self._loop = asyncio.get_running_loop()
        self._interval = OFTEN
        self._levels: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._examining: asyncio.Future[Ended | None] | None = None
        self._stopped = not gauges
        self._arm(OFTEN)

    def stir(self) -> None:
        """Something was sent: look soon."""
        if self._interval > OFTEN and self._examining is None:
            self._arm(OFTEN)

    def verdict(self) -> Ended | None:
        """The limit that has been reached by now, if any."""
        found = (gauge.look() for gauge in self._gauges)
        return next((ended for ended in found if ended), None)

    def readings(self) -> tuple[Reading, ...]:
        """What was seen at the last look."""
        return tuple(gauge.reading() for gauge in self._gauges)

    def stop(self) -> None:
        """Look no more. Idempotent."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._examining is not None:
            self._examining.cancel()

    def _arm(self, interval: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._stopped:
            self._interval = interval
            self._timer = self._loop.call_later(interval, self._look)

    def _look(self) -> None:
        if ended := self.verdict():
            self._end(ended)
            return
        doubtful = [gauge for gauge in self._gauges if gauge.doubtful]
        if doubtful:
            self._examine(doubtful)
            return
        before, self._levels = self._levels, [gauge.level for gauge in self._gauges]
        self._arm(OFTEN if self._levels != before else min(2 * self._interval, self._seldom))

    def _examine(self, doubtful: Sequence[Gauge]) -> None:
        began = time.monotonic()
        self._examining = self._loop.run_in_executor(None, _examine_all, doubtful)

        def examined(future: asyncio.Future[Ended | None]) -> None:
            self._examining = None
            if future.cancelled() or self._stopped:
                return
            if ended := future.result():
                self._end(ended)
            else:
                # Looking must not become what the machine is busy with.
                self._arm(max(OFTEN, 4 * (time.monotonic() - began)))

        self._examining.add_done_callback(examined)

    def _end(self, ended: Ended) -> None:
        self.stop()
        self._over(ended)


def _examine_all(gauges: Sequence[Gauge]) -> Ended | None:
    return next((ended for gauge in gauges if (ended := gauge.examine())), None)
