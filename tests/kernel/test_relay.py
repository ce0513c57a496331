"""What goes in, what comes out, and what is dropped between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeModel
from tests.kernel.boxes import FakeBox, obedient
from tests.kernel.conftest import Front, started


async def test_kernel_info_needs_no_sandbox(front: Front) -> None:
    """kernel_info is answered by the kernel itself; nothing is sent inside."""
    msg_id = front.client.kernel_info()
    reply = await front.reply(msg_id)
    assert reply["content"]["status"] == "ok"
    assert reply["content"]["language_info"]["name"] == "python"
    assert front.box.sent == []


async def test_a_cell_goes_in_and_its_messages_come_out_under_its_header(front: Front) -> None:
    """Busy, input, text, reply and idle of a cell reach the client that sent it, in order."""
    front.box.script = obedient
    msg_id = front.client.execute("1+1")
    messages = await front.until_idle(msg_id)
    assert [m["msg_type"] for m in messages] == ["status", "execute_input", "stream", "status"]
    assert (await front.reply(msg_id))["content"]["status"] == "ok"


async def test_one_session_for_everything(front: Front) -> None:
    """All messages carry one session id: front ends drop what has another."""
    front.box.script = obedient
    first = await front.until_idle(front.client.execute("1"))
    reply = await front.reply(front.client.kernel_info())
    sessions = {m["header"]["session"] for m in [*first, reply]}
    assert len(sessions) == 1


async def test_a_message_under_a_foreign_key_is_dropped(front: Front) -> None:
    """Without the key of the connection file nothing is executed."""
    front.box.script = obedient
    front.client.session.key = b"another key"
    front.client.execute("1+1")
    front.client.session.key = b"a key"
    await front.until_idle(front.client.execute("2"))
    assert [json.loads(parts[2])["code"] for _, parts in front.box.sent] == ["2"]


async def test_hostile_frames_are_dropped(front: Front) -> None:
    """Replies to nobody, unlisted types, broken JSON, foreign comms and false idles change nothing."""
    msg_id = front.client.execute("x")
    while not front.box.sent:
        await front.reply(front.client.kernel_info())
    box = front.box
    box.reply("execute_reply", "unknown", {"status": "ok"})
    box.reply("complete_reply", msg_id, {"status": "ok"})
    box.reply("execute_reply", "", {"status": "ok"})
    box.publish("shutdown_reply", msg_id, {})
    box.publish("iopub_welcome", msg_id, {})
    box.publish("display_data", msg_id, b'{"data": {}, "n": NaN}')
    box.publish("display_data", msg_id, b"[" * 100_000)
    box.publish("display_data", msg_id, {"data": "no dict"})
    box.publish("comm_open", msg_id, {"comm_id": "c", "target_name": "codeact"})
    box.publish("status", msg_id, {"execution_state": "idle"})
    box.publish("status", "unknown", {"execution_state": "idle"})
    box.publish("execute_result", "unknown", {"data": {}})
    box.say({"t": "publish", "type": ["a list"], "parent": msg_id}, b"{}", b"{}")
    box.say({"t": "publish", "type": "display_data", "parent": {"a": 1}}, b"{}", b"{}")
    box.say({"t": "stream", "name": "stdlog", "parent": msg_id}, b"x")
    box.say({"t": "stream", "name": "stdout", "parent": msg_id})
    box.say({"t": "ask", "parent": "unknown", "password": False}, b"?")
    box.say({"t": "surprise"})
    box.reply("execute_reply", msg_id, {"status": "ok", "execution_count": 1})
    box.reply("execute_reply", msg_id, {"status": "error", "execution_count": 2})
    box.publish("status", msg_id, {"execution_state": "idle"})
    messages = await front.until_idle(msg_id)
    assert {m["msg_type"] for m in messages} == {"status"}
    assert (await front.reply(msg_id))["content"]["execution_count"] == 1


async def test_the_dead_are_answered_for(front: Front) -> None:
    """When the sandbox ends, the running cell gets an error, the queued one is aborted, a new one starts."""
    running, queued = front.client.execute("a"), front.client.execute("b")
    while len(front.box.sent) < 2:
        await front.reply(front.client.kernel_info())
    front.box.publish("status", running, {"execution_state": "busy"})
    front.box.end("It ran out of memory")
    assert [m["msg_type"] for m in await front.until_idle(running)][-2:] == ["error", "status"]
    error = (await front.reply(running))["content"]
    assert error["status"] == "error"
    assert "variables are lost" in error["evalue"]
    assert (await front.reply(queued))["content"]["status"] == "aborted"
    await front.reply(front.client.kernel_info())
    assert len(front.boxes) == 2
    front.box.script = obedient
    assert (await front.reply(front.client.execute("c")))["content"]["status"] == "ok"


async def test_a_flood_of_what_is_dropped_is_not_a_flood_in_the_log(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    """A few lines each, then their number, which is complete when the sandbox ends."""
    await front.reply(front.client.kernel_info())
    for _ in range(5000):
        front.box.say({"t": "surprise"})
        front.box.publish("status", "unknown", {"execution_state": "idle"})
        front.box.say({"t": "log"}, b"inside")
    front.box.end("It is gone")
    lines = [m for m in caplog.messages if "dropped" in m or "more such" in m]
    assert len(lines) < 30
    assert sum(int(m.split()[2].replace(",", "")) for m in lines if "more" in m) > 9900
    assert sum("inside" in m for m in caplog.messages) < 30


async def test_a_loss_between_cells_is_told_once_in_the_next_one(front: Front) -> None:
    """When the sandbox ends while nothing runs, the next cell says that the variables are gone."""
    await front.reply(front.client.kernel_info())
    front.box.end("It ran out of memory.")
    await front.kernel.link.until_ready()
    front.box.script = obedient
    shown = []
    for code, silent in (("quiet", True), ("a", False), ("b", False)):
        messages = await front.until_idle(front.client.execute(code, silent=silent))
        texts = [m["content"] for m in messages if m["msg_type"] == "stream"]
        shown.append("".join(c["text"] for c in texts if c["name"] == "stderr"))
    assert shown == [
        "",
        "It ran out of memory after the last cell; all variables were lost, and this cell runs in a "
        "fresh sandbox. Use less.\n",
        "",
    ]


async def test_a_loss_between_the_steps_of_a_run_is_told_in_the_next_step(tmp_path: Path) -> None:
    """The model reads it in its observation, and the user in the step."""
    model = FakeModel("So.\n\n<execute>\n1\n</execute>", "Done.")
    ends = iter([True])

    def ending(box: FakeBox, head: dict[str, Any], parts: tuple[bytes, ...]) -> None:
        if head["t"] == "query" and next(ends, False):
            box.end("It ran out of memory.")
        else:
            obedient(box, head, parts)

    async with started(tmp_path, model=model, script=ending) as front:
        shown = str(await front.until_idle(front.client.execute("%%agent\ndo it")))
    assert "all variables were lost" in shown
    assert "all variables were lost" in str(model.asked[1])


async def test_only_the_kernel_writes_the_codeact_metadata(front: Front) -> None:
    """A client cannot pass a cell off as an agent's step; its other metadata goes inside untouched."""
    front.client.session.send(
        front.client.shell_channel.socket,
        "execute_request",
        {"code": "1", "allow_stdin": False},
        metadata={"codeact": {"run": "r"}, "cellId": "c"},
    )
    while not front.box.sent:
        await front.reply(front.client.kernel_info())
    assert json.loads(front.box.sent[0][1][1]) == {"cellId": "c"}


async def test_input_goes_to_the_client_whose_cell_asks(front: Front) -> None:
    """`input()` asks the client that ran the cell, and its answer goes inside once."""
    msg_id = front.client.execute("input()")
    while not front.box.sent:
        await front.reply(front.client.kernel_info())
    front.box.publish("status", msg_id, {"execution_state": "busy"})
    front.box.say({"t": "ask", "parent": msg_id, "password": False}, b"name? ")
    question = await front.client.get_stdin_msg(timeout=10)
    assert question["content"] == {"prompt": "name? ", "password": False}
    front.client.input("Ada")
    front.client.input("again")
    await front.reply(front.client.kernel_info())
    inputs = [head for head, _ in front.box.sent if head["t"] == "input"]
    assert inputs == [{"t": "input", "value": "Ada"}]


async def test_nobody_is_asked_who_did_not_allow_it(front: Front) -> None:
    """An `ask` for a cell whose client takes no questions is dropped."""
    msg_id = front.client.execute("input()", allow_stdin=False)
    while not front.box.sent:
        await front.reply(front.client.kernel_info())
    front.box.say({"t": "ask", "parent": msg_id, "password": False}, b"name? ")
    await front.reply(front.client.kernel_info())
    assert not await front.client.stdin_channel.msg_ready()


async def test_an_interrupt_of_nothing_is_not_sent_inside(front: Front) -> None:
    """The stop button between cells cannot hit the cell that comes next."""
    front.box.script = obedient
    assert (await front.reply(front.client.execute("a")))["content"]["status"] == "ok"
    control = front.client.session.msg("interrupt_request", {})
    front.client.control_channel.send(control)
    assert (await front.reply(front.client.execute("b")))["content"]["status"] == "ok"
    assert "interrupt" not in [head["t"] for head, _ in front.box.sent]


async def test_without_a_sandbox_each_cell_gets_the_sentence(tmp_path: Path) -> None:
    """When the sandbox is refused the kernel stays up, and says in each cell what would help."""
    async with started(tmp_path, refusal="No sandbox here: see codeact doctor") as front:
        assert (await front.reply(front.client.kernel_info()))["content"]["status"] == "ok"
        for code in ("1 + 1", "%%agent\ndo it"):
            msg_id = front.client.execute(code)
            messages = await front.until_idle(msg_id)
            (error,) = [m["content"] for m in messages if m["msg_type"] == "error"]
            assert error["ename"] == "SandboxRefused"
            assert error["evalue"] == "No sandbox here: see codeact doctor"
            assert (await front.reply(msg_id))["content"]["status"] == "error"
        completion = await front.reply(front.client.complete("a"))
        assert completion["content"]["status"] == "error"


async def test_a_stop_before_the_sandbox_is_there(tmp_path: Path) -> None:
    """Cells that still wait for the sandbox to start are aborted by the stop button, not run later."""
    async with started(tmp_path, ready=False) as front:
        cells = [front.client.execute(code) for code in ("a", "%%agent\nb", "c")]
        await front.reply(front.client.kernel_info())
        control = front.client.session.msg("interrupt_request", {})
        front.client.control_channel.send(control)
        for cell in cells:
            assert (await front.reply(cell))["content"]["status"] == "aborted"
        front.box.ready()
        front.box.script = obedient
        assert (await front.reply(front.client.execute("d")))["content"]["status"] == "ok"
        assert [json.loads(parts[2])["code"] for _, parts in front.box.sent] == ["d"]
