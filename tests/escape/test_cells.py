"""Hostile cells in the real kernel: whatever they send, the client sees an honest kernel."""

from __future__ import annotations

import queue
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Session, started
from tests.escape.corpus import Program, programs

CORPUS = programs("cells")
PRELUDE = """
import ctypes, json, os, struct, threading, time
link, libc, FLAG = get_ipython().kernel.link, ctypes.CDLL(None, use_errno=True), {flag!r}
ME = get_ipython().kernel.get_parent("shell")["header"]["msg_id"]
def forge(head, *parts):
    link.send(head, parts)
def publish(kind, content):
    forge({{"t": "publish", "type": kind, "parent": ME}}, b"{{}}", json.dumps(content).encode())
def raw_send(data):
    link._socket.sendall(data)
    time.sleep(0.5)
"""
ORDER = re.compile("%(agent|pip)")
"""What the outer carries out when its user runs a cell with it."""
PUBLISHED = {
    "status", "stream", "execute_input", "execute_result", "display_data", "update_display_data",
    "clear_output", "error", "comm_open", "comm_msg", "comm_close",
}  # fmt: skip


class Kernels:
    """One kernel for most of them; whose sandbox was ended twice is followed by a new one.

    It would start its next sandboxes ever more slowly.
    """

    def __init__(self, folder: Path, isolation: str) -> None:
        self._start = partial(started, folder, {"CODEACT_ISOLATION": isolation})
        self._stack = ExitStack()
        self._session: Session | None = None
        self._ended = 0

    def session(self, ends: bool) -> Session:
        """A kernel for a program that ends its sandbox, or does not."""
        if self._session is None or (ends and self._ended == 2):
            self.close()
            self._session, self._ended = self._stack.enter_context(self._start()), 0
        self._ended += ends
        return self._session

    def close(self) -> None:
        """End the kernel."""
        self._stack.close()
        self._session = None


@pytest.fixture(scope="module", params=["namespaces", "landlock"])
def kernels(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernels]:
    """Where the programs run."""
    folder = tmp_path_factory.mktemp("work")
    made = Kernels(folder, request.param)
    yield made
    made.close()
    assert not list(folder.glob("outside-was-here"))


@pytest.mark.parametrize("program", CORPUS, ids=lambda program: program.id)
def test_the_client_sees_an_honest_kernel(kernels: Kernels, program: Program) -> None:
    """One reply, only messages that may be published, under this cell or nobody's, by one sender;
    no question, no `codeact` comm, no next cell that gives orders; the same outer process; and the next cell works."""
    notebook = kernels.session(program.ends)
    pid, flag = notebook.pid, f"flag-{secrets.token_hex(8)}"
    msg_id = notebook.client.execute(PRELUDE.format(flag=flag) + program.code, allow_stdin=False)
    messages = everything(notebook, msg_id)
    (reply,) = [m for m in messages["shell"] if m["parent_header"].get("msg_id") == msg_id]
    assert reply["msg_type"] == "execute_reply"
    assert reply["content"]["status"] in ("ok", "error")
    assert messages["stdin"] == []
    assert {m["msg_type"] for m in messages["iopub"]} <= PUBLISHED
    assert {m["header"]["session"] for m in messages["iopub"]} == {reply["header"]["session"]}
    payloads = reply["content"].get("payload", [])
    assert [each for each in payloads if ORDER.search(each.get("text", ""))] == []
    for message in messages["iopub"]:
        assert message["parent_header"].get("msg_id") in (None, msg_id, *messages["ours"]), message
        assert message["content"].get("target_name") != "codeact"
        assert flag not in message["content"].get("text", "")
        if message["msg_type"] == "status" and program.id not in ENDS:
            assert message["content"]["execution_state"] in ("busy", "idle")
    assert notebook.pid == pid


ENDS = {program.id for program in CORPUS if program.ends}


def everything(notebook: Session, msg_id: str) -> dict[str, Any]:
    """All messages of all channels until the cell behind it has worked."""
    found: dict[str, Any] = {"iopub": [], "shell": [], "stdin": [], "ours": []}
    client = notebook.client
    for attempt in range(3):
        wanted = f"print({attempt}, 'goes on')"
        probe = msg_id if attempt == 0 else client.execute(wanted, allow_stdin=False)
        found["ours"].append(probe)
        collect(notebook, probe, found)
        said = "".join(
            m["content"]["text"]
            for m in found["iopub"]
            if m["msg_type"] == "stream" and m["parent_header"].get("msg_id") == probe
        )
        if attempt and f"{attempt} goes on" in said:
            return found
    raise AssertionError("no cell works any more")


def collect(notebook: Session, msg_id: str, found: dict[str, Any]) -> None:
    """Until this request is replied to and idle."""
    client = notebook.client
    while True:
        reply = client.get_shell_msg(timeout=40)
        found["shell"].append(reply)
        if reply["parent_header"].get("msg_id") == msg_id:
            break
    while True:
        message = client.get_iopub_msg(timeout=40)
        found["iopub"].append(message)
        ours = message["parent_header"].get("msg_id") == msg_id
        if ours and message["content"].get("execution_state") == "idle":
            break
    try:
        while True:
            found["stdin"].append(client.stdin_channel.get_msg(timeout=0))
    except queue.Empty:
        return


def test_the_corpus_is_a_corpus() -> None:
    """It is as large as it is said to be."""
    assert len(CORPUS) >= 50


def test_forged_frames_do_go_out(kernels: Kernels) -> None:
    """The control: a frame made by hand that breaks no rule reaches the client."""
    code = "publish('display_data', {'data': {'text/plain': 'by hand'}, 'metadata': {}})"
    result = kernels.session(False).run(PRELUDE.format(flag="") + code)
    (shown,) = result.of("display_data")
    assert shown["content"]["data"]["text/plain"] == "by hand"
