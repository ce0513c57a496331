"""What each section of the panel can ask, against a sandbox that a test plays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.panel.verbs.state import simple
from tests.kernel.boxes import FakeBox, obedient
from tests.kernel.conftest import Front
from tests.kernel.test_panel import example, opens, told
from tests.kernel.test_panel_requests import asks


def answering(front: Front, value: object, ok: bool = True) -> list[tuple[str, dict[str, Any]]]:
    """Let the sandbox answer every query so; the queries it is asked, by name and arguments."""
    asked: list[tuple[str, dict[str, Any]]] = []

    def script(box: FakeBox, head: dict[str, Any], parts: tuple[bytes, ...]) -> None:
        if head["t"] == "query":
            asked.append((head["name"], json.loads(parts[0])))
            box.say({"t": "answer", "id": head["id"], "ok": ok}, json.dumps(value).encode())
        else:
            obedient(box, head, parts)

    front.box.script = script
    return asked


async def reply_to(front: Front, verb: str, **fields: Any) -> dict[str, Any]:
    """The reply to a request that is as the example except for these fields."""
    asks(front, "c", {**example(f"request_{verb}"), **fields})
    while True:
        data = await told(front, "c")
        if data["kind"] == "reply":
            return data


@pytest.fixture
async def page(front: Front) -> Front:
    """A kernel and a front end that was greeted."""
    opens(front, "c")
    await told(front, "c")
    return front


def shape(value: Any) -> Any:
    """The names and kinds in a JSON value, of lists only the first."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return type(value).__name__


async def test_variables_are_as_the_example(page: Front) -> None:
    """Each field is text whatever came, and what is no variable is left out."""
    frame = {"type": "DataFrame", "shape": "(2, 2)", "preview": "columns: a, b", "more": 1}
    answering(page, {"variables": {"frame": frame, "odd": {"type": ["list"]}, "no": 3}})
    reply = await reply_to(page, "variables")
    first, second = reply["data"].pop("variables")
    assert [first] == example("reply_variables")["data"]["variables"]
    assert (second["name"], second["type"]) == ("odd", "")


async def test_a_page_from_inside_is_bounded(page: Front) -> None:
    """More rows, columns and characters than agreed are cut; nonsense is an empty page."""
    wide = ["x" * 1000] * 100
    asked = answering(page, {"height": 9, "width": True, "columns": wide, "cells": [wide] * 100})
    data = (await reply_to(page, "look", row=50, column=20))["data"]
    assert asked == [("look", {"name": "frame", "row": 50, "column": 20})]
    assert shape(data).keys() == shape(example("reply_look")["data"]).keys()
    assert (data["height"], data["width"], data["index"]) == (9, 0, [])
    assert (len(data["cells"]), len(data["cells"][0]), len(data["cells"][0][0])) == (50, 20, 200)
    answering(page, "nonsense")
    assert (await reply_to(page, "look"))["data"]["cells"] == []


async def test_a_value_is_set_as_what_was_typed(page: Front) -> None:
    """The sandbox gets a checked value; its refusal is a sentence."""
    now = {"type": "int", "preview": "7"}
    asked = answering(page, now)
    assert (await reply_to(page, "set_variable")) == example("reply_set_variable")
    assert asked == [("set", {"name": "depth", "value": 7})]
    answering(page, "TypeError: no", ok=False)
    assert "depth was not changed" in (await reply_to(page, "set_variable"))["problem"]


@pytest.mark.parametrize("name", ["a b", "import", "_secret", "x" * 201, "", "a.b"])
async def test_only_names_of_variables_go_inside(page: Front, name: str) -> None:
    """Nothing else can be looked at or set."""
    asked = answering(page, {})
    for verb in ("look", "set_variable"):
        assert (await reply_to(page, verb, name=name))["problem"]
    assert asked == []


async def test_while_code_runs_nothing_is_asked(page: Front) -> None:
    """It could not be answered before the code has ended."""
    running = page.client.execute("run")
    await page.reply(page.client.kernel_info())
    page.box.publish("status", running, {"execution_state": "busy"})
    for verb in ("variables", "look", "set_variable", "tools"):
        assert (await reply_to(page, verb))["problem"].startswith("Code is running")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", " -12 ", -12),
        ("float", "1e3", 1000.0),
        ("str", "a 'b'", "a 'b'"),
        ("bool", "True", True),
    ],
)
def test_what_is_typed_is_read_as_its_type(kind: str, text: str, value: object) -> None:
    """Numbers and truth as Python writes them, text as it is."""
    assert simple(kind, text) == value
    assert type(simple(kind, text)) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("int", "1.5"), ("int", "9" * 2000), ("float", "nan"), ("bool", "yes"), ("list", "[]")],
)
def test_what_is_not_of_its_type_is_refused(kind: str, text: str) -> None:
    """With a sentence that names it."""
    with pytest.raises(UsageError, match="type"):
        simple(kind, text)


async def test_files_say_why_there_are_none(page: Front) -> None:
    """Without staging the section has a sentence instead of a list, and deciding is refused."""
    data = (await reply_to(page, "files"))["data"]
    assert data["changes"] == []
    assert "Nothing can be staged here" in data["unavailable"]
    assert "Nothing can be staged here" in (await reply_to(page, "keep"))["problem"]
    assert "no path" in (await reply_to(page, "discard", paths=[]))["problem"]


async def test_the_sandbox_is_as_the_example(page: Front) -> None:
    """Profile, limits, use, and no network where there is none."""
    data = (await reply_to(page, "sandbox"))["data"]
    expected = example("reply_sandbox")["data"]
    assert shape({**data, "network": None, "workspace_mode": ""}) == shape(
        {**expected, "network": None, "workspace_mode": ""}
    )
    assert data["readings"] == expected["readings"]
    assert data["network"] is None


async def test_trust_is_told_to_every_tab(page: Front) -> None:
    """`hello` comes again and says how displays are shown now."""
    opens(page, "other")
    await told(page, "other")
    for display, shown in ((True, "trusted"), (False, "cleaned")):
        asks(page, "c", {**example("request_trust"), "display": display})
        assert (await told(page, "other"))["display"] == shown


async def test_settings_have_no_key_and_overrides_are_replaced(page: Front) -> None:
    """What is configured is shown; wrong options are refused and stop the next run, too."""
    data = (await reply_to(page, "settings"))["data"]
    assert data.keys() == example("reply_settings")["data"].keys()
    assert "api_key" not in data["configured"]
    given = example("request_override")["options"]
    assert (await reply_to(page, "override"))["data"] == {"overrides": given}
    assert (await reply_to(page, "settings"))["data"]["overrides"] == given
    wrong = await reply_to(page, "override", options={"steps": "many"})
    assert "--steps must be" in wrong["problem"]
    run = page.client.execute("%%agent\ndo it")
    page.box.script = obedient
    assert "--steps must be" in (await page.reply(run))["content"]["evalue"]


async def test_tools_are_the_shell_and_the_notebooks_functions(page: Front) -> None:
    """Each with the first line of what it says of itself; names that are none are refused."""
    search = {"name": "search", "signature": "(words: str) -> list[str]"}
    doc = "\n  Look something up.\n\n  At length."
    answering(page, {"functions": [{**search, "doc": doc}]})
    assert await reply_to(page, "tools") == example("reply_tools")
    wrong = await reply_to(page, "override", options={"without": ["a b"]})
    assert "--without needs names" in wrong["problem"]
    assert not (await reply_to(page, "override", options={"without": ["shell"]}))["problem"]


async def test_the_tree_of_states_is_told(page: Front) -> None:
    """What there is to go to, with what it is called, where one is, and what redo would go to."""
    assert (await reply_to(page, "checkpoints"))["data"]["checkpoints"] == []
    page.box.script = obedient
    for code in ("%agent checkpoint clean", "%agent rewind clean"):
        reply = await page.reply(page.client.execute(code))
        assert reply["content"]["status"] == "ok", reply["content"]
    data = (await reply_to(page, "checkpoints"))["data"]
    (known,) = example("reply_checkpoints")["data"]["checkpoints"]
    assert data.keys() == example("reply_checkpoints")["data"].keys()
    assert [row.keys() for row in data["checkpoints"]] == [known.keys()] * 2
    assert [(row["title"], row["here"]) for row in data["checkpoints"]] == [
        ("clean", True),
        ("the state that was left", False),
    ]
    assert data["redo"] == 2
