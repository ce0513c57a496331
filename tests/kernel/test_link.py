"""The life of sandboxes, as their owner sees it."""

from __future__ import annotations

import asyncio

import pytest

from codeact_kernel.errors import SandboxError, SandboxRefused
from codeact_kernel.kernel.relay.link import Link, State
from codeact_kernel.wire import MAX_HEAD, BadFrame
from tests.kernel.boxes import FakeBox

pytestmark = pytest.mark.virtual_time


async def test_a_start_that_fails_in_any_way_is_a_refusal() -> None:
    """No exception leaves the kernel waiting for a sandbox that nobody starts."""

    async def launch(first: bool) -> FakeBox:
        raise ZeroDivisionError("by chance")

    link = Link(launch)
    refused: list[str] = []
    link.on_refused = refused.append
    link.start()
    async with asyncio.timeout(5):
        with pytest.raises(SandboxRefused, match="mistake in this kernel"):
            await link.until_ready()
    assert len(refused) == 1


async def test_what_waits_for_one_sandbox_never_reaches_the_next() -> None:
    """A sandbox that dies while it is given what waited takes it along; the rest is not sent on."""
    boxes: list[FakeBox] = []
    launched = asyncio.Event()

    class Dying(FakeBox):
        def send(self, head: dict[str, object], parts: object = ()) -> None:
            self.end("It is gone")

    async def launch(first: bool) -> FakeBox:
        boxes.append(Dying(False) if first else FakeBox())
        asyncio.get_running_loop().call_soon(launched.set)
        return boxes[-1]

    link = Link(launch)
    link.start()
    link.send({"t": "request", "id": "1"})
    link.send({"t": "request", "id": "2"})
    with pytest.raises(BadFrame):
        link.send({"t": "request", "id": "x" * MAX_HEAD})
    async with asyncio.timeout(5):
        await launched.wait()
        boxes[0].ready()
        await link.until_ready()
    assert len(boxes) == 2
    assert boxes[1].sent == []
    await link.close()


async def test_sandboxes_that_die_young_start_more_and_more_slowly() -> None:
    """A sandbox that ends right after it was ready is not started again in a loop."""
    starts: list[float] = []
    enough = asyncio.Event()

    async def launch(first: bool) -> FakeBox:
        starts.append(asyncio.get_running_loop().time())
        if len(starts) == 4:
            enough.set()
        box = FakeBox()
        asyncio.get_running_loop().call_soon(box.end, "It fell over")
        return box

    link = Link(launch)
    link.start()
    async with asyncio.timeout(20):
        await enough.wait()
    await link.close()
    assert starts[2] - starts[1] >= 0.4
    assert starts[3] - starts[2] >= 0.9


async def test_a_sandbox_that_never_gets_ready_is_refused() -> None:
    """Who waits is told in a sentence, and nothing of it is left running."""
    box = FakeBox(ready=False)

    async def launch(first: bool) -> FakeBox:
        return box

    link = Link(launch, ready_seconds=0.1)
    refused: list[str] = []
    link.on_refused = refused.append
    link.start()
    link.send({"t": "request", "id": "1"})
    async with asyncio.timeout(5):
        with pytest.raises(SandboxRefused, match=r"not ready within 0\.1 s"):
            await link.until_ready()
    assert len(refused) == 1
    assert box.killed
    box.ready()
    assert link.state is State.REFUSED


async def test_one_that_got_ready_in_time_is_left_alone() -> None:
    """The time-out ends with the word."""
    boxes: list[FakeBox] = []

    async def launch(first: bool) -> FakeBox:
        boxes.append(FakeBox())
        return boxes[-1]

    link = Link(launch, ready_seconds=0.1)
    link.start()
    await link.until_ready()
    await asyncio.sleep(0.3)
    assert link.state is State.READY
    assert not boxes[0].killed
    await link.close()


@pytest.mark.parametrize(
    "raw",
    [b"[" * 500 + b"]" * 500, b'{"a": NaN}', b"\xff", b""],
    ids=["deep", "nan", "bytes", "nothing"],
)
@pytest.mark.parametrize("fine", [True, False])
async def test_an_answer_that_nobody_could_handle_is_none(raw: bytes, fine: bool) -> None:
    """Whoever asked is told at once, whether it was to be a value or the words of a refusal."""
    box = FakeBox()

    async def launch(first: bool) -> FakeBox:
        return box

    link = Link(launch)
    link.start()
    await link.until_ready()
    asked = asyncio.create_task(link.query("dap", {}))
    await asyncio.sleep(0)
    box.say({"t": "answer", "id": "q1", "ok": fine}, raw)
    with pytest.raises(SandboxError, match="not JSON"):
        await asyncio.wait_for(asked, 1)
    await link.close()
