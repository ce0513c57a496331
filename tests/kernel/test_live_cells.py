"""A run whose cells a front end executes: who runs a step, who only looks, and that nothing runs twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from codeact_kernel.kernel.run.approvals import HIDDEN
from tests.fakes import FakeModel
from tests.kernel.boxes import FakeBox, obedient
from tests.kernel.conftest import Front, started

CODE = "<python>\nprint('one')\n</python>"
DONE = "All done."


class Page:
    """A front end in the style of the extension, over a real client: what a test tells it to do."""

    def __init__(self, front: Front, comm: str = "page") -> None:
        self.front = front
        self.comm = comm
        self.edits: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.replies: dict[int, dict[str, Any]] = {}
        self.heard: list[dict[str, Any]] = []
        self._requests = 0

    def open(self, **data: Any) -> None:
        """Open the comm."""
        given = {"client": "jupyterlab", "cells": True, "runs": True, **data}
        self._send("comm_open", {"comm_id": self.comm, "target_name": "codeact", "data": given})

    def execute(self, cell: str, code: str, **ours: Any) -> str:
        """Execute a cell; the request's id."""
        metadata = {"cellId": cell, **({"codeact": ours} if ours else {})}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": True}
        return self._send("execute_request", content, metadata)

    def ask(self, do: str, **fields: Any) -> int:
        """Send a request on the comm; its number."""
        self._requests += 1
        data = {"kind": "request", "id": self._requests, "do": do, **fields}
        self._send("comm_msg", {"comm_id": self.comm, "data": data})
        return self._requests

    async def answer(self, do: str, **fields: Any) -> str:
        """Send a request on the comm; the problem of its reply, "" for none."""
        number = self.ask(do, **fields)
        await self.until(lambda: number in self.replies)
        return str(self.replies[number]["problem"])

    def _send(self, kind: str, content: dict[str, Any], metadata: Any = None) -> str:
        message = self.front.client.session.msg(kind, content, metadata=metadata)
        self.front.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    async def until(self, seen: Callable[[], bool]) -> None:
        """Take messages until `seen()` holds."""
        async with asyncio.timeout(10):
            while not seen():
                self._take(await self.front.client.get_iopub_msg())

    def _take(self, message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "comm_msg" and content["comm_id"] == self.comm:
            data = content["data"]
            if data["kind"] == "edit":
                self.edits.append(data["edit"])
            elif data["kind"] == "event":
                self.events.append(data["event"])
            elif data["kind"] == "reply":
                self.replies[data["id"]] = data
        else:
            self.heard.append(message)

    def of(self, op: str) -> list[dict[str, Any]]:
        """The edits with this op so far."""
        return [edit for edit in self.edits if edit["op"] == op]

    async def edit(self, op: str, **fields: Any) -> dict[str, Any]:
        """The first edit like this."""

        def found() -> list[dict[str, Any]]:
            return [edit for edit in self.of(op) if fields.items() <= edit.items()]

        await self.until(lambda: bool(found()))
        return found()[0]

    async def waiting(self) -> dict[str, Any]:
        """The metadata of the step that waits for approval."""

        def found() -> list[dict[str, Any]]:
            marks = [edit["metadata"] for edit in self.of("metadata")]
            return [mark for mark in marks if mark.get("status") == "waiting"]

        await self.until(lambda: bool(found()))
        return found()[-1]

    async def shown(self, msg_id: str) -> list[dict[str, Any]]:
        """Everything under a request, up to its idle."""

        def mine() -> list[dict[str, Any]]:
            return [m for m in self.heard if m["parent_header"].get("msg_id") == msg_id]

        await self.until(lambda: any(m["content"].get("execution_state") == "idle" for m in mine()))
        return mine()


def text(messages: list[dict[str, Any]]) -> str:
    """What was printed."""
    return "".join(m["content"]["text"] for m in messages if m["msg_type"] == "stream")


def ran(box: FakeBox) -> list[str]:
    """The code of every step that went inside."""
    found = [parts for head, parts in box.sent if head.get("type") == "execute_request"]
    return [json.loads(p[2])["code"] for p in found if b'"codeact"' in p[1]]


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A page on a kernel whose model writes one step and then answers."""
    async with started(tmp_path, model=FakeModel(CODE, DONE)) as front:
        front.box.script = obedient
        page = Page(front)
        page.open()
        yield page


async def test_a_step_runs_under_the_request_of_its_cell(page: Page) -> None:
    """The page executes the cell with the token; outputs, count and reply are that request's."""
    agent = page.execute("agent", "%%agent\ndo it")
    told = await page.edit("run")
    step = page.execute(told["cell"], "print('one')", auto=True, token=told["token"])
    shown = await page.shown(step)
    assert text(shown) == "print('one')\n"
    assert [m["content"]["execution_count"] for m in shown if m["msg_type"] == "execute_input"]
    assert (await page.front.reply(step))["content"]["status"] == "ok"
    await page.shown(agent)
    assert ran(page.front.box) == ["print('one')"]


async def test_edits_name_the_agent_cell(page: Page) -> None:
    """A page with another copy of the notebook knows below which cell the steps belong."""
    page.execute("agent", "%%agent\ndo it")
    told = await page.edit("insert", cell_type="code")
    assert told["after"] == "agent"
    assert (await page.edit("metadata", cell="agent"))["metadata"]["role"] == "agent"


async def test_nobody_executes_the_cell(page: Page) -> None:
    """The kernel runs the step itself after a while; the late request is shown it, and runs nothing."""
    page.execute("agent", "%%agent\ndo it")
    told = await page.edit("run")
    await page.edit("attach", cell=told["cell"])
    late = page.execute(told["cell"], "print('one')", auto=True, token=told["token"])
    assert text(await page.shown(late)) == "print('one')\n"
    assert (await page.front.reply(late))["content"]["status"] == "ok"
    assert ran(page.front.box) == ["print('one')"]


async def test_only_a_step_that_waits_for_the_user_can_be_refused(page: Page) -> None:
    """While a page is asked to execute a cell, a refusal of it is answered with no, and the step runs."""
    agent = page.execute("agent", "%%agent\ndo it")
    told = await page.edit("run")
    for cell in (told["cell"], ""):
        assert "does not wait" in await page.answer("reject", cell=cell, reason="No.")
    await page.answer("deleted", cells=[told["cell"]])
    assert "does not wait" in await page.answer("approve_rest", cell=told["cell"])
    page.execute(told["cell"], "print('one')", auto=True, token=told["token"])
    await page.shown(agent)
    assert ran(page.front.box) == ["print('one')"]


async def test_a_page_that_does_not_answer_is_not_asked_again(tmp_path: Path) -> None:
    """A browser that crashed says no goodbye; the steps wait for it once, not each."""
    async with started(tmp_path, model=FakeModel(CODE, CODE, DONE)) as front:
        front.box.script = obedient
        gone, here = Page(front, "gone"), Page(front, "here")
        here.open()
        front.client.session.session = "another"
        gone.open()
        gone.execute("agent", "%%agent\ndo it")
        first = await gone.edit("run")
        second = await here.edit("run")
        assert second["cell"] != first["cell"]


async def test_a_token_is_good_once(page: Page) -> None:
    """The same request again, and one with a token nobody gave, execute nothing."""
    agent = page.execute("agent", "%%agent\ndo it")
    told = await page.edit("run")
    requests = [
        page.execute(told["cell"], f"{n}", auto=True, token=token)
        for n, token in enumerate((told["token"], told["token"], "x", "é"))
    ]
    for request in requests:
        assert text(await page.shown(request)) in ("print('one')\n", "")
    await page.shown(agent)
    assert ran(page.front.box) == ["print('one')"]


async def test_what_runs_is_what_was_checked(page: Page) -> None:
    """Where nobody is asked, code that was changed in the cell meanwhile does not run as the agent's."""
    page.execute("agent", "%%agent\ndo it")
    told = await page.edit("run")
    step = page.execute(told["cell"], "print('two')", auto=True, token=told["token"])
    await page.shown(step)
    assert ran(page.front.box) == ["print('one')"]
    assert (await page.edit("source", cell=told["cell"]))["source"] == "print('one')"


async def test_a_page_that_comes_late_is_told_everything(page: Page) -> None:
    """A reload: cells as they are now, below each other, with outputs that can be had again."""
    agent = page.execute("agent", "%%agent\ndo it")
    told = await page.edit("run")
    await page.shown(page.execute(told["cell"], "print('one')", auto=True, token=told["token"]))
    await page.shown(agent)
    again = Page(page.front, "again")
    again.open()
    step = await again.edit("restore", cell=told["cell"])
    assert step["metadata"]["status"] == "ok"
    assert (step["attach"], step["under_way"]) == (True, False)
    await again.until(lambda: len(again.of("restore")) == 3)
    before = "agent"
    for cell in again.of("restore")[1:]:
        assert cell["after"] == before
        before = cell["cell"]
    shown = await again.shown(again.execute(told["cell"], "whatever", attach=True))
    assert text(shown) == "print('one')\n"
    shown = await again.shown(again.execute("agent", "whatever", attach=True))
    assert "Answered" in str(shown)
    assert ran(page.front.box) == ["print('one')"]


async def test_looking_at_what_is_unknown_runs_nothing(page: Page) -> None:
    """Attach to a cell nobody knows is aborted."""
    look = page.execute("nowhere", "print('one')", attach=True)
    assert (await page.front.reply(look))["content"]["status"] == "aborted"
    assert not page.front.box.sent


async def test_a_waiting_step_of_a_kernel_that_is_gone_is_the_users_own(page: Page) -> None:
    """A person who runs a cell that waited in an earlier session runs it as any other cell."""
    mark = {"role": "step", "run": "r", "step": 1, "token": "old"}
    own = page.execute("old", "1 + 1", **mark)
    assert text(await page.shown(own)) == "1 + 1\n"


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Page]:
    """As `page`, with two steps and a task that wants approval for each."""
    async with started(tmp_path, model=FakeModel(CODE, CODE, DONE)) as front:
        front.box.script = obedient
        page = Page(front)
        page.open()
        page.execute("agent", "%%agent --approve ask\ndo it")
        yield page


async def test_running_the_cell_approves_what_is_in_it(asked: Page) -> None:
    """What runs is what the request brought, to the byte; the record says that it was edited."""
    mark = await asked.waiting()
    cell = asked.of("insert")[-1]["cell"]
    step = asked.execute(cell, "print('mine')  ", **mark)
    assert text(await asked.shown(step)) == "print('mine')  \n"
    await asked.until(lambda: any(e["metadata"].get("edited") for e in asked.of("metadata")))
    assert ran(asked.front.box) == ["print('mine')  "]


async def test_code_that_may_hide_a_part_of_itself_is_said_so(tmp_path: Path) -> None:
    """An editor draws a change of direction as something else; the person who approves is warned."""
    model = FakeModel("<python>\nprint('a\u202eb')\n</python>", DONE)
    async with started(tmp_path, model=model) as front:
        front.box.script = obedient
        page = Page(front)
        page.open()
        page.execute("agent", "%%agent --approve ask\ndo it")
        assert (await page.waiting())["concerns"] == [HIDDEN]


async def test_running_it_twice_runs_it_once(asked: Page) -> None:
    """A second press of Shift-Enter, or one in another tab, is shown the outputs."""
    mark = await asked.waiting()
    cell = asked.of("insert")[-1]["cell"]
    first, second = (asked.execute(cell, "print('one')", **mark) for _ in range(2))
    assert text(await asked.shown(first)) == "print('one')\n"
    assert text(await asked.shown(second)) == "print('one')\n"
    assert ran(asked.front.box) == ["print('one')"]


async def test_a_copy_of_a_waiting_cell_approves_nothing(asked: Page) -> None:
    """Copied and run, it is a cell of the user's own, behind the run; the step still waits."""
    mark = await asked.waiting()
    asked.execute("copy", "print('copy')", **mark)
    cell = asked.of("insert")[-1]["cell"]
    step = asked.execute(cell, "print('one')", **mark)
    assert text(await asked.shown(step)) == "print('one')\n"
    assert ran(asked.front.box) == ["print('one')"]


async def test_a_refusal_has_a_reason(asked: Page) -> None:
    """Rejecting tells the model why; nothing runs."""
    await asked.waiting()
    cell = asked.of("insert")[-1]["cell"]
    assert await asked.answer("reject", cell=cell, reason="Use the other file.") == ""
    assert "Use the other file." in str(await asked.edit("outputs", cell=cell))
    assert "does not wait" in await asked.answer("reject", cell=cell, reason="")
    assert ran(asked.front.box) == []


async def test_deleting_the_cell_refuses_and_it_stays_away(asked: Page) -> None:
    """A cell the user deleted is not put back for who comes late."""
    await asked.waiting()
    cell = asked.of("insert")[-1]["cell"]
    asked.ask("deleted", cells=[cell])
    await asked.until(lambda: any(e["metadata"].get("step") == 2 for e in asked.of("metadata")))
    again = Page(asked.front, "again")
    again.open()
    await again.waiting()
    assert cell not in [edit["cell"] for edit in again.of("restore")]
    asked.ask("returned", cells=[cell])
    await asked.edit("restore", cell=cell)
    assert ran(asked.front.box) == []


async def test_a_cell_that_waits_and_is_deleted_does_not_run(asked: Page) -> None:
    """ "Run All" sends an earlier run's steps behind the agent cell; what replaces them takes them away."""
    mark = await asked.waiting()
    old, own = (asked.execute(name, f"print({name!r})") for name in ("old", "own"))
    assert await asked.answer("deleted", cells=["old"]) == ""
    assert (await asked.front.reply(old))["content"]["status"] == "aborted"
    cell = asked.of("insert")[-1]["cell"]
    assert await asked.answer("approve_rest", cell=cell) == ""
    asked.execute(cell, "print('one')", **mark)
    assert text(await asked.shown(own)) == "print('own')\n"
    sent = [p[2] for head, p in asked.front.box.sent if head.get("type") == "execute_request"]
    assert not [content for content in sent if b"'old'" in content]


async def test_the_rest_can_be_approved(asked: Page) -> None:
    """After that the next step is not asked about, and the page is told to run it."""
    mark = await asked.waiting()
    cell = asked.of("insert")[-1]["cell"]
    assert await asked.answer("approve_rest", cell=cell) == ""
    await asked.shown(asked.execute(cell, "print('one')", **mark))
    told = await asked.edit("run")
    assert told["cell"] != cell


async def test_nothing_inside_can_approve(asked: Page) -> None:
    """What the sandbox publishes on a waiting step's comm or under its cell moves nothing."""
    mark = await asked.waiting()
    box = asked.front.box
    data = {
        "kind": "request",
        "id": 1,
        "do": "approve_rest",
        "cell": asked.of("insert")[-1]["cell"],
    }
    box.publish("comm_msg", "", {"comm_id": asked.comm, "data": data})
    box.publish("execute_request", "", {"code": "1", "codeact": {"token": mark["token"]}})
    await asked.front.reply(asked.front.client.kernel_info())
    assert ran(box) == []
    assert asked.replies == {}


async def test_of_pages_with_one_copy_one_acts(page: Page) -> None:
    """Where pages share the notebook, only one of them makes and executes cells."""
    page._send("comm_close", {"comm_id": page.comm, "data": {}})
    other, acts = (Page(page.front, name) for name in ("other", "acts"))
    for each in (other, acts):
        each.open(collaborates=True)
    agent = acts.execute("agent", "%%agent\ndo it")
    told = await acts.edit("run")
    await acts.shown(acts.execute(told["cell"], "print('one')", auto=True, token=told["token"]))
    await acts.shown(agent)
    data = [m["content"] for m in acts.heard if m["msg_type"] == "comm_msg"]
    assert {d["data"]["kind"] for d in data if d["comm_id"] == "other"} == {"hello", "event"}


async def test_a_page_takes_over_what_another_looked_at(page: Page) -> None:
    """Where pages share the notebook and the one that executed a cell goes, another looks at it."""
    page._send("comm_close", {"comm_id": page.comm, "data": {}})
    stays, goes = (Page(page.front, name) for name in ("stays", "goes"))
    stays.open(collaborates=True)
    page.front.client.session.session = "another"  # a page is known by its session
    goes.open(collaborates=True)
    goes.execute("agent", "%%agent\ndo it")
    await goes.edit("run")
    goes._send("comm_close", {"comm_id": "goes", "data": {}})
    await stays.edit("attach", cell="agent")


async def test_a_question_finds_the_page_that_came_back(page: Page) -> None:
    """`input()` waits in a step; the page is reloaded; the new one is asked, and answers."""
    box = page.front.box
    script = box.script

    def asking(box: FakeBox, head: dict[str, Any], parts: tuple[bytes, ...]) -> None:
        step = head.get("type") == "execute_request" and b'"codeact"' in parts[1]
        if step:
            box.publish("status", head["id"], {"execution_state": "busy"})
            box.say({"t": "ask", "parent": head["id"], "password": False}, b"Name? ")
        elif head["t"] == "input":
            obedient(box, kept[-1][0], kept[-1][1])
        elif script is not None:
            script(box, head, parts)
        if step:
            kept.append((head, parts))

    kept: list[tuple[dict[str, Any], tuple[bytes, ...]]] = []
    box.script = asking
    page.execute("agent", "%%agent\ndo it")
    told = await page.edit("run")
    page.execute(told["cell"], "print('one')", auto=True, token=told["token"])
    client = page.front.client
    first = await client.get_stdin_msg(timeout=10)
    page._send("comm_close", {"comm_id": page.comm, "data": {}})
    look = page.execute(told["cell"], "print('one')", attach=True)
    again = await client.get_stdin_msg(timeout=10)
    assert again["content"]["prompt"] == first["content"]["prompt"]
    assert again["parent_header"]["msg_id"] == look
    answer = client.session.msg("input_reply", {"value": "Ada"}, parent=again)
    client.stdin_channel.send(answer)
    assert text(await page.shown(look)) == "print('one')\n"
