"""What an editor asks while a cell runs is answered from the live namespace, or declined at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.conftest import SECONDS, Result, Session, gone, is_idle

WAITS = "while True: time.sleep(0.02)"


class Cell:
    """A cell that runs, and questions beside it."""

    def __init__(self, session: Session, code: str) -> None:
        self.session = session
        self.id = session.client.execute(code)
        self.replies: dict[str, dict[str, Any]] = {}
        self.result = Result({})

    def ask(self, question: str) -> dict[str, Any]:
        """The content of the reply to this request."""
        end = time.monotonic() + SECONDS
        while question not in self.replies:
            message = self.session.client.get_shell_msg(timeout=max(0.01, end - time.monotonic()))
            self.replies[message["parent_header"]["msg_id"]] = message["content"]
        return self.replies[question]

    def learn(self, question: Callable[[], str], what: str) -> Any:
        """What a reply holds of this; asked again when it was declined, as on a busy machine."""
        end = time.monotonic() + SECONDS
        while not (found := self.ask(question()).get(what)):
            assert time.monotonic() < end
        return found

    def seen(self, text: str) -> None:
        """Wait until the cell has printed this."""
        self.session.follow(
            self.id, lambda m: text in str(m["content"].get("text")), self.result.messages
        )

    def end(self) -> Result:
        """Wait until it is over."""
        self.session.follow(self.id, is_idle, self.result.messages)
        self.result.reply = self.ask(self.id)
        return self.result


@contextmanager
def running(session: Session, code: str, wait: str = WAITS) -> Iterator[Cell]:
    """`code`, then something that runs until the block is left and it is interrupted."""
    session.run("import os, time, asyncio")
    # Python 3.11 takes an interrupt at the end of a loop's turn to be before its start: outside of a
    # `try` that begins with the loop.
    ends = "except (KeyboardInterrupt, asyncio.CancelledError): pass"
    cell = Cell(session, f"{code}\nprint('begun')\ntry:\n    inside = True\n    {wait}\n{ends}")
    cell.seen("begun")
    try:
        yield cell
    finally:
        session.interrupt()


@pytest.mark.parametrize(
    "wait",
    [
        WAITS,
        "while True: time.time()",
        "await asyncio.Event().wait()",
        "get_ipython().system('sleep 60')",
    ],
    ids=["sleeps", "computes", "awaits", "shell"],
)
def test_a_running_cell_is_looked_into(kernel: Session, wait: str) -> None:
    """Completion, inspection, completeness, history and comms are answered from the live namespace."""
    ask = kernel.client
    code = "fresh_name = 'abc'\ndef fresh(x):\n    'the doc'\nfresh_comm = create_comm('jupyter.widget')"
    with running(kernel, f"from comm import create_comm\n{code}", wait) as cell:
        assert cell.learn(lambda: ask.complete("fresh_n", 7), "matches") == ["fresh_name"]
        assert "upper" in str(cell.learn(lambda: ask.complete("fresh_name.up", 13), "matches"))
        assert "the doc" in cell.learn(lambda: ask.inspect("fresh", 2), "data")["text/plain"]
        assert cell.learn(lambda: ask.is_complete("for x in y:"), "indent") == "    "
        history = cell.learn(lambda: ask.history(hist_access_type="tail", n=1), "history")
        assert "fresh_name" in history[0][2]
        comms = cell.learn(ask.comm_info, "comms")
        assert {"target_name": "jupyter.widget"} in comms.values()
        assert cell.ask(ask.kernel_info())["status"] == "ok"
        assert cell.id not in cell.replies
    assert cell.end().reply["status"] == "ok"
    assert kernel.run("fresh_name").value == "'abc'"


def test_looking_changes_nothing(kernel: Session) -> None:
    """What the code of an object does while it is looked at stays in the copy: no output, no state."""
    code = """
looked = []
class Odd:
    def __dir__(self):
        looked.append(1); print('seen'); os.system('echo seen'); os.write(1, b'seen'); display('seen')
        return ['odd_name']
odd = Odd()
"""
    with running(kernel, code) as cell:
        matches = cell.learn(lambda: kernel.client.complete("odd.odd", 7), "matches")
        assert "odd_name" in str(matches)
    result = cell.end()
    assert result.text == "begun\n"
    assert not result.of("display_data")
    assert kernel.run("looked").value == "[]"


def test_a_copy_that_goes_astray_is_only_a_copy(kernel: Session) -> None:
    """It may hang, ask or end: the question is declined or answered, and the cell knows nothing of it."""
    harms = ("while True: pass", "input('?')", "os.kill(os.getpid(), 9)", "raise KeyboardInterrupt")
    code = "\n".join(
        f"class Odd{n}:\n    def __dir__(self):\n        {harm}\nodd{n} = Odd{n}()"
        for n, harm in enumerate(harms)
    )
    with running(kernel, code) as cell:
        for n in range(len(harms)):
            reply = cell.ask(kernel.client.complete(f"odd{n}.odd", 8))
            assert (reply["status"], reply["matches"]) == ("ok", [])
    assert cell.end().text == "begun\n"


def test_code_that_holds_python_is_not_waited_for(kernel: Session) -> None:
    """A call that lets nobody in: each question is declined with a valid reply."""
    with running(kernel, "", "os.read(os.pipe()[0], 1)") as cell:
        reply = cell.ask(kernel.client.complete("begu", 4))
        assert (reply["status"], reply["matches"], reply["cursor_start"]) == ("ok", [], 4)
    cell.end()


def test_a_cell_that_takes_the_signal_away_is_left_alone(fresh: Session) -> None:
    """It is not ended by the signal; the question is declined."""
    take = "import signal; signal.signal(signal.SIGURG, signal.SIG_DFL)"
    with running(fresh, take) as cell:
        assert cell.ask(fresh.client.complete("beg", 3))["matches"] == []
    assert cell.end().reply["status"] == "ok"


def test_questions_leave_nothing_behind(kernel: Session) -> None:
    """Twenty of them: no child to wait for, no descriptor, no process."""
    kernel.run("import os, time")
    before = kernel.run("len(os.listdir('/proc/self/fd'))").value
    processes = kernel.processes()
    with running(kernel, "") as cell:
        for _ in range(20):
            assert cell.learn(lambda: kernel.client.complete("len", 3), "matches")
    cell.end()
    check = "try: print(os.waitpid(-1, os.WNOHANG))\nexcept ChildProcessError: print('none')"
    assert kernel.run(check).text == "none\n"
    assert kernel.run("len(os.listdir('/proc/self/fd'))").value == before
    assert gone([pid for pid in kernel.processes() if pid not in processes])


def test_a_question_beside_a_prompt(kernel: Session) -> None:
    """While `input()` waits for a person the editor is answered, and the answer arrives."""
    kernel.run("asked_name = 1")
    cell = Cell(kernel, "given = input('? ')")
    kernel.client.get_stdin_msg(timeout=SECONDS)
    matches = cell.learn(lambda: kernel.client.complete("asked_n", 7), "matches")
    assert matches == ["asked_name"]
    kernel.client.input("here")
    cell.end()
    assert kernel.run("given").value == "'here'"


def test_a_comm_message_beside_an_awaiting_cell_ends(fresh: Session) -> None:
    """Its handler runs at once, it is reported as done, and an interrupt later ends nothing."""
    fresh.run("import os, asyncio, time\nfrom comm import create_comm")
    code = (
        "c = create_comm(target_name='jupyter.widget')\nfuture = asyncio.get_running_loop().create_future()\n"
        "c.on_msg(lambda m: future.set_result(m['content']['data']))"
    )
    with running(fresh, code, "print(await asyncio.wait_for(future, 20))") as cell:
        (opened,) = cell.result.of("comm_open")
        content = {"comm_id": opened["content"]["comm_id"], "data": {"value": 42}}
        message = fresh.client.session.msg("comm_msg", content)
        fresh.client.shell_channel.send(message)
        both(fresh, cell.id, cell.result.messages, message["header"]["msg_id"])
    assert "{'value': 42}" in cell.result.text
    fresh.interrupt()
    time.sleep(2.5)  # longer than an interrupted cell has
    assert fresh.run("future.result()").value == "{'value': 42}"


def both(session: Session, cell: str, into: list[dict[str, Any]], other: str) -> None:
    """Collect a cell's messages until that and another request are done."""
    waiting = {cell, other}
    end = time.monotonic() + SECONDS
    while waiting:
        message = session.client.get_iopub_msg(timeout=max(0.01, end - time.monotonic()))
        parent = message["parent_header"].get("msg_id", "")
        if parent == cell:
            into.append(message)
        if is_idle(message):
            waiting.discard(parent)
