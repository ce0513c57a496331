"""What a front end asks: read field by field, carried out, answered once, never a traceback."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.cells.agent_options import Options
from codeact_kernel.kernel.panel import fields as read
from codeact_kernel.kernel.panel.panel import Comm
from codeact_kernel.kernel.panel.requests import PanelRequests, Verb
from tests.fakes import FakeModel, Stall
from tests.kernel.boxes import obedient
from tests.kernel.conftest import Front, started
from tests.kernel.test_panel import example, opens, told

COMM = Comm(id="c", session="s", cells=False, overrides=Options())


async def answer(requests: PanelRequests, data: object) -> dict[str, Any]:
    """The one reply to `data`."""
    replies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    requests.take(COMM, data, replies.put_nowait)
    async with asyncio.timeout(5):
        return await replies.get()


async def echo(comm: Comm, **fields: Any) -> dict[str, Any]:
    """Gives back what it was asked with."""
    return fields


def asks(front: Front, comm: str, data: dict[str, Any]) -> None:
    """A front end sends this on its comm."""
    message = front.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
    front.client.shell_channel.send(message)


FIELDS = {
    "name": read.text(5),
    "paths": read.optional(read.texts(3, 2), ()),
    "count": read.optional(read.whole(1, 9), 1),
    "force": read.optional(read.flag, False),
    "given": read.optional(read.table, None),
}


async def test_fields_reach_the_verb_and_its_data_the_front_end() -> None:
    """Those that are given as they are, the others with their defaults."""
    requests = PanelRequests()
    requests.offer({"echo": Verb(carry_out=echo, fields=FIELDS)})
    reply = await answer(requests, {"kind": "request", "id": 4, "do": "echo", "name": "a"})
    data = {"name": "a", "paths": (), "count": 1, "force": False, "given": None}
    assert reply == {"kind": "reply", "id": 4, "problem": "", "data": data}
    assert reply.keys() == example("reply").keys()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "name has to be text"),
        ({"name": 3}, "name has to be text"),
        ({"name": "\ud800"}, "name has to be text"),
        ({"name": "abcdef"}, "at most 5"),
        ({"name": "a", "paths": "a"}, "list of at most 2"),
        ({"name": "a", "paths": ["a", "b", "c"]}, "list of at most 2"),
        ({"name": "a", "paths": [1]}, "paths has to be text"),
        ({"name": "a", "count": True}, "whole number from 1 to 9"),
        ({"name": "a", "count": 1.0}, "whole number"),
        ({"name": "a", "count": 10}, "whole number"),
        ({"name": "a", "force": 1}, "true or false"),
        ({"name": "a", "given": []}, "has to be an object"),
        ({"name": "a", "count": None}, "whole number"),
        ({"name": "a", "more": 1}, "more is not a field"),
        ({"do": "erase"}, "does not know the request 'erase'"),
        ({"do": []}, "does not know the request"),
    ],
)
async def test_what_is_wrong_is_a_sentence(given: dict[str, Any], sentence: str) -> None:
    """An unknown verb or field and a wrong type are answered, and nothing is carried out."""
    requests = PanelRequests()
    requests.offer({"echo": Verb(carry_out=echo, fields=FIELDS)})
    reply = await answer(requests, {"kind": "request", "id": 1, "do": "echo", **given})
    assert sentence in reply["problem"]
    assert reply["data"] == {}


@pytest.mark.parametrize(
    ("error", "sentence"),
    [(UsageError("Not so."), "Not so."), (ZeroDivisionError("x"), "mistake in this kernel")],
)
async def test_what_goes_wrong_is_a_sentence(error: Exception, sentence: str) -> None:
    """An error of ours is its sentence, and a mistake of ours is called one."""

    async def fails(comm: Comm) -> dict[str, Any]:
        raise error

    requests = PanelRequests()
    requests.offer({"fail": Verb(carry_out=fails)})
    reply = await answer(requests, {"kind": "request", "id": 1, "do": "fail"})
    assert sentence in reply["problem"]


async def test_an_answer_without_end_is_not_sent() -> None:
    """A reply has a bound, whoever forgot one."""

    async def flood(comm: Comm) -> dict[str, Any]:
        return {"text": "x" * 5_000_000}

    requests = PanelRequests()
    requests.offer({"flood": Verb(carry_out=flood)})
    reply = await answer(requests, {"kind": "request", "id": 1, "do": "flood"})
    assert "too large" in reply["problem"]


async def test_what_waits_for_ever_does_not_pile_up_and_ends_with_the_kernel() -> None:
    """So many requests are carried out at once; the next is told so."""

    async def stalls(comm: Comm) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    requests = PanelRequests()
    requests.offer({"stall": Verb(carry_out=stalls)})
    replies: list[dict[str, Any]] = []
    for number in range(65):
        requests.take(COMM, {"kind": "request", "id": number, "do": "stall"}, replies.append)
    assert [reply["id"] for reply in replies] == [64]
    await requests.close()
    assert len(replies) == 1


ASKED = {"kind": "request", "id": 1, "do": "echo", "name": "a"}


@pytest.mark.parametrize(
    "data",
    [
        None,
        [ASKED],
        {},
        {**ASKED, "kind": "hello"},
        {name: value for name, value in ASKED.items() if name != "id"},
        *({**ASKED, "id": number} for number in (True, 1.0, "1", None, -1, 2**53)),
    ],
)
async def test_what_is_no_request_is_dropped(data: object) -> None:
    """Nobody could tell what a reply to it answers: nothing is carried out, nothing is said."""
    carried_out: list[str] = []
    said: list[dict[str, Any]] = []

    async def carry_out(comm: Comm, name: str, **others: Any) -> dict[str, Any]:
        carried_out.append(name)
        return {}

    requests = PanelRequests()
    requests.offer({"echo": Verb(carry_out=carry_out, fields=FIELDS)})
    requests.take(COMM, data, said.append)
    await answer(requests, {**ASKED, "name": "next"})
    assert (carried_out, said) == (["next"], [])


def test_two_verbs_of_one_name_are_a_mistake() -> None:
    """Found when the kernel is put together, not when it is asked."""
    requests = PanelRequests()
    requests.offer({"echo": Verb(carry_out=echo)})
    with pytest.raises(ValueError, match="echo"):
        requests.offer({"echo": Verb(carry_out=echo)})


async def test_the_examples_are_answered(front: Front) -> None:
    """Every example of a request is one the kernel knows."""
    front.box.script = obedient
    opens(front, "c")
    await told(front, "c")
    folder = Path(__file__).parents[1] / "contract"
    for path in sorted(folder.glob("request_*.json")):
        asks(front, "c", json.loads(path.read_text()))
        while (reply := await told(front, "c"))["kind"] != "reply":
            pass  # `trust` is followed by hello
        assert "does not know" not in reply["problem"], path.name
        assert "has to be" not in reply["problem"], path.name
        assert "is not a field" not in reply["problem"], path.name
        if path.name == "request_stop.json":
            assert reply == example("reply_problem")


async def test_stop_ends_a_run_while_the_model_writes(tmp_path: Path) -> None:
    """And the front end hears of it; one that comes later is told what happened."""
    model = FakeModel(Stall())
    async with started(tmp_path, model=model) as front:
        front.box.script = obedient
        opens(front, "c")
        await told(front, "c")
        run = front.client.execute("%%agent\ndo it")
        async with asyncio.timeout(10):
            await model.stalled.wait()
        asks(front, "c", example("request_stop"))
        heard: list[dict[str, Any]] = []
        while not heard or heard[-1].get("type") != "RunFinished":
            data = await told(front, "c")
            if data["kind"] == "event":
                assert data["age"] == 0
                heard.append(data["event"])
            else:
                assert data == example("reply")
        assert heard[-1]["outcome"] == "stopped"
        assert (await front.reply(run))["content"]["status"] == "ok"
        opens(front, "late")
        assert (await told(front, "late"))["kind"] == "hello"
        anew: list[dict[str, Any]] = []
        while not anew or anew[-1]["event"]["type"] != "RunFinished":
            anew.append(await told(front, "late"))
        assert [each["seq"] for each in anew] == list(range(1, len(anew) + 1))
        assert anew[0]["event"]["type"] == "RunStarted"
        assert anew[0]["age"] >= anew[-1]["age"] >= 0
