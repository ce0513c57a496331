"""A run in a front end that has cells and widgets, and not our extension."""

from __future__ import annotations

import html
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from codeact_kernel.kernel.inline.models import MIME
from codeact_kernel.kernel.run.approvals import HIDDEN
from tests.fakes import FakeModel
from tests.kernel.boxes import FakeBox, obedient
from tests.kernel.conftest import started
from tests.kernel.inline.widget_front import WidgetFront

CODE = "I count.\n\n<python>\nprint('one')\n</python>"
TASK = "%%agent --approve ask\ncount"
DONE = "All done."


def ran(box: FakeBox) -> list[str]:
    """The code of every step that went inside."""
    found = [parts for head, parts in box.sent if head.get("type") == "execute_request"]
    return [json.loads(p[2])["code"] for p in found if b'"codeact"' in p[1]]


def spoken_inside(box: FakeBox) -> list[str]:
    """The types of the comm messages that went inside."""
    return [head["type"] for head, _ in box.sent if str(head.get("type")).startswith("comm_")]


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[WidgetFront]:
    """A page on a kernel whose model writes two steps and then answers."""
    async with started(tmp_path, model=FakeModel(CODE, CODE, DONE)) as front:
        front.box.script = obedient
        yield WidgetFront(front)


async def test_what_stays_is_text(page: WidgetFront) -> None:
    """Afterwards no widget is left, and the displays are what a client without widgets is shown,
    with the title of what was written last: a fresh display has the answer, see inline/ending.py."""
    await page.over(page.execute("%%agent\ncount"))
    assert any(m["msg_type"] == "comm_open" for m in page.heard)
    assert page.models == {}
    assert page.panels == 0
    first, *others = page.displays.values()
    assert "Answered · 3 steps" in first["text/markdown"]
    assert [d["text/markdown"].split("\n")[0] for d in others] == [
        "**Step 1** · I count.",
        "**Step 2** · I count.",
        "**Step 3**",
        "**Answer**",
    ]
    assert ran(page.front.box) == ["print('one')"] * 2
    assert spoken_inside(page.front.box) == []


async def test_the_head_says_where_the_run_is(page: WidgetFront) -> None:
    """Its task, the model, what it has used and what it may use, in one line that is escaped."""
    page.execute("%%agent --approve ask --steps 7 --budget 0.5\ncount <b>all</b>\nthe words")
    await page.asked()
    (head,) = [
        str(state["value"])
        for state in page.models.values()
        if "codeact-task" in str(state.get("value")) and "<style>" not in str(state["value"])
    ]
    for words in ("count &lt;b&gt;all&lt;/b&gt;<", "fake/model", "at most 7 steps and $0.5"):
        assert words in head


async def test_code_is_shown_while_it_is_written(page: WidgetFront) -> None:
    """Before it is asked about, the step grows in a card that then becomes the form."""
    page.execute(TASK)
    await page.asked()
    opened = [m["content"]["data"]["state"] for m in page.heard if m["msg_type"] == "comm_open"]
    assert [s for s in opened if "<b>Step 1</b>" in str(s.get("value"))]
    assert page.panels == 2


async def test_a_step_is_approved_as_it_was_changed(page: WidgetFront) -> None:
    """What stood in the editor at the press runs; unchanged code runs as the model wrote it."""
    run = page.execute(TASK)
    await page.asked()
    page.edit("print('half")
    page.edit("print('mine')")
    page.press("Approve")
    await page.decided()
    await page.asked()
    page.press("Approve")
    await page.over(run)
    assert ran(page.front.box) == ["print('mine')", "print('one')"]
    assert "Changed by you" in page.text
    assert page.panels == 0


async def test_change_and_approval_in_one_message(page: WidgetFront) -> None:
    """A front end that was not answered yet sends both together; the change counts."""
    run = page.execute(TASK)
    await page.asked()
    (marks,) = [
        s["target"][1] for s in page.models.values() if _source(page, s) == "Approve the rest"
    ]
    page.update(page.find("Textarea"), value="print('mine')", **{marks: True})
    await page.over(run)
    assert ran(page.front.box) == [
        "print('mine')",
        "print('one')",
    ]  # the second was not asked about


def _source(page: WidgetFront, state: dict[str, Any]) -> str:
    """What is written on the button that a link begins at."""
    source, _ = state.get("source", ("", ""))
    return str(page.models.get(source.removeprefix("IPY_MODEL_"), {}).get("description"))


async def test_what_an_editor_hides_is_said(tmp_path: Path) -> None:
    """Characters that nobody sees are named above the code, and it runs as it is."""
    code = "x = 'user\u200b\u202e'"
    reply = f"<python>\n{code}\n</python>"
    async with started(tmp_path, model=FakeModel(reply, DONE)) as front:
        front.box.script = obedient
        page = WidgetFront(front)
        run = page.execute(TASK)
        await page.asked()
        assert html.escape(HIDDEN) in str(page.models)
        page.press("Approve")
        await page.over(run)
    assert ran(front.box) == [code]


async def test_other_pages_see_what_was_changed(page: WidgetFront) -> None:
    """An edit is echoed under the message it came with, for a second page with the same output."""
    page.execute(TASK)
    await page.asked()
    editor = page.find("Textarea")
    sent = page.update(editor, value="print('mine')")
    (echo,) = [m["content"] for m in await page.over(sent) if m["msg_type"] == "comm_msg"]
    assert echo["comm_id"] == editor
    assert echo["data"]["method"] == "echo_update"
    assert echo["data"]["state"] == {"value": "print('mine')"}


async def test_a_step_is_refused_with_a_reason(page: WidgetFront) -> None:
    """The model is told why, the code stays to be read, and the run goes on."""
    run = page.execute(TASK)
    await page.asked()
    page.update(page.find("Text"), value="Count to two.")
    page.press("Reject")
    await page.decided()
    await page.asked()
    page.press("Approve")
    shown = await page.over(run)
    assert "Count to two." in "".join(
        m["content"]["text"] for m in shown if m["msg_type"] == "stream"
    )
    assert ran(page.front.box) == ["print('one')"]
    assert "**Step 1**" in page.text


@pytest.mark.parametrize("button", ["Stop", "Stop here"])
async def test_a_run_is_stopped(page: WidgetFront, button: str) -> None:
    """From its head or from the form; nothing runs, and the step stays to be read."""
    run = page.execute(TASK)
    await page.asked()
    page.click(button)
    await page.over(run)
    assert ran(page.front.box) == []
    assert "Stopped" in page.text
    assert "**Step 1**" in page.text
    assert page.panels == 0
    assert page.models == {}


async def test_nobody_makes_the_widgets(tmp_path: Path) -> None:
    """A front end that never answers is asked in text, and its displays have text."""
    async with started(tmp_path, model=FakeModel(CODE, DONE)) as front:
        front.box.script = obedient
        page = WidgetFront(front, makes=False)
        run = page.execute(TASK)
        question = await front.client.get_stdin_msg(timeout=10)
        assert "Run step 1?" in question["content"]["prompt"]
        front.client.input("y")
        await page.over(run)
    assert ran(front.box) == ["print('one')"]
    assert all("text/plain" in data and MIME not in data for data in page.displays.values())
    assert "**Step 1** · I count." in page.text


@pytest.mark.parametrize("stdin", [True, False])
async def test_programs_hear_of_no_widgets(tmp_path: Path, stdin: bool) -> None:
    """A client that names no cell (nbclient, a console) gets plain outputs only."""
    async with started(tmp_path, model=FakeModel(CODE, DONE)) as front:
        front.box.script = obedient
        messages = await front.until_idle(front.client.execute("%%agent\ncount", allow_stdin=stdin))
    assert not any(m["msg_type"].startswith("comm_") for m in messages)
    assert MIME not in json.dumps([m["content"] for m in messages])


async def test_inside_has_no_part_in_our_widgets(tmp_path: Path) -> None:
    """Code that knows an id can neither change, close nor reopen the widget, nor show or tie it."""
    async with started(tmp_path, model=FakeModel(CODE, DONE)) as front:
        page = WidgetFront(front)
        told: list[str] = []

        def forging(box: FakeBox, head: dict[str, Any], parts: tuple[bytes, ...]) -> None:
            if head.get("type") == "execute_request" and b'"step"' in b"".join(parts):
                forge(box, head["id"])
            obedient(box, head, parts)

        def forge(box: FakeBox, step: str) -> None:
            ours = page.find("Button", "Stop")
            told.append(ours)
            spelled = "".join(f"\\u{ord(letter):04x}" for letter in ours)
            update = {"method": "update", "state": {"description": "FORGED"}}
            states = {"method": "update_states", "states": {ours: {"state": {"value": "FORGED"}}}}
            links = {"state": {**LINK, "source": ["IPY_MODEL_theirs", "value"]}}
            links["state"]["target"] = [f"IPY_MODEL_{ours}", "description"]
            opened = {"comm_id": ours, "target_name": "jupyter.widget", "data": {"state": LABEL}}
            shown = {"data": {MIME: {"model_id": ours}, "text/plain": "FORGED"}, "metadata": {}}
            box.publish("comm_msg", step, {"comm_id": ours, "data": update})
            box.publish("comm_close", step, {"comm_id": ours, "data": {}})
            box.publish("comm_open", step, opened)
            box.publish("comm_msg", step, {"comm_id": "theirs", "data": states})
            box.publish("comm_open", step, {**opened, "comm_id": "theirs", "data": links})
            box.publish("display_data", step, shown)
            parted = {MIME: {"model_id": f"{ours[:9]}\x1b[0m{ours[9:]}"}, "text/plain": "PARTED"}
            box.publish("display_data", step, {"data": parted, "metadata": {}})
            for text in (json.dumps(shown), json.dumps({**opened, "comm_id": "x", "data": links})):
                kind = "display_data" if "FORGED" in text else "comm_open"
                box.publish(kind, step, text.replace(ours, spelled).encode())

        front.box.script = forging
        run = page.execute(TASK)
        await page.asked()
        page.press("Approve")
        await page.over(run)
    assert told
    heard = [json.dumps(m["content"]) for m in page.heard]
    assert not any("FORGED" in text or "theirs" in text for text in heard)
    assert not any("PARTED" in text and told[0] in text for text in heard)


CONTROLS = {"_model_module": "@jupyter-widgets/controls", "_model_module_version": "2.0.0"}
LABEL = {**CONTROLS, "_model_name": "LabelModel", "value": "FORGED"}
LINK = {**CONTROLS, "_model_name": "DirectionalLinkModel"}


async def test_a_late_press_goes_nowhere(page: WidgetFront) -> None:
    """A message to a widget that is gone is answered here; nobody inside hears of it."""
    run = page.execute(TASK)
    await page.asked()
    gone = page.find("Textarea")
    page.press("Approve the rest")
    await page.over(run)
    page.models[gone] = {}
    late = page.update(gone, value="rm")
    await page.over(late)
    assert spoken_inside(page.front.box) == []


async def test_a_front_end_waits_for_no_code(tmp_path: Path) -> None:
    """While a step runs, a message to our widgets is answered at once, and Stop interrupts."""
    async with started(tmp_path, model=FakeModel(CODE, DONE)) as front:

        def endless(box: FakeBox, head: dict[str, Any], parts: tuple[bytes, ...]) -> None:
            if head.get("type") == "execute_request" and b'"step"' in b"".join(parts):
                box.publish("status", head["id"], {"execution_state": "busy"})
            elif head["t"] == "interrupt":
                step = next(h["id"] for h, p in box.sent if b'"step"' in b"".join(p))
                box.reply("execute_reply", step, {"status": "error", "ename": "KeyboardInterrupt"})
                box.publish("status", step, {"execution_state": "idle"})
            else:
                obedient(box, head, parts)

        front.box.script = endless
        page = WidgetFront(front)
        run = page.execute("%%agent\ncount")
        await page.until(lambda: any("code is running" in str(s) for s in page.models.values()))
        page.click("Stop")
        await page.over(run)
        assert front.box.killed is False
    assert "Stopped" in page.text
