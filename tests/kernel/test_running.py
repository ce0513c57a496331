"""The clock of running code."""

from __future__ import annotations

import asyncio

from codeact_kernel.kernel.link import Link
from codeact_kernel.kernel.requests import Request
from codeact_kernel.kernel.running import Running


class Timed(Request):
    """A request that knows when its time is over."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(name, "execute_request", b"{}", seconds)
        self.over = asyncio.Event()

    def timed_out(self) -> None:
        self.over.set()


async def test_the_clock_stands_still_for_a_question_and_goes_on_with_what_was_left() -> None:
    """A question gives no new time: after the answer the rest runs on."""
    running, request = Running(Link(lambda first: None)), Timed("a", 0.3)
    running.began(request)
    running.pause(request)
    await asyncio.sleep(0.6)
    assert not request.over.is_set()
    running.resume()
    running.resume()
    async with asyncio.timeout(5):
        await request.over.wait()
    running.forget()


async def test_code_that_goes_on_beside_its_question_is_timed() -> None:
    """What comes from the code while it is said to wait starts the clock again."""
    running, request = Running(Link(lambda first: None)), Timed("a", 0.3)
    running.began(request)
    running.pause(request)
    await asyncio.sleep(1.2)
    running.active("another")
    assert not request.over.is_set()
    running.active("a")
    async with asyncio.timeout(5):
        await request.over.wait()
    running.forget()


async def test_a_question_of_another_request_stops_no_clock() -> None:
    """Only what runs can wait."""
    running, request = Running(Link(lambda first: None)), Timed("a", 0.2)
    running.began(request)
    running.pause(Timed("b", 9))
    async with asyncio.timeout(5):
        await request.over.wait()
    running.forget()
