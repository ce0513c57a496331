"""The panel's requests through the real kernel and its sandbox."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import SECONDS, Session, started
from tests.scripted_server import agent, serving, step


class Page:
    """A front end with a comm."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._numbers = itertools.count(1)
        self._send("comm_open", target_name="codeact", data={"client": "jupyterlab"})
        self.hello = self.next()

    def _send(self, kind: str, **content: Any) -> None:
        client = self.session.client
        client.shell_channel.send(client.session.msg(kind, {"comm_id": "page", **content}))

    def next(self) -> dict[str, Any]:
        """The next thing it is told."""
        end = time.monotonic() + SECONDS
        while True:
            message = self.session.client.get_iopub_msg(timeout=max(0.01, end - time.monotonic()))
            if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == "page":
                data: dict[str, Any] = message["content"]["data"]
                return data

    def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        """The data of the reply; a problem fails the test."""
        number = next(self._numbers)
        self._send("comm_msg", data={"kind": "request", "id": number, "do": verb, **fields})
        while (data := self.next()).get("id") != number:
            pass
        assert data["problem"] == ""
        found: dict[str, Any] = data["data"]
        return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A kernel whose writes are staged, and its front end."""
    with started(tmp_path_factory.mktemp("panel"), {"CODEACT_WORKSPACE_MODE": "cow"}) as session:
        yield Page(session)


def test_variables_are_seen_looked_into_and_changed(page: Page) -> None:
    """What a cell made is listed, a list has a page, a number becomes another one for later cells."""
    page.session.run("depth = 3; rows = [10, 20, 30]; words = {'a': 'x'}")
    found = {each["name"]: each for each in page.ask("variables")["variables"]}
    assert (found["depth"]["type"], found["depth"]["preview"]) == ("int", "3")
    assert found["rows"]["size"] == "3 items"
    assert page.ask("look", name="rows", row=1)["cells"] == [["20"], ["30"]]
    assert page.ask("look", name="words")["index"] == ["a"]
    assert page.ask("set_variable", name="depth", type_name="float", text="7.5")["preview"] == "7.5"
    assert page.session.run("print(depth)").text == "7.5\n"


def test_the_sandbox_is_seen_at_work(page: Page) -> None:
    """Its grade came with hello; what it uses is some memory of the limit."""
    assert page.hello["grade"] in ("namespaces", "landlock")
    data = page.ask("sandbox")
    memory = [each for each in data["readings"] if each["name"] == "memory"]
    assert not memory or 1 << 20 < memory[0]["used"] < memory[0]["limit"]
    assert data["network"] is None


def test_files_of_a_step_are_listed_kept_and_discarded(page: Page) -> None:
    """With a diff and one by one; what was kept is in the folder."""
    if page.ask("files")["unavailable"]:
        pytest.skip("what code writes cannot be staged here")
    code = "open('report.txt', 'w').write('hello\\n'); open('junk.txt', 'w').write('x')"
    with serving(step(code), step("final_answer('done')")) as server:
        page.session.run(agent(server.url))
    folder = Path(page.ask("sandbox")["workspace"])
    assert not (folder / "report.txt").exists()
    changes = {each["path"]: each for each in page.ask("files")["changes"]}
    assert changes["report.txt"]["act"] == "created"
    assert "+hello" in changes["report.txt"]["diff"]
    assert page.ask("keep", paths=["report.txt"]) == {"done": ["report.txt"], "refused": []}
    assert (folder / "report.txt").read_text() == "hello\n"
    assert page.ask("discard", paths=["junk.txt"])["done"] == ["junk.txt"]
    assert page.ask("files")["changes"] == []
