"""The clock of running code, which no word of the sandbox moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from codeact_kernel.kernel.relay.link import Link
from codeact_kernel.kernel.relay.requests import Request, Requests
from codeact_kernel.kernel.relay.running import Running
from codeact_kernel.sandbox.ended import Cause, Ended
from tests.kernel.boxes import FakeBox

pytestmark = pytest.mark.virtual_time

GRACE = 0.3


class Timed(Request):
    """A request that knows when its time is over."""

    def __init__(
        self, name: str, seconds: float | None = None, kind: str = "execute_request"
    ) -> None:
        super().__init__(name, kind, b"{}", seconds)
        self.over = asyncio.Event()

    def timed_out(self) -> None:
        self.over.set()


@dataclass
class Inside:
    """What runs in a sandbox that is ready and never says a word."""

    link: Link
    box: FakeBox
    requests: Requests
    running: Running
    ended: asyncio.Future[Ended] = field(default_factory=asyncio.Future)

    def send(self, *requests: Request) -> None:
        for request in requests:
            self.requests.add(request)
            self.running.look()

    def finish(self, request: Request) -> None:
        self.requests.finish(request)
        self.running.look()

    @property
    def interrupts(self) -> int:
        """How often it was asked to stop."""
        return sum(head["t"] == "interrupt" for head, _ in self.box.sent)


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    """A started link with a box that does nothing."""
    box = FakeBox()

    async def launch(first: bool) -> FakeBox:
        return box if first else FakeBox()

    link, requests = Link(launch), Requests()
    found = Inside(link, box, requests, Running(link, requests, GRACE))
    link.on_end = found.ended.set_result
    link.start()
    await link.until_ready()
    yield found
    await link.close()


async def waits(event: asyncio.Event, seconds: float = 5) -> None:
    """Until it is set, or the test has failed."""
    async with asyncio.timeout(seconds):
        await event.wait()


async def test_the_clock_starts_with_the_sending(inside: Inside) -> None:
    """A sandbox that never says busy is interrupted at the limit all the same, then ended."""
    request = Timed("a", 0.1)
    inside.send(request)
    await waits(request.over)
    assert inside.interrupts == 1
    ended = await asyncio.wait_for(inside.ended, GRACE + 5)
    assert ended.cause is Cause.TIME
    assert inside.box.killed


async def test_each_has_its_own_time_and_its_turn(inside: Inside) -> None:
    """The clock of a queued cell starts when those before it are over, in the order of sending."""
    first, second = Timed("a", 0.4), Timed("b", 0.4)
    inside.send(first, second)
    await asyncio.sleep(0.3)
    assert inside.running.current is first
    inside.finish(first)
    assert inside.running.current is second
    await asyncio.sleep(0.2)
    assert not second.over.is_set()
    await waits(second.over)
    assert not first.over.is_set()


async def test_one_that_is_over_out_of_turn_moves_no_clock(inside: Inside) -> None:
    """Others may come and go: the time of the first runs on."""
    first = Timed("a", 0.3)
    inside.send(first)
    began = asyncio.get_running_loop().time()
    for number in range(8):
        other = Timed(str(number), 9)
        inside.send(other)
        await asyncio.sleep(0.03)
        inside.finish(other)
    await waits(first.over)
    assert asyncio.get_running_loop().time() - began >= 0.29


async def test_a_stop_is_insisted_on(inside: Inside) -> None:
    """Stop asks, then ends the sandbox; a second Stop gives no more grace."""
    inside.send(Timed("a"))
    began = asyncio.get_running_loop().time()
    inside.running.interrupt()
    await asyncio.sleep(GRACE / 2)
    inside.running.interrupt()
    ended = await asyncio.wait_for(inside.ended, GRACE + 5)
    assert ended.cause is Cause.STOPPED
    assert asyncio.get_running_loop().time() - began < GRACE * 1.45


async def test_a_stop_is_not_insisted_on_with_the_next_cell(inside: Inside) -> None:
    """Code that stopped when it was asked to leaves the next cell its sandbox."""
    first, second = Timed("a"), Timed("b")
    inside.send(first, second)
    inside.running.interrupt()
    inside.finish(first)
    await asyncio.sleep(GRACE * 1.5)
    assert not inside.box.killed


async def test_a_widget_that_does_not_stop_is_ended(inside: Inside) -> None:
    """Stop has a grace for the handlers of a comm message, too; a completion costs no variables."""
    inside.send(Timed("c", kind="complete_request"))
    inside.running.interrupt()
    await asyncio.sleep(GRACE * 1.5)
    assert not inside.box.killed
    inside.send(Timed("w", kind="comm_msg"))
    inside.running.interrupt()
    assert (await asyncio.wait_for(inside.ended, GRACE + 5)).cause is Cause.STOPPED


async def test_what_waits_for_a_sandbox_has_no_clock_yet(inside: Inside) -> None:
    """Starting is not the code's time."""
    inside.box.end("It fell over")
    request = Timed("a", 0.05)
    inside.send(request)
    assert inside.running.current is None
    await inside.link.until_ready()
    inside.running.look()
    await waits(request.over)


async def test_the_clock_stands_still_for_a_question_and_goes_on_with_what_was_left(
    inside: Inside,
) -> None:
    """A question gives no new time: after the answer the rest runs on."""
    running, request = inside.running, Timed("a", 0.3)
    inside.send(request)
    running.pause(request)
    await asyncio.sleep(0.6)
    assert not request.over.is_set()
    running.resume()
    running.resume()
    await waits(request.over)


async def test_code_that_goes_on_beside_its_question_is_timed(inside: Inside) -> None:
    """What comes from the code while it is said to wait starts the clock again."""
    running, request = inside.running, Timed("a", 0.3)
    inside.send(request)
    running.pause(request)
    await asyncio.sleep(1.2)
    running.active("another")
    assert not request.over.is_set()
    running.active("a")
    await waits(request.over)


async def test_a_question_of_another_request_stops_no_clock(inside: Inside) -> None:
    """Only what runs can wait."""
    request, other = Timed("a", 0.2), Timed("b", 9)
    inside.send(request, other)
    inside.running.pause(other)
    await waits(request.over)


async def test_code_that_is_being_stopped_is_heard(inside: Inside) -> None:
    """While nobody can be told nothing is read from inside, but for what has to be known of a stop."""
    first, second = Timed("a"), Timed("b")
    inside.send(first, second)
    inside.link.choke(True)
    assert inside.box.held
    inside.running.interrupt()
    assert not inside.box.held
    inside.link.choke(True)
    assert not inside.box.held
    inside.finish(first)
    assert inside.box.held
    inside.link.choke(False)
    assert not inside.box.held


async def test_output_that_is_older_than_the_stop_gives_time(inside: Inside) -> None:
    """While it still comes the grace is given again, but not for ever."""
    inside.send(Timed("a"))
    inside.running.interrupt()
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(GRACE * 20):
        while not inside.ended.done():
            inside.running.active("a")
            await asyncio.sleep(GRACE / 10)
    assert asyncio.get_running_loop().time() - began > GRACE * 2.5


async def test_what_is_not_heard_yet_may_be_the_end(inside: Inside) -> None:
    """While we are behind with what came from inside nothing is ended, but not for ever."""
    inside.send(Timed("a"))
    inside.link.hold(True)
    inside.running.interrupt()
    await asyncio.sleep(GRACE * 2.5)
    assert not inside.box.killed
    inside.link.hold(False)
    await asyncio.wait_for(inside.ended, GRACE + 5)
