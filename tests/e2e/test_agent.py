"""`%%agent` through the real kernel, sandbox and adapter, with a scripted provider."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import SECONDS, Session, alive, gone, started
from tests.scripted_server import Reply, agent, serving, several, step

FLOOD = "for i in range(15_000): print(i, '.' * 90)"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One kernel for the runs of this module."""
    with started(tmp_path_factory.mktemp("agent")) as session:
        yield session


def test_a_task_is_worked_out_in_steps(kernel: Session) -> None:
    """Code, output and answer are rich output of the agent cell, which ends with status ok."""
    kernel.run("base = 40")
    with serving(step("print(base)\nx = base + 2\nx"), step("final_answer(x)")) as server:
        result = kernel.run(agent(server.url, "Add 2 to {base}."))
    assert result.reply["status"] == "ok", result.reply
    shown = "\n".join(result.displays)
    assert "Answered" in shown
    assert "220 tokens" in shown
    assert "print(base)" in shown
    assert result.text == "40\n"
    assert "**Answer**\n\n42" in shown
    assert [m["msg_type"] for m in result.of("status")] == ["status"] * 2
    asked = json.dumps(server.requests[0]["messages"])
    assert "Add 2 to 40." in asked
    assert "42" in json.dumps(server.requests[1]["messages"][-1])


def test_counts_and_state_go_on(kernel: Session) -> None:
    """The agent cell and each step have numbers of their own; what a step made stays."""
    before = kernel.run("1").reply["execution_count"]
    with serving(step("made = 7"), step("final_answer(made)")) as server:
        result = kernel.run(agent(server.url))
    assert result.reply["execution_count"] == before + 1
    after = kernel.run("made")
    assert after.value == "7"
    assert after.reply["execution_count"] == before + 4


def test_an_error_in_a_step_is_an_observation(kernel: Session) -> None:
    """A failing step is shown as text and told to the model; the cell itself does not fail."""
    with serving(step("1/0"), step("final_answer('done')")) as server:
        result = kernel.run(agent(server.url))
    assert result.reply["status"] == "ok"
    assert result.of("error") == []
    assert "ZeroDivisionError" in result.stream("stderr")
    assert "ZeroDivisionError" in json.dumps(server.requests[1]["messages"][-1])


def test_an_answer_in_prose(kernel: Session) -> None:
    """A reply without code is the answer."""
    with serving("It is Paris.") as server:
        result = kernel.run(agent(server.url))
    assert any("It is Paris." in text for text in result.displays)
    assert result.reply["status"] == "ok"


def test_the_step_limit_is_a_result_and_the_run_goes_on(kernel: Session) -> None:
    """At the limit the cell ends well and says so; `%agent continue` goes on where it was."""
    with serving(step("a = 1"), step("b = a + 1"), step("final_answer(b)")) as server:
        first = kernel.run(agent(server.url, options="--steps 1"))
        second = kernel.run("%agent continue --steps 5 and hurry")
    assert first.reply["status"] == "ok"
    assert any("limit of 1 step" in text for text in first.displays)
    assert any("**Answer**\n\n2" in text for text in second.displays)
    assert "and hurry" in json.dumps(server.requests[1]["messages"][-1])
    assert len(server.requests) == 3


def test_a_busy_provider_is_asked_again(kernel: Session) -> None:
    """429, then success: the run goes on by itself."""
    with serving(Reply(text="Fine.", refusals=(429, 429))) as server:
        result = kernel.run(agent(server.url))
    assert result.reply["status"] == "ok"
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [401, 404])
def test_a_refusal_is_one_sentence(kernel: Session, status: int) -> None:
    """A key or name that is refused ends the run with one sentence, no traceback, and an error."""
    with serving(Reply(refusals=(status,) * 9)) as server:
        result = kernel.run(agent(server.url))
    assert result.reply["status"] == "error"
    assert result.error["ename"] == "AgentFailed"
    assert result.error["traceback"] == [f"AgentFailed: {result.error['evalue']}"]
    assert "Traceback" not in result.error["evalue"]


def test_nobody_at_the_address(kernel: Session) -> None:
    """A refused connection is said in one sentence with the address; the run can be continued."""
    with serving("x") as server:
        url = server.url
    result = kernel.run(agent(url))
    assert result.error["ename"] == "AgentFailed"
    assert url.split("/v1")[0] in result.error["evalue"]


def test_a_cut_stream_is_asked_once_more(kernel: Session) -> None:
    """A stream that breaks off is never run half-read; broken twice, it ends the run in a sentence."""
    with serving(Reply(text=step("cut = 1" + "0" * 50), cuts=2)) as server:
        result = kernel.run(agent(server.url))
    assert result.error["ename"] == "AgentFailed"
    assert len(server.requests) == 2
    assert kernel.run("'cut' in globals()").value == "False"


def test_a_stop_while_the_model_writes(kernel: Session) -> None:
    """The stop button ends a run that waits for the model at once, and queued cells are aborted."""
    with serving(Reply(text="never", stall=30)) as server:
        msg_id = kernel.client.execute(agent(server.url))
        behind = kernel.client.execute("behind = 1")
        while not server.requests:
            time.sleep(0.02)
        began = time.monotonic()
        kernel.interrupt()
        result = kernel.wait(msg_id)
        assert time.monotonic() - began < 15
    assert any("stopped" in text for text in result.displays)
    assert kernel.reply(behind)["status"] == "aborted"
    assert kernel.run("'behind' in globals()").value == "False"


def test_a_stop_while_a_step_runs(kernel: Session) -> None:
    """The stop button interrupts the step, keeps the state and ends the run."""
    code = "kept = 1\nprint('in', flush=True)\nimport time\nwhile True: time.sleep(0.1)"
    with serving(step(code)) as server:
        msg_id = kernel.client.execute(agent(server.url))
        kernel.until(msg_id, lambda m: bool(m["msg_type"] == "stream"))
        kernel.interrupt()
        result = kernel.wait(msg_id)
    assert any("stopped" in text for text in result.displays)
    assert kernel.run("kept").value == "1"


def test_cells_behind_a_run_wait_and_then_run(kernel: Session) -> None:
    """A cell sent during a run is executed after it, and sees what it made."""
    with serving(step("fruit = 'pear'"), step("final_answer(1)")) as server:
        msg_id = kernel.client.execute(agent(server.url))
        behind = kernel.client.execute("fruit")
        kernel.wait(msg_id)
        assert kernel.wait(behind).value == "'pear'"


def test_an_agent_cell_behind_a_failing_cell_is_aborted(kernel: Session) -> None:
    """Stop-on-error holds for agent cells and for what waits behind them; no model is asked."""
    with serving("x") as server:
        failing = kernel.client.execute("input(); 1/0")
        run = kernel.client.execute(agent(server.url))
        behind = kernel.client.execute("never = 1")
        kernel.client.get_stdin_msg(timeout=SECONDS)
        kernel.client.input("")
        kernel.wait(failing)
        assert kernel.reply(run)["status"] == "aborted"
        assert kernel.reply(behind)["status"] == "aborted"
        assert server.requests == []
    assert kernel.run("1 + 1").value == "2"


def test_two_agent_cells_run_one_after_the_other(kernel: Session) -> None:
    """The second run begins when the first has ended."""
    models = {
        "one": (step("order = ['first']"), "Done."),
        "two": (step("order.append('second')"), "Done too."),
    }
    with several(models) as server:
        first = kernel.client.execute(agent(server.url, options="--model openai/one"))
        second = kernel.client.execute(agent(server.url, options="--model openai/two"))
        kernel.wait(first)
        kernel.wait(second)
    assert kernel.run("order").value == "['first', 'second']"


def test_kernel_questions_are_answered_during_a_run(kernel: Session) -> None:
    """Completion and kernel_info work while the model is waited for."""
    with serving(Reply(text="never", stall=300)) as server:
        run = kernel.client.execute(agent(server.url))
        while not server.requests:
            time.sleep(0.02)
        assert kernel.reply(kernel.client.kernel_info())["status"] == "ok"
        assert kernel.reply(kernel.client.complete("prin", 4))["matches"]
        kernel.interrupt()
        kernel.wait(run)


def test_shutdown_during_a_run_leaves_nothing(tmp_path: Path) -> None:
    """A kernel that is shut down while a step runs ends with everything below it; the journal says so."""
    with started(tmp_path) as session, serving(step("import time\ntime.sleep(60)")) as server:
        msg_id = session.client.execute(agent(server.url))
        session.until(
            msg_id,
            lambda m: m["msg_type"] == "display_data" and "sleep(60)" in str(m["content"]["data"]),
        )
        processes = session.processes()
        session.manager.shutdown_kernel()
        assert gone(processes), alive(processes)
        (path,) = (tmp_path / ".state" / "codeact" / "runs").glob("*.jsonl")
        last = json.loads(path.read_text().splitlines()[-1])
        assert (last["type"], last["outcome"]) == ("RunFinished", "stopped")


def test_a_step_over_its_time_limit(tmp_path: Path) -> None:
    """A step that takes too long is interrupted, the model is told, and the run goes on."""
    with (
        started(tmp_path, {"CODEACT_STEP_SECONDS": "1"}) as session,
        serving(
            step("kept = 5\nimport time; time.sleep(60)"), step("final_answer(kept)")
        ) as server,
    ):
        result = session.run(agent(server.url))
        assert any("**Answer**\n\n5" in text for text in result.displays)
        assert "time limit of 1 s" in json.dumps(server.requests[1]["messages"][-1])


def test_a_step_that_kills_its_sandbox(kernel: Session) -> None:
    """The death of the sandbox under a step is an observation; the next step has a fresh one."""
    replies = (step("import os; os._exit(1)"), step("alive = 1"), step("final_answer(alive)"))
    with serving(*replies) as server:
        result = kernel.run(agent(server.url))
    assert result.reply["status"] == "ok", result.reply
    assert "lost" in json.dumps(server.requests[1]["messages"][-1])
    assert any("**Answer**\n\n1" in text for text in result.displays)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%%agent --stepz 3\nx", "--stepz is not an option"),
        ("%%agent\n", "There is no task"),
        ("%%agent\nuse {nothing_here}", "no variable nothing_here is defined"),
        ("%agent a\nb = 1", "takes one line"),
        ("%%agent --model replay/none.ipynb\nx", "cannot be read"),
        ("%%agent\nno model is chosen", "No model is chosen"),
    ],
)
def test_wrong_use_is_one_sentence(kernel: Session, cell: str, words: str) -> None:
    """What is wrong with the cell is said in one sentence, as an error a client can tell."""
    result = kernel.run(cell)
    assert words in result.error["evalue"]
    assert result.reply["status"] == "error"


def test_a_refused_cell_runs_nothing(kernel: Session) -> None:
    """Code in a cell that is meant for the agent and wrong is not run; what is shown is the cell."""
    result = kernel.run("mixed = 1\n%agent use mixed")
    assert result.reply["status"] == "error"
    (shown,) = result.of("execute_input")
    assert shown["content"]["code"] == "mixed = 1\n%agent use mixed"
    assert kernel.run("'mixed' in globals()").value == "False"


def test_a_task_on_one_line_is_not_touched(kernel: Session) -> None:
    """A line that ends in a question mark, or has braces and dollars, is the task to the letter."""
    with serving("Yes.") as server:
        how = f"--model openai/scripted --api-base {server.url}"
        result = kernel.run(f"%agent {how} is $HOME or {{not a name}} better?")
    assert any("Yes." in text for text in result.displays)
    assert result.stream("stderr") == ""
    assert "is $HOME or {not a name} better?" in json.dumps(server.requests[0]["messages"])


def test_help(kernel: Session) -> None:
    """`%agent help` shows the options."""
    assert any("--approve" in text for text in kernel.run("%agent help").displays)


def test_approval_by_input(kernel: Session) -> None:
    """With --approve ask each step is asked about: yes runs it, no tells the model why."""
    with serving(step("yes = 'ran'"), step("no = 'ran'"), step("final_answer(1)")) as server:
        msg_id = kernel.client.execute(agent(server.url, options="--approve ask"))
        for answer in ("y", "n it is a bad name", "y"):
            question = kernel.client.get_stdin_msg(timeout=20)
            assert "Run step" in question["content"]["prompt"]
            kernel.client.input(answer)
        kernel.wait(msg_id)
    assert "it is a bad name" in json.dumps(server.requests[2]["messages"][-1])
    assert kernel.run("yes, 'no' in globals()").value == "('ran', False)"


def test_a_question_of_a_step_is_marked(kernel: Session) -> None:
    """`input()` in a step asks the user of the agent cell, and says that it is the code that asks."""
    with serving(step("name = input('Run step 2? ')"), step("final_answer(name)")) as server:
        msg_id = kernel.client.execute(agent(server.url))
        question = kernel.client.get_stdin_msg(timeout=20)
        assert question["content"]["prompt"] == "The code of this step asks: Run step 2? "
        kernel.client.input("Ada")
        assert any("**Answer**\n\nAda" in text for text in kernel.wait(msg_id).displays)


def test_approval_needs_somebody(kernel: Session) -> None:
    """Without a client that answers, --approve ask is refused before anything is asked or run."""
    with serving("x") as server:
        result = kernel.run(agent(server.url, options="--approve ask"), allow_stdin=False)
        assert server.requests == []
    assert "needs somebody who answers" in result.error["evalue"]


def test_an_address_in_a_cell_is_asked_about(tmp_path: Path) -> None:
    """Nothing goes to an unknown address before the user says yes, once; the user's key never does."""
    mine = {"CODEACT_API_KEY": "sk-SECRET", "CODEACT_APPROVE": "ask"}
    with serving("Mine."), serving("Theirs.") as other, started(tmp_path, mine) as session:
        refused = session.run(agent(other.url), allow_stdin=False)
        assert "codeact run --api-base" in refused.error["evalue"]
        loose = session.run(agent(other.url, options="--approve never"), allow_stdin=False)
        assert "CODEACT_APPROVE" in loose.error["evalue"]
        msg_id = session.client.execute(agent(other.url))
        prompt = session.client.get_stdin_msg(timeout=20)["content"]["prompt"]
        assert prompt.startswith(f"This cell sends the conversation to {other.url}, which")
        session.client.input("")
        assert "nothing was sent" in session.wait(msg_id).error["evalue"]
        assert other.requests == []
        msg_id = session.client.execute(agent(other.url))
        session.client.get_stdin_msg(timeout=20)
        session.client.input("y")
        assert any("Theirs." in text for text in session.wait(msg_id).displays)
        assert any("Theirs." in text for text in session.run(agent(other.url)).displays)
        assert other.keys == ["Bearer none"] * 2


def test_output_of_a_step_is_bounded(kernel: Session) -> None:
    """A flood in a step reaches the client as head and tail with a line that says what is missing."""
    with serving(step(FLOOD), step("final_answer(1)")) as server:
        result = kernel.run(agent(server.url))
    assert len(result.text) < 1_100_000
    assert "characters are left out here" in result.stream("stderr")
    assert "14999 " in result.text


def test_final_answer_counts_only_in_a_step(kernel: Session) -> None:
    """Printing or calling it from a user's cell ends nothing and answers nobody."""
    with serving(step("print('final_answer(1)')"), "The end.") as server:
        result = kernel.run(agent(server.url))
    assert any("The end." in text for text in result.displays)


def test_the_journal_has_the_run(tmp_path: Path) -> None:
    """Every event of a run is on disk when the cell ends, for the user's eyes only."""
    with started(tmp_path) as session, serving(step("1 + 1"), "Two.") as server:
        session.run(agent(server.url))
        (path,) = (tmp_path / ".state" / "codeact" / "runs").glob("*.jsonl")
        events = [json.loads(line)["type"] for line in path.read_text().splitlines()]
        assert events[0] == "RunStarted"
        assert events[-1] == "RunFinished"
        assert events.count("StepFinished") == 2
        assert path.stat().st_mode & 0o077 == 0


class Tab:
    """A front end that opened the comm."""

    def __init__(self, session: Session, **data: Any) -> None:
        self.session = session
        self.id = f"comm-{time.monotonic_ns()}"
        client = session.client
        content = {"comm_id": self.id, "target_name": "codeact", "data": data}
        message = client.session.msg("comm_open", content)
        client.shell_channel.send(message)
        self.hello: dict[str, Any] = {}
        opened = False
        while not opened or not self.hello:  # behind it comes what happened in an earlier run
            told = client.get_iopub_msg(timeout=10)
            self.hello = self.hello or self.data(told)
            idle = told["content"].get("execution_state") == "idle"
            opened = opened or (idle and told["parent_header"].get("msg_id") == message["msg_id"])

    def data(self, message: dict[str, Any]) -> dict[str, Any]:
        """What this message says to the tab, {} when it says nothing."""
        content = message["content"]
        ours = message["msg_type"] == "comm_msg" and content["comm_id"] == self.id
        return content["data"] if ours else {}

    def run(self, code: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Everything on iopub until the cell is idle, and what of it was said to the tab."""
        msg_id = self.session.client.execute(code)
        found: list[dict[str, Any]] = []
        while True:
            message = self.session.client.get_iopub_msg(timeout=20)
            found.append(message)
            idle = message["content"].get("execution_state") == "idle"
            if idle and message["parent_header"].get("msg_id") == msg_id:
                return found, [data for each in found if (data := self.data(each))]


def test_a_front_end_that_makes_cells_gets_edits(kernel: Session) -> None:
    """Steps become cells: inserted, followed, run under their own header, counted, described."""
    tab = Tab(kernel, client="test", cells=True, overrides={"steps": 7})
    assert tab.hello["kind"] == "hello"
    assert tab.hello["protocol"] == 1
    assert tab.hello["grade"]
    with serving(step("print('in the step')"), step("final_answer('end')")) as server:
        messages, told = tab.run(agent(server.url, options="--steps 2"))
    first = told[0]["seq"]
    assert [data["seq"] for data in told] == list(range(first, first + len(told)))
    edits = [data["edit"] for data in told if data["kind"] == "edit"]
    events = [data["event"] for data in told if data["kind"] == "event"]
    # A tab that comes late is told of the run before it, too.
    events = events[max(n for n, each in enumerate(events) if each["type"] == "RunStarted") :]
    assert events[0]["settings"]["steps"] == 7
    assert events[-1]["type"] == "RunFinished"
    follows = [edit for edit in edits if edit["op"] == "follow"]
    inserted = {edit["cell"]: edit for edit in edits if edit["op"] == "insert"}
    assert len(follows) == 2
    assert all(follow["cell"] in inserted for follow in follows)
    mine = [m for m in messages if m["parent_header"].get("msg_id") == follows[0]["msg_id"]]
    kinds = [m["msg_type"] for m in mine]
    assert kinds == ["status", "execute_input", "stream", "status"]
    assert mine[2]["content"]["text"] == "in the step\n"
    assert any(edit["op"] == "metadata" and edit["cell"] == "" for edit in edits)
    assert any(edit["op"] == "notebook" for edit in edits)


def test_a_front_end_that_watches_gets_events_only(kernel: Session) -> None:
    """With cells false the steps stay output of the agent cell, and no edit is sent."""
    tab = Tab(kernel, client="test", cells=False)
    with serving("Hello.") as server:
        messages, told = tab.run(agent(server.url))
    assert {data["kind"] for data in told} == {"event"}
    assert any("Hello." in str(m["content"].get("data")) for m in messages)


def test_wrong_overrides_are_said(kernel: Session) -> None:
    """An override that is no option is a usage error of the next agent cell."""
    tab = Tab(kernel, client="test", cells=False, overrides={"speed": 9})
    messages, _ = tab.run("%%agent\nx")
    (error,) = [m for m in messages if m["msg_type"] == "error"]
    assert "'speed' is not an option" in error["content"]["evalue"]
