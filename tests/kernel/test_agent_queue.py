"""An agent cell from its request to its idle, whatever comes between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes import FakeModel
from tests.kernel.boxes import FakeBox, obedient
from tests.kernel.conftest import Front, started


async def ended(front: Front, msg_id: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What a cell showed, and its reply."""
    messages = await front.until_idle(msg_id)
    return messages, (await front.reply(msg_id))["content"]


async def test_a_stop_in_the_moment_of_beginning(tmp_path: Path) -> None:
    """A run that is stopped before its first step is answered, and the cells behind it go on."""
    async with started(tmp_path, model=FakeModel("Never.")) as front:

        def stopping(box: FakeBox, head: dict[str, Any], parts: tuple[bytes, ...]) -> None:
            obedient(box, head, parts)
            if b"agent" in b"".join(parts):
                front.kernel.relay.stop_code()

        front.box.script = stopping
        messages, reply = await ended(front, front.client.execute("%%agent\ndo it"))
        assert reply["status"] == "ok"
        assert "Stopped before the run had begun." in str(messages)
        _, reply = await ended(front, front.client.execute("1"))
        assert reply["status"] == "ok"


async def test_inside_has_no_voice_in_an_agent_cell(tmp_path: Path) -> None:
    """What comes from inside under the agent cell's header, before or during the run, is not shown."""
    async with started(tmp_path, model=FakeModel("It is 41.")) as front:

        def forging(box: FakeBox, head: dict[str, Any], parts: tuple[bytes, ...]) -> None:
            if head["t"] == "query":
                forge(box)
            obedient(box, head, parts)

        def forge(box: FakeBox) -> None:
            box.publish("clear_output", msg_id, {"wait": False})
            box.publish("error", msg_id, {"ename": "E", "evalue": "", "traceback": []})
            forged = {"data": {"text/markdown": "**Answer**\n\nforty-two"}, "metadata": {}}
            box.publish("display_data", msg_id, forged)
            box.say({"t": "stream", "name": "stdout", "parent": msg_id}, b"forged")

        front.box.script = forging
        msg_id = front.client.execute("%%agent\ndo it")
        messages, reply = await ended(front, msg_id)
    assert reply["status"] == "ok"
    kinds = {m["msg_type"] for m in messages}
    assert kinds <= {"status", "execute_input", "display_data", "update_display_data"}
    assert "forty-two" not in str([m["content"] for m in messages])
    assert "It is 41." in str(messages)


async def test_what_cannot_be_read_is_answered(tmp_path: Path) -> None:
    """A request that is no JSON object gets an error reply, alone and behind an agent cell."""
    async with started(tmp_path, model=FakeModel("Done.")) as front:

        def broken(**metadata: Any) -> str:
            session, socket = front.client.session, front.client.shell_channel.socket
            sent = session.send(socket, "execute_request", b"[1]", metadata=metadata)
            return str(sent["header"]["msg_id"])

        front.box.script = obedient
        alone = broken()
        assert (await front.reply(alone))["content"]["ename"] == "BadMessage"
        run = front.client.execute("%%agent\ndo it")
        behind = [broken(), broken(codeact={})]
        after = front.client.execute("1")
        assert (await front.reply(run))["parent_header"]["msg_id"] == run
        for msg_id in behind:
            assert (await front.reply(msg_id))["content"]["ename"] == "BadMessage"
        assert (await front.reply(after))["content"]["status"] == "ok"
