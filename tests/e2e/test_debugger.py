"""The visual debugger through the real kernel and the real sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Session, drain, started
from tests.e2e.debugging import Debugging
from tests.scripted_server import agent, serving, step

CODE = """
def add(a, b):
    c = a + b
    return c

add(2, 3)"""
SHOWN = """
class Shown:
    def _repr_html_(self):
        return "<b>bold</b><script>1</script>"
def f():
    local = Shown()
    return local
kept = Shown()
f();"""
TASKS = "import os, time; len(os.listdir('/proc/self/task')), len(os.listdir('/proc/self/fd'))"
ALONE = """
while len(os.listdir('/proc/self/task')) > 1:  # a thread that was joined may be there a moment longer
    time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One kernel whose agent's steps have little time."""
    folder = tmp_path_factory.mktemp("debugged")
    with started(folder, {"CODEACT_STEP_SECONDS": "4"}) as session:
        yield session


@pytest.fixture
def debugger(kernel: Session) -> Iterator[Debugging]:
    """An attached debugger."""
    debugging = Debugging(kernel)
    debugging.attach()
    yield debugging
    debugging.detach()
    drain(kernel)


def test_a_cell_stops_where_it_is_told(debugger: Debugging) -> None:
    """Stack and variables of a stopped cell are shown, it goes on line by line and then to its end."""
    path = debugger.break_at(CODE, 3)
    msg_id, stack = debugger.stop_in(CODE)
    assert [(f["name"], f["line"], f["source"]["path"]) for f in stack[:2]] == [
        ("add", 3, path),
        ("<module>", 6, path),
    ]
    assert debugger.names(stack[0], "Locals") == {"a": "2", "b": "3"}
    info = debugger.body("debugInfo")
    assert info["stoppedThreads"] == [1]
    assert info["breakpoints"] == [{"source": path, "breakpoints": [{"line": 3}]}]
    assert path.startswith(info["tmpFilePrefix"])
    assert debugger.body("source", source={"path": path})["content"] == CODE
    debugger.body("next", threadId=1)
    debugger.event("stopped")
    (frame, *_) = debugger.body("stackTrace", threadId=1)["stackFrames"]
    assert frame["line"] == 4
    assert debugger.names(frame, "Locals")["c"] == "5"
    debugger.body("continue", threadId=1)
    assert debugger.session.wait(msg_id).value == "5"


def test_values_are_looked_at_and_changed(debugger: Debugging) -> None:
    """At a breakpoint expressions are evaluated in the frame, and locals become globals."""
    debugger.break_at(CODE, 3)
    msg_id, (frame, *_) = debugger.stop_in(CODE)
    place = {"frameId": frame["id"], "context": "repl"}
    assert debugger.body("evaluate", expression="a * 21", **place)["result"] == "42"
    debugger.body("evaluate", expression="b = 40", **place)
    names = {"srcVariableName": "a", "dstVariableName": "copied", "srcFrameId": frame["id"]}
    debugger.body("copyToGlobals", **names)
    assert debugger.ask("copyToGlobals", **{**names, "dstVariableName": "x']"})["success"] is False
    assert debugger.names(frame, "Globals")["copied"] == "2"
    debugger.body("continue", threadId=1)
    assert debugger.session.wait(msg_id).value == "42"


def test_an_editor_is_answered_beside_a_breakpoint(debugger: Debugging) -> None:
    """Completion and inspection see the live namespace while a cell stands still, and leave it so."""
    debugger.session.run("counted = [1, 2, 3]")
    debugger.break_at(CODE, 3)
    msg_id, (frame, *_) = debugger.stop_in(CODE)
    client = debugger.session.client
    assert "counted" in debugger.session.reply(client.complete("coun", 4))["matches"]
    assert debugger.session.reply(client.inspect("counted", 4))["found"]
    assert debugger.names(frame, "Locals") == {"a": "2", "b": "3"}
    debugger.body("continue", threadId=1)
    assert debugger.session.wait(msg_id).value == "5"


def test_threads_stop_and_running_code_is_paused(debugger: Debugging) -> None:
    """A breakpoint holds in a thread; Pause stops code without one."""
    code = "import threading\ndef work():\n    z = 5\n    return z\nt = threading.Thread(target=work); t.start(); t.join()"
    debugger.break_at(code, 4)
    msg_id, (frame, *_) = debugger.stop_in(code)
    assert frame["name"] == "work"
    assert debugger.names(frame, "Locals") == {"z": "5"}
    debugger.body("continue", threadId=1)
    debugger.session.wait(msg_id)
    debugger.session.run("go_on = True")  # before: Pause may come before the first line of the cell
    msg_id = debugger.session.client.execute("while go_on:\n    pass")
    debugger.session.until(msg_id, lambda m: m["msg_type"] == "execute_input")
    debugger.body("pause", threadId=1)
    assert debugger.event("stopped")["reason"] == "pause"
    (frame, *_) = debugger.body("stackTrace", threadId=1)["stackFrames"]
    place = {"frameId": frame["id"], "context": "repl"}
    debugger.body("evaluate", expression="go_on = False", **place)
    debugger.body("continue", threadId=1)
    assert debugger.session.wait(msg_id).reply["status"] == "ok"


def test_rich_values_are_cleaned(debugger: Debugging) -> None:
    """A value's display is harmless in the debugger's pane too, at a breakpoint and between cells."""
    debugger.break_at(SHOWN, 7)
    msg_id, (frame, *_) = debugger.stop_in(SHOWN)
    local = debugger.body("richInspectVariables", variableName="local", frameId=frame["id"])
    debugger.body("continue", threadId=1)
    debugger.session.wait(msg_id)
    between = debugger.body("richInspectVariables", variableName="kept")
    assert local["data"]["text/html"] == between["data"]["text/html"] == "<b>bold</b>"
    listed = {each["name"] for each in debugger.body("inspectVariables")["variables"]}
    assert "kept" in listed
    assert not listed & {"In", "Out", "final_answer", "get_ipython", "_i1"}


def test_a_stopped_cell_can_be_interrupted(debugger: Debugging) -> None:
    """The stop button ends a cell at a breakpoint, in its own code, and breakpoints still hold."""
    debugger.break_at(CODE, 3)
    msg_id, _ = debugger.stop_in(CODE)
    debugger.session.interrupt()
    result = debugger.session.wait(msg_id)
    assert result.error["ename"] == "KeyboardInterrupt"
    assert "pydevd" not in "".join(result.error["traceback"])
    assert debugger.body("debugInfo")["stoppedThreads"] == []
    msg_id, (frame, *_) = debugger.stop_in(CODE)
    assert frame["line"] == 3
    debugger.body("continue", threadId=1)
    assert debugger.session.wait(msg_id).value == "5"


def test_nothing_outside_is_read(debugger: Debugging) -> None:
    """A source is read with the rights of the notebook's code, not with the kernel's."""
    secret = Path(debugger.session.manager.connection_file)
    assert secret.is_file()
    answer = debugger.ask("source", source={"path": str(secret)})
    assert answer["success"] is False
    assert debugger.session.client.session.key.decode() not in str(answer)


def test_a_child_process_passes_breakpoints(debugger: Debugging) -> None:
    """A fork has no debugger to wait for."""
    debugger.break_at(CODE, 3)
    msg_id, _ = debugger.stop_in(CODE)
    debugger.body("continue", threadId=1)
    debugger.session.wait(msg_id)
    forks = "pid = os.fork()\nif pid == 0:\n    os._exit(add(3, 4))\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])"
    assert debugger.session.run(f"import os\n{forks}").value == "7"


def test_a_step_of_an_agent_has_its_time_still(debugger: Debugging) -> None:
    """A breakpoint holds in an agent's step and in what it calls; the step's time limit waits for the person."""
    debugger.session.run(CODE)
    debugger.break_at(CODE, 3)
    own = debugger.break_at("add(20, 22)", 1)
    with serving(step("add(20, 22)"), step("final_answer('done')")) as server:
        msg_id = debugger.session.client.execute(agent(server.url))
        debugger.event("stopped", 90)  # the first task of a kernel imports the models
        (frame, *_) = debugger.body("stackTrace", threadId=1)["stackFrames"]
        assert frame["source"]["path"] == own
        debugger.body("continue", threadId=1)
        debugger.event("stopped")
        sleeps = "__import__('time').sleep(4.5)"
        (frame, *_) = debugger.body("stackTrace", threadId=1)["stackFrames"]
        debugger.body("evaluate", expression=sleeps, frameId=frame["id"], context="repl")
        debugger.body("continue", threadId=1)
        result = debugger.session.wait(msg_id)
    assert "42" in str(server.requests[1]["messages"][-1])
    assert any("done" in text for text in result.displays)


def test_detached_nothing_is_left(kernel: Session) -> None:
    """After detaching there is one thread, no more descriptors than before, and no stop."""
    debugging = Debugging(kernel)
    kernel.run(f"import os, time{ALONE}")
    before = kernel.run(TASKS).value
    for _ in range(2):
        debugging.attach()
        debugging.break_at(CODE, 3)
        assert kernel.run(TASKS).value != before
        msg_id, _ = debugging.stop_in(CODE)
        debugging.detach()
        assert kernel.wait(msg_id).value == "5"
    kernel.run(ALONE)
    assert kernel.run(TASKS).value == before
    assert kernel.run(CODE).value == "5"
    assert "debugpy" not in kernel.run("dir()").value


def test_without_a_debugger_requests_are_answered(kernel: Session) -> None:
    """What needs no debugger works, the rest is refused in a sentence; busy or not."""
    debugging = Debugging(kernel)
    kernel.run("plain = [1, 2]")
    info = debugging.body("debugInfo")
    assert info["isStarted"] is False
    (found,) = (
        each for each in debugging.body("inspectVariables")["variables"] if each["name"] == "plain"
    )
    children = debugging.body("variables", variablesReference=found["variablesReference"])
    assert {"0": "1", "1": "2"}.items() <= {
        each["name"]: each["value"] for each in children["variables"]
    }.items()
    assert debugging.ask("stackTrace", threadId=1)["message"] == "The debugger is not attached."
    msg_id = kernel.client.execute("import time; time.sleep(0.5)")
    assert debugging.body("debugInfo")["isStarted"] is False
    kernel.wait(msg_id)
    reply = kernel.client.kernel_info(reply=True, timeout=10)
    assert reply["content"]["supported_features"] == ["debugger"]


def test_the_sandbox_takes_the_debugger_along(fresh: Session) -> None:
    """When the sandbox ends at a breakpoint the session is over, and the next one can be debugged,
    with breakpoints in cells whose source nobody has said again."""
    debugging = Debugging(fresh)
    debugging.attach()
    path = debugging.break_at(CODE, 3)
    msg_id, (frame, *_) = debugging.stop_in(CODE)
    gone = debugging.ask(
        "evaluate", expression="__import__('os')._exit(3)", frameId=frame["id"], context="repl"
    )
    assert gone["success"] is False
    assert fresh.wait(msg_id).reply["ename"] == "SandboxDied"
    assert debugging.body("debugInfo")["isStarted"] is False
    debugging.attach()
    debugging.body("setBreakpoints", source={"path": path}, breakpoints=[{"line": 3}])
    msg_id, _ = debugging.stop_in(CODE)
    debugging.body("continue", threadId=1)
    assert fresh.wait(msg_id).value == "5"


@pytest.mark.parametrize(
    "how",
    [
        {"CODEACT_ISOLATION": "landlock"},
        {"CODEACT_ISOLATION": "none"},
        {"CODEACT_PROFILE": "strict"},
    ],
    ids=lambda how: next(iter(how.values())),
)
def test_it_works_in_every_sandbox(tmp_path: Path, how: dict[str, str]) -> None:
    """The debugger attaches, stops and goes, however the kernel is isolated."""
    with started(tmp_path, how) as session:
        debugging = Debugging(session)
        debugging.attach()
        debugging.break_at(CODE, 3)
        msg_id, (frame, *_) = debugging.stop_in(CODE)
        assert debugging.names(frame, "Locals") == {"a": "2", "b": "3"}
        debugging.detach()
        assert session.wait(msg_id).value == "5"


def test_going_back_keeps_the_breakpoints(fresh: Session) -> None:
    """Attached, there are no checkpoints, and it is said; what is woken from one has the debugger."""
    fresh.run("n = 1")
    assert fresh.run("%agent checkpoint early").reply["status"] == "ok"
    debugging = Debugging(fresh)
    debugging.attach()
    debugging.break_at(CODE, 3)
    refused = fresh.run("%agent checkpoint late")
    assert "the debugger is attached" in str([refused.reply, *refused.displays, refused.text])
    fresh.run("n = 2")
    gone_back = fresh.run("%agent rewind early --force")
    assert gone_back.reply["status"] == "ok", gone_back
    msg_id, (frame, *_) = debugging.stop_in(CODE)
    assert debugging.names(frame, "Globals")["n"] == "1"
    debugging.body("continue", threadId=1)
    assert fresh.wait(msg_id).value == "5"
    debugging.detach()
    assert fresh.run("%agent checkpoint late").reply["status"] == "ok"


@pytest.mark.parametrize("code", ["breakpoint()", "import pdb; pdb.set_trace()"])
def test_a_text_debugger_asks_and_can_be_interrupted(kernel: Session, code: str) -> None:
    """`breakpoint()` and pdb work in `input()`, before and after the visual debugger; so does stop."""
    msg_id = kernel.client.execute(f"def inner(n):\n    {code}\n    return n\ninner(42)")
    for answer in ("p n + 1", "c"):
        assert kernel.client.get_stdin_msg(timeout=10)["content"]["prompt"] == "ipdb> "
        kernel.client.input(answer)
    result = kernel.wait(msg_id)
    assert "43\n" in result.text
    assert result.value == "42"


def test_after_an_error_its_frames_are_looked_at(kernel: Session) -> None:
    """`%debug` opens the last error where it was raised."""
    kernel.run("def fails(n):\n    return n / 0\nfails(17)")
    msg_id = kernel.client.execute("%debug")
    for answer in ("p n", "q"):
        kernel.client.get_stdin_msg(timeout=10)
        kernel.client.input(answer)
    assert "17\n" in kernel.wait(msg_id).text


def test_a_prompt_of_a_text_debugger_is_interrupted(fresh: Session) -> None:
    """Stop ends a cell that waits at the prompt of pdb."""
    msg_id = fresh.client.execute("breakpoint()")
    fresh.client.get_stdin_msg(timeout=10)
    fresh.interrupt()
    assert "KeyboardInterrupt" in fresh.wait(msg_id).text
    assert fresh.run("1 + 1").value == "2"
