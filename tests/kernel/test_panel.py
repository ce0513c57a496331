"""The panel protocol against its recorded examples, which the front end's tests read too."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from codeact_kernel.kernel.run.encoding import event_json, without_outputs
from codeact_kernel.trace import edits
from codeact_kernel.trace.events import (
    CodeProposed,
    Held,
    ObservationEdited,
    Observed,
    RunFinished,
    StepFinished,
)
from codeact_kernel.trace.values import Image, Observation, Outcome, Reply, Status, Step
from tests.kernel.boxes import FakeBox
from tests.kernel.conftest import Front

CONTRACT = Path(__file__).parents[1] / "contract"


def example(name: str) -> dict[str, Any]:
    """One example of docs/panel.md."""
    data: dict[str, Any] = json.loads((CONTRACT / f"{name}.json").read_text())
    return data


async def told(front: Front, comm: str) -> dict[str, Any]:
    """The next thing a comm is told."""
    while True:
        message = await front.client.get_iopub_msg(timeout=10)
        if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == comm:
            data: dict[str, Any] = message["content"]["data"]
            return data


def opens(front: Front, comm: str, target: str = "codeact", **data: Any) -> str:
    """A front end opens a comm; the message's id."""
    content = {"comm_id": comm, "target_name": target, "data": data}
    message = front.client.session.msg("comm_open", content)
    front.client.shell_channel.send(message)
    return str(message["header"]["msg_id"])


async def test_hello_is_as_the_example(front: Front) -> None:
    """Opening the comm is answered with hello, inside busy and idle."""
    opens(front, "c", **example("open"))
    heard: list[dict[str, Any]] = []
    while not heard or heard[-1]["content"].get("execution_state") != "idle":
        heard.append(await front.client.get_iopub_msg(timeout=10))
    _, said, _ = heard[-3:]
    assert [each["msg_type"] for each in heard[-3:]] == ["status", "comm_msg", "status"]
    hello = said["content"]["data"]
    assert hello.keys() == example("hello").keys()
    assert hello["kind"] == "hello"
    assert hello["protocol"] == example("hello")["protocol"]
    assert all(isinstance(note, str) for note in hello["notes"])


def test_an_event_is_as_the_example() -> None:
    """An event is its class name and its fields."""
    event = CodeProposed(
        run="r1", number=1, cell="c0ffee01", thought="Count the lines first.", code="len(lines)"
    )
    assert event_json(event) == example("event")["event"]
    held = Held(run="r1", number=3, observation=2)
    assert event_json(held) == example("event_held")["event"]
    edited = ObservationEdited(run="r1", number=2, text="[step 2/8: ok]\nstdout:\n43")
    assert event_json(edited) == example("event_observation_edited")["event"]


@pytest.mark.parametrize("path", sorted(CONTRACT.glob("edit_*.json")), ids=lambda path: path.stem)
def test_edits_are_as_the_examples(path: Path) -> None:
    """Every example of an edit is one of ours, and comes out as it went in."""
    data = json.loads(path.read_text())["edit"]
    assert json.loads(json.dumps(edits.to_json(edits.from_json(data)))) == data


def test_events_are_plain_json_all_the_way_down() -> None:
    """Steps, observations, outcomes and tuples become objects, lists and texts."""
    observation = Observation(
        status=Status.OK,
        text="1",
        outputs=({"output_type": "stream", "name": "stdout", "text": "1"},),
    )
    reply = Reply(text="x", model="m", prompt="p")
    step = Step(number=1, cell="c", replies=(reply,), code="1", observation=observation)
    data = event_json(StepFinished(run="r", step=step))
    assert json.loads(json.dumps(data)) == data
    assert data["step"]["observation"]["status"] == "ok"
    finished = event_json(RunFinished(run="r", outcome=Outcome.ANSWER, answer="1"))
    assert finished["outcome"] == "answer"


async def test_the_sandbox_has_no_part_in_our_comms(front: Front) -> None:
    """What code inside sends on a comm of ours, or opens under our target, reaches nobody."""
    opens(front, "ours", cells=False)
    await told(front, "ours")
    front.box.publish("comm_msg", "", {"comm_id": "ours", "data": {"kind": "hello", "forged": 1}})
    front.box.publish("comm_close", "", {"comm_id": "ours", "data": {}})
    front.box.publish("comm_open", "", {"comm_id": "x", "target_name": "codeact", "data": {}})
    front.box.publish("comm_msg", "", {"comm_id": "theirs", "data": {}})
    while True:
        message = await front.client.get_iopub_msg(timeout=10)
        if message["msg_type"].startswith("comm_"):
            assert message["content"]["comm_id"] == "theirs"
            break


async def test_other_comms_go_inside(front: Front) -> None:
    """A comm of another target, and messages on it, are the sandbox's."""
    opens(front, "widget", target="jupyter.widget")
    await front.reply(front.client.kernel_info())
    assert front.box.sent[-1][0]["type"] == "comm_open"


async def test_a_tab_that_opens_while_code_runs_sees_a_busy_kernel(front: Front) -> None:
    """Busy and idle around its comm message are not the last word."""
    running = front.client.execute("run")
    await front.reply(front.client.kernel_info())  # the box has the cell, too
    front.box.publish("status", running, {"execution_state": "busy"})
    opened = opens(front, "c")
    states: list[tuple[str, str]] = []
    async with asyncio.timeout(10):
        while states[-2:] != [(opened, "idle"), (running, "busy")]:
            message = await front.client.get_iopub_msg(timeout=10)
            if message["msg_type"] == "status":
                parent = message["parent_header"].get("msg_id", "")
                states.append((parent, message["content"]["execution_state"]))


async def test_a_comm_that_is_one_too_many_closes_the_oldest_and_says_so(front: Front) -> None:
    """No front end waits for ever for events it does not get any more."""
    for number in range(65):
        opens(front, f"c{number}")
    async with asyncio.timeout(10):
        while True:
            message = await front.client.get_iopub_msg(timeout=10)
            if message["msg_type"] == "comm_close":
                assert message["content"]["comm_id"] == "c0"
                break


def test_events_of_the_comm_have_no_outputs() -> None:
    """They may be 64 MB, are sent as messages anyway, and would be sent to each tab twice."""
    observation = Observation(
        status=Status.OK,
        text="1",
        outputs=({"output_type": "stream", "name": "stdout", "text": "1"},),
        images=(Image(mime="image/png", data="QQ=="),),
    )
    step = Step(number=1, cell="c", replies=(), code="1", observation=observation)
    for event in (
        Observed(run="r", number=1, observation=observation),
        StepFinished(run="r", step=step),
    ):
        data = event_json(without_outputs(event))
        seen = data["step"]["observation"] if "step" in data else data["observation"]
        assert seen["outputs"] == seen["images"] == []
        assert seen["text"] == "1"


async def test_a_question_about_comms_is_not_a_comm_message(front: Front) -> None:
    """With a panel open `comm_info_request` still goes inside, where the widgets are."""
    opens(front, "c", **example("open"))
    await told(front, "c")
    went = asyncio.Event()

    def script(box: FakeBox, head: dict[str, Any], parts: tuple[bytes, ...]) -> None:
        if head.get("type") == "comm_info_request":
            went.set()

    front.box.script = script
    front.client.comm_info()
    await asyncio.wait_for(went.wait(), 10)
