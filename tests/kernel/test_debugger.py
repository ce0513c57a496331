"""The debugger outside, while what is inside lies, floods or says nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from codeact_kernel.kernel.channels.messages import BadMessage
from codeact_kernel.kernel.debugging import dap
from tests.kernel.boxes import FakeBox
from tests.kernel.conftest import SECONDS, Front

Frames = tuple[dict[str, Any], tuple[bytes, ...]]


def attaching(box: FakeBox, head: dict[str, Any], parts: tuple[bytes, ...]) -> None:
    """A script: the debugger attaches, pydevd agrees to what starts it and is silent else."""
    if head["t"] == "query":
        box.say({"t": "answer", "id": head["id"], "ok": True}, b'{"modules": ["/x.py", 1]}')
    if head["t"] == "dap":
        question = json.loads(parts[0])
        if question["command"] in ("initialize", "attach", "configurationDone", "disconnect"):
            respond(box, question)


def respond(box: FakeBox, question: dict[str, Any], **other: Any) -> None:
    """A response from inside, with whatever else it claims."""
    response = {"type": "response", "request_seq": question["seq"], "success": True}
    content = {**response, "command": question["command"], "body": {}, **other}
    box.say({"t": "dap"}, json.dumps(content).encode())


def send(front: Front, command: str, **arguments: Any) -> str:
    """Ask; the message's id."""
    content = {"type": "request", "seq": 7, "command": command, "arguments": arguments}
    message = front.client.session.msg("debug_request", content)
    front.client.control_channel.send(message)
    return str(message["header"]["msg_id"])


async def answer(front: Front, msg_id: str) -> dict[str, Any]:
    """The content of the reply."""
    async with asyncio.timeout(SECONDS):
        while True:
            message = await front.client.get_control_msg()
            if message["parent_header"]["msg_id"] == msg_id:
                content: dict[str, Any] = message["content"]
                return content


async def asked(front: Front, command: str) -> dict[str, Any]:
    """Wait until pydevd is asked this."""
    async with asyncio.timeout(SECONDS):
        while True:
            for head, parts in front.box.sent:
                if head["t"] == "dap" and json.loads(parts[0])["command"] == command:
                    question: dict[str, Any] = json.loads(parts[0])
                    return question
            await asyncio.sleep(0.005)


async def attached(front: Front) -> None:
    """The debugger is attached to a box that plays along."""
    front.box.script = attaching
    for command in ("initialize", "attach"):
        assert (await answer(front, send(front, command)))["success"]


async def test_only_the_answer_to_a_question_counts(front: Front) -> None:
    """Other numbers, other commands, a second answer: nothing of it reaches a client."""
    await attached(front)
    msg_id = send(front, "stackTrace", threadId=1)
    question = await asked(front, "stackTrace")
    respond(front.box, {**question, "seq": question["seq"] + 1}, body={"false": 1})
    respond(front.box, {**question, "command": "scopes"}, body={"false": 1})
    front.box.say({"t": "dap"}, b'{"type": "response", "request_seq": true}')
    front.box.say({"t": "dap"}, b"[" * 100_000)
    front.box.say({"t": "dap"})
    respond(front.box, question, body={"stackFrames": []}, seq=-1, more="x")
    respond(front.box, question, body={"false": 2})
    content = await answer(front, msg_id)
    assert content["body"] == {"stackFrames": []}
    assert content["request_seq"] == 7
    assert "more" not in content


async def test_silence_has_an_end(front: Front) -> None:
    """A question that nobody answers is answered with a sentence, and the next one is asked."""
    await attached(front)
    front.kernel.relay.debugger.questions.patience = 0.05
    content = await answer(front, send(front, "evaluate", expression="1"))
    assert content["success"] is False
    assert content["message"] == "The debugger did not answer within 0.05 s."
    assert (await answer(front, send(front, "debugInfo")))["body"]["isStarted"] is True


async def test_events_are_a_list(front: Front) -> None:
    """Events that exist are passed on under the kernel's own number, others are not."""
    await attached(front)
    for name in ("shutdown", "stopped"):
        event = {"type": "event", "event": name, "seq": -5, "body": {"threadId": 1}}
        front.box.say({"t": "dap"}, json.dumps(event).encode())
    async with asyncio.timeout(SECONDS):
        while (message := await front.client.get_iopub_msg())["msg_type"] != "debug_event":
            pass
    assert message["content"]["event"] == "stopped"
    assert message["content"]["seq"] > 0
    info = await answer(front, send(front, "debugInfo"))
    assert info["body"]["stoppedThreads"] == [1]


async def test_what_is_evaluated_is_only_read(front: Front) -> None:
    """A rich value is JSON or an error: nothing from inside is taken for Python."""
    await attached(front)
    event = {"type": "event", "event": "stopped", "body": {"threadId": 1}}
    front.box.say({"t": "dap"}, json.dumps(event).encode())
    for result, good in (
        ("__import__('os').abort()", False),
        ('{"data": {"text/plain": "1"}}', True),
    ):
        front.box.sent.clear()
        msg_id = send(front, "richInspectVariables", variableName="x", frameId=1)
        respond(front.box, await asked(front, "evaluate"), body={"result": result})
        assert (await answer(front, msg_id))["success"] is good


async def test_a_sandbox_that_ends_is_told_of(front: Front) -> None:
    """Who waits for an answer gets one when the sandbox ends, and the session is over."""
    await attached(front)
    msg_id = send(front, "stackTrace", threadId=1)
    await asked(front, "stackTrace")
    front.box.end("It used too much memory.")
    assert (await answer(front, msg_id))["message"] == "The debugger is gone."
    assert (await answer(front, send(front, "debugInfo")))["body"]["isStarted"] is False


async def test_nothing_ends_the_kernel(front: Front) -> None:
    """A client's disconnect or terminate detaches; pydevd is never asked to end its process."""
    for command in ("disconnect", "terminate"):
        await attached(front)
        front.box.sent.clear()
        content = await answer(front, send(front, command, terminateDebuggee=True))
        assert content["success"] is True
        assert (await asked(front, "disconnect"))["arguments"] == {"terminateDebuggee": False}


@pytest.mark.parametrize(
    "content",
    [{}, {"seq": 1}, {"seq": "1", "command": "x"}, {"seq": 1, "command": "x", "arguments": []}],
)
def test_a_request_has_a_shape(content: dict[str, Any]) -> None:
    """Number, command and arguments, or it is refused."""
    if content.get("arguments") == []:
        assert dap.read_request(content).arguments == {}
    else:
        with pytest.raises(BadMessage):
            dap.read_request(content)


def test_a_message_has_a_size() -> None:
    """What is larger than any pane shows is not read at all."""
    with pytest.raises(BadMessage):
        dap.read(b" " * (dap.MAX_MESSAGE + 1))
