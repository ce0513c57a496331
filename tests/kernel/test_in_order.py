"""What takes long is done beside the loop, and nothing overtakes it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from codeact_kernel.kernel.relay.in_order import InOrder
from tests.kernel.boxes import FakeBox
from tests.kernel.conftest import started

LONG = 300_000


async def test_the_loop_goes_on_and_what_comes_later_waits() -> None:
    """While a thread works nothing is read from inside; afterwards all is taken in order."""
    held: list[bool] = []
    seen: list[str] = []
    order, go = InOrder(held.append), threading.Event()
    order.do(lambda: seen.append("before"))
    order.work(go.wait, lambda made: seen.append(f"worked {made}"))
    order.do(lambda: seen.append("after"))
    order.work(lambda: 2, lambda made: seen.append(f"worked {made}"))
    order.do(lambda: seen.append("last"))
    await asyncio.sleep(0.05)  # the loop is free
    assert (seen, held) == (["before"], [True])
    go.set()
    await order.empty()
    assert seen == ["before", "worked True", "after", "worked 2", "last"]
    assert held[-1] is False
    order.do(lambda: seen.append("at once"))
    assert seen[-1] == "at once"


async def test_a_failure_is_lost_alone() -> None:
    """Work that raises, or what is done with it, holds nobody else up."""
    seen: list[str] = []
    order = InOrder(lambda on: None)
    order.work(lambda: 1 // 0, lambda made: seen.append("never"))
    order.work(lambda: 1, lambda made: seen.append(f"{made // 0}"))
    order.do(lambda: seen.append("goes on"))
    await order.empty()
    assert seen == ["goes on"]


async def test_a_large_display_keeps_its_place(tmp_path: Path) -> None:
    """What is printed after it, the reply and idle come after it; a request beside it is answered."""
    async with started(tmp_path) as front:
        front.box.script = _shows
        msg_id = front.client.execute("large")
        aside = front.client.kernel_info()
        await front.reply(aside)
        found: list[dict[str, Any]] = []
        while not found or found[-1]["content"].get("execution_state") != "idle":
            message = await front.client.get_iopub_msg(timeout=20)
            if message["parent_header"].get("msg_id") == msg_id:
                found.append(message)
    shown = [m for m in found if m["msg_type"] == "display_data"]
    assert "script" not in shown[0]["content"]["data"]["text/html"]
    (printed,) = [m for m in found if m["content"].get("text") == "after\n"]
    assert found.index(shown[-1]) < found.index(printed) < len(found) - 1


async def test_the_end_of_a_sandbox_is_heard_after_its_last_words(tmp_path: Path) -> None:
    """A display that is still cleaned when the sandbox dies is shown, and then the cell fails."""
    async with started(tmp_path) as front:
        first = front.box

        def dies(box: FakeBox, head: dict[str, Any], parts: tuple[bytes, ...]) -> None:
            if head["t"] == "request" and head["type"] == "execute_request" and box is first:
                _display(box, head["id"])
                box.end("It used too much memory.")

        front.box.script = dies
        msg_id = front.client.execute("large")
        found: list[dict[str, Any]] = []
        while not found or found[-1]["content"].get("execution_state") != "idle":
            message = await front.client.get_iopub_msg(timeout=20)
            if message["parent_header"].get("msg_id") == msg_id:
                found.append(message)
        kinds = [m["msg_type"] for m in found]
        assert kinds.index("display_data") < kinds.index("error")
        assert (await front.reply(msg_id))["content"]["ename"] == "SandboxDied"


def _display(box: FakeBox, parent: str) -> None:
    box.publish("status", parent, {"execution_state": "busy"})
    text = "<script>1</script>" + "<b>x</b>" * (LONG // 8)
    box.publish("display_data", parent, {"data": {"text/html": text}, "metadata": {}})


def _shows(box: FakeBox, head: dict[str, Any], parts: tuple[bytes, ...]) -> None:
    if head["t"] != "request" or head["type"] != "execute_request":
        return
    _display(box, head["id"])
    assert box.held
    box.say({"t": "stream", "name": "stdout", "parent": head["id"]}, b"after\n")
    box.reply("execute_reply", head["id"], {"status": "ok", "execution_count": 1})
    box.publish("status", head["id"], {"execution_state": "idle"})
