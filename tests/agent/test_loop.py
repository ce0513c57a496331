"""The loop, with a scripted model and a fake sandbox: how runs go on and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from codeact_kernel.agent.loop import KEPT, End, run
from codeact_kernel.agent.options import Options, Rules
from codeact_kernel.agent.parse import LONGEST
from codeact_kernel.agent.ports import Chunk, Execution, Finished, Model, Surroundings
from codeact_kernel.errors import (
    ContextOverflow,
    ModelError,
    Refused,
    SandboxDied,
    StreamCut,
    UnknownModel,
)
from codeact_kernel.trace import notebook
from codeact_kernel.trace.events import (
    CodeStarted,
    Event,
    Noticed,
    ReplyArrived,
    ReplyGrew,
    RunFinished,
    Waited,
    fold,
)
from codeact_kernel.trace.layout import Layout
from codeact_kernel.trace.values import (
    Approve,
    Function,
    Image,
    Limits,
    Message,
    Outcome,
    Reject,
    Run,
    Status,
    Task,
    Usage,
    Variable,
)
from tests.fakes import FakeClock, FakeGate, FakeModel, FakeRuntime, Stall

ANSWER = {"final_answer(x)": Execution(status=Status.OK, answer="1", count=2)}


def reply(code: str, thought: str = "Next.") -> str:
    """A reply in the default format."""
    return f"{thought}\n\n<execute>\n{code}\n</execute>"


async def go(
    model: Model, runtime: FakeRuntime | None = None, task: str = "Add.", **changes: Any
) -> tuple[End, list[Event]]:
    """Run a task to its end; the End and the events."""
    events: list[Event] = []
    given = {
        "gate": FakeGate(),
        "clock": FakeClock(),
        "limits": Limits(),
        "options": Options(),
        "emit": events.append,
        "run_id": "run",
        "cell": "agent",
        **changes,
    }
    end = await run(Task(text=task), model=model, runtime=runtime or FakeRuntime(), **given)
    return end, events


def recorded(events: list[Event]) -> Run:
    """The one run these events tell; it survives the notebook, whatever happened in it."""
    trace = fold(events)
    assert notebook.read(notebook.write(trace, {})) == trace
    assert isinstance(events[-1], RunFinished)
    layout = Layout()
    for event in events:
        layout.edits(event)
    return trace.runs[0]


def sentences(events: list[Event], kind: type[Waited] | type[Noticed]) -> list[str]:
    """What the user was told."""
    return [event.sentence for event in events if isinstance(event, kind)]


# ── answers ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_run_is_steps_until_final_answer() -> None:
    """Code runs step by step; final_answer ends the run; fold tells all of it."""
    model = FakeModel(reply("x = 1"), reply("final_answer(x)"))
    runtime = FakeRuntime(results=ANSWER)
    end, events = await go(model, runtime)
    assert (end.outcome, end.answer) == (Outcome.ANSWER, "1")
    made = recorded(events)
    assert [step.code for step in made.steps] == ["x = 1", "final_answer(x)"]
    assert made.steps[-1].answer == made.answer == "1"
    assert [cell for _, cell, _ in runtime.ran] == [step.cell for step in made.steps]
    assert made.usage == Usage(input_tokens=200, output_tokens=20, cost=0.002)


async def test_a_reply_without_code_is_the_answer() -> None:
    """Prose ends the run and is the answer."""
    end, events = await go(FakeModel("It is 2."))
    assert (end.outcome, end.answer) == (Outcome.ANSWER, "It is 2.")
    assert recorded(events).steps[0].code is None


async def test_each_prompt_extends_the_one_before() -> None:
    """Append-only: nothing that was sent is sent differently later; roles alternate."""
    model = FakeModel(reply("a = 1"), reply("b = 2"), "", reply("c = 3"), "Done.")
    await go(model)
    for earlier, later in zip(model.asked, model.asked[1:], strict=False):
        assert later[: len(earlier)] == earlier
    roles = [message.role for message in model.asked[-1]]
    assert roles == ["system", *["user", "assistant"] * 4, "user"]


async def test_the_first_message_tells_what_is_there() -> None:
    """Task, variables and functions, sorted; the system prompt holds nothing that changes."""
    around = Surroundings(
        variables={"df": Variable(type="DataFrame", preview="a b", shape="(3, 2)")},
        functions=(
            Function(name="zoo", signature="(n: int = 1) -> str", doc="Name n animals."),
            Function(name="ant", signature="()"),
        ),
    )
    model = FakeModel("Done.")
    await go(model, FakeRuntime(around=around), task="Count.", limits=Limits(steps=7))
    system, first = model.asked[0]
    assert first.text.startswith("Task:\nCount.\n\n")
    assert "- df: DataFrame (3, 2) = a b" in first.text
    assert 'def ant(): ...\ndef zoo(n: int = 1) -> str:\n    """Name n animals."""' in first.text
    assert "You have 7 steps." in first.text
    assert "7" not in system.text


async def test_the_model_sees_outputs_and_what_became_of_the_variables() -> None:
    """The observation is in the next prompt, to the letter as recorded."""
    outputs = ({"output_type": "stream", "name": "stdout", "text": "hello\n"},)
    runtime = FakeRuntime(
        results={"x = 1": Execution(status=Status.OK, outputs=outputs)},
        effects={"x = 1": {"x": Variable(type="int", preview="1", mark="1")}},
    )
    model = FakeModel(reply("x = 1"), "Done.")
    _, events = await go(model, runtime)
    text = "[step 1/20: ok]\nstdout:\nhello\nnew: x: int = 1"
    assert model.asked[1][-1].text == text
    observation = recorded(events).steps[0].observation
    assert observation is not None
    assert observation.text == text


async def test_images_go_to_models_that_see() -> None:
    """A plot is shown to a model that sees; another is told there was one."""
    plot = {"output_type": "display_data", "data": {"image/png": "AAAA"}, "metadata": {}}
    results = {"plot()": Execution(status=Status.OK, outputs=(plot,))}
    for sees, images in ((True, (Image(mime="image/png", data="AAAA"),)), (False, ())):
        model = FakeModel(reply("plot()"), "Done.", sees=sees)
        await go(model, FakeRuntime(results=results))
        assert model.asked[1][-1].images == images
    assert "you cannot see images" in model.asked[1][-1].text
    blind = FakeModel(reply("plot()"), "Done.", sees=True)
    await go(blind, FakeRuntime(results=results), options=Options(vision=False))
    assert blind.asked[1][-1].images == ()


async def test_what_is_cut_is_kept_in_a_variable() -> None:
    """The whole output is bound to the variable the notice names."""
    text = "".join(f"line {n}\n" for n in range(5000))
    outputs = ({"output_type": "stream", "name": "stdout", "text": text},)
    runtime = FakeRuntime(results={"p()": Execution(status=Status.OK, outputs=outputs)})
    model = FakeModel(reply("p()"), "Done.")
    await go(model, runtime)
    assert runtime.kept == {"_stdout_1": text.rstrip("\n")}
    assert "the variable _stdout_1 has the whole text" in model.asked[1][-1].text


# ── code that does not run ───────────────────────────────────────────────────────────────────────


async def test_a_syntax_error_never_reaches_the_sandbox() -> None:
    """It is the observation at once, and the cell shows it."""
    model, runtime = FakeModel(reply("x = = 1"), "Done."), FakeRuntime()
    _, events = await go(model, runtime)
    assert runtime.ran == []
    observation = recorded(events).steps[0].observation
    assert observation is not None
    assert observation.status is Status.NOT_RUN
    assert "SyntaxError: invalid syntax (line 1)" in model.asked[1][-1].text
    assert "SyntaxError" in observation.outputs[0]["text"]


async def test_the_rules_of_a_profile_refuse() -> None:
    """What the profile forbids is said to the model and not run; nobody is asked."""
    rules = Rules.strict(frozenset({"math"}), ("/work",))
    gate, runtime = FakeGate(), FakeRuntime()
    model = FakeModel(reply("import os"), reply("import math"), "Done.")
    _, events = await go(model, runtime, gate=gate, options=Options(rules=rules))
    assert [code for _, _, code in runtime.ran] == ["import math"]
    assert "importing os is not allowed here. Allowed: math." in model.asked[1][-1].text
    assert "Only these modules can be imported: math." in model.asked[0][-1].text
    assert recorded(events).outcome is Outcome.ANSWER


async def test_a_rejection_goes_to_the_model_with_its_reason() -> None:
    """The person says no: the code does not run, the run goes on."""
    gate = FakeGate(answer=lambda code: Reject(reason="not that file"))
    model, runtime = FakeModel(reply("x = 1"), "Done."), FakeRuntime()
    _, events = await go(model, runtime, gate=gate, options=Options(approve="ask"))
    assert runtime.ran == []
    assert "not that file" in model.asked[1][-1].text
    assert sentences(events, Waited) == ["Step 1 waits for your approval."]


async def test_an_edited_step_runs_as_edited_and_the_model_is_told() -> None:
    """The approved bytes are the bytes that run; proposal and code are both recorded."""
    gate = FakeGate(answer=lambda code: Approve(code="x = 2"))
    model, runtime = FakeModel(reply("x = 1"), "Done."), FakeRuntime()
    _, events = await go(model, runtime, gate=gate, options=Options(approve="ask"))
    step = recorded(events).steps[0]
    assert (step.code, step.proposed) == ("x = 2", "x = 1")
    assert [event.code for event in events if isinstance(event, CodeStarted)] == ["x = 2"]
    assert "It ran as:\nx = 2" in model.asked[1][-1].text


async def test_concerns_reach_the_gate() -> None:
    """The gate hears what the checks found; doubtful names only when everything is asked."""
    for approve, names in (("risky", False), ("ask", True)):
        gate = FakeGate()
        await go(
            FakeModel(reply("!ls\nunknown"), "Done."), gate=gate, options=Options(approve=approve)
        )
        heard = " ".join(gate.asked[0][1])
        assert "runs a shell command" in heard
        assert ("undefined name 'unknown'" in heard) is names


async def test_hints_come_with_an_error() -> None:
    """What the checks doubted is told when the code fails: all errors at once."""
    results = {"a\nb": Execution(status=Status.ERROR)}
    model = FakeModel(reply("a\nb"), "Done.")
    await go(model, FakeRuntime(results=results))
    assert "Line 2: undefined name 'b'." in model.asked[1][-1].text


# ── replies that cannot be read ──────────────────────────────────────────────────────────────────


async def test_an_unreadable_reply_is_repaired_within_its_step() -> None:
    """The model is told what is wrong; the step is the same; the bad reply is recorded."""
    model = FakeModel("", reply("final_answer(x)"))
    _, events = await go(model, FakeRuntime(results=ANSWER), limits=Limits(steps=1))
    made = recorded(events)
    assert made.outcome is Outcome.ANSWER
    assert [each.text for each in made.steps[0].replies] == ["", reply("final_answer(x)")]
    problems = [event.problem for event in events if isinstance(event, ReplyArrived)]
    assert [bool(problem) for problem in problems] == [True, False]
    assert model.asked[1][-1].text == problems[0]


async def test_three_unreadable_replies_end_the_run() -> None:
    """A model that cannot be understood is given up, with the exact problem."""
    end, events = await go(FakeModel("", "", "", "late"))
    assert end.outcome is Outcome.FAILED
    assert "3 replies in a row" in end.reason
    assert len(recorded(events).steps[0].replies) == 3


async def test_a_truncated_reply_is_not_run() -> None:
    """What the provider's output limit cut is asked for again, shorter."""
    cut = (reply("x = 1"), Finished(usage=Usage(), model="m", truncated=True))
    model, runtime = FakeModel(cut, "Done."), FakeRuntime()
    await go(model, runtime)
    assert runtime.ran == []
    assert "cut off" in model.asked[1][-1].text


# ── limits ───────────────────────────────────────────────────────────────────────────────────────


async def test_the_step_limit_is_an_ordinary_end() -> None:
    """After the last step the run ends with everything kept; before it the model is warned."""
    model = FakeModel(*[reply(f"x = {n}") for n in range(9)])
    end, events = await go(model, limits=Limits(steps=3))
    assert end.outcome is Outcome.STEP_LIMIT
    assert "limit of 3 steps" in end.reason
    assert len(recorded(events).steps) == 3
    assert "One step is left" in model.asked[2][-1].text


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(budget=0.0015), "budget of $0.0015"),
        (Limits(tokens=150), "150 tokens"),
        (Limits(seconds=30), "30 s"),
    ],
)
async def test_money_tokens_and_time_end_a_run(limits: Limits, words: str) -> None:
    """Each limit ends the run before the step that would begin beyond it."""
    model = FakeModel(*[reply(f"x = {n}") for n in range(9)])
    end, events = await go(model, limits=limits, clock=FakeClock(tick=2.0))
    assert end.outcome is Outcome.BUDGET
    assert words in end.reason
    assert 0 < len(recorded(events).steps) < 9


async def test_an_unknown_price_is_said_once() -> None:
    """A budget that cannot be kept is not silently ignored."""
    model = FakeModel(reply("x = 1"), "Done.", usage=Usage(input_tokens=1))
    _, events = await go(model, limits=Limits(budget=1.0))
    assert ["price" in sentence for sentence in sentences(events, Noticed)] == [True]


async def test_the_clock_stands_still_while_a_person_thinks() -> None:
    """An approval that takes an hour uses none of the run's time."""
    clock = FakeClock()
    gate = FakeGate(clock=clock, takes=3600.0)
    model = FakeModel(reply("x = 1"), "Done.")
    end, events = await go(model, gate=gate, clock=clock, limits=Limits(seconds=60))
    assert end.outcome is Outcome.ANSWER
    assert recorded(events).seconds < 60


# ── failures ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_provider_that_fails_ends_the_run_with_its_sentence() -> None:
    """One sentence, nothing lost, and the run goes on when it is continued."""
    first = FakeModel(reply("x = 1"), UnknownModel("No such model."))
    end, events = await go(first)
    assert (end.outcome, end.reason) == (Outcome.FAILED, f"No such model. {KEPT}")
    assert len(recorded(events).steps) == 1
    second = FakeModel(reply("final_answer(x)"))
    end, more = await go(
        second, FakeRuntime(results=ANSWER), task="Try again.", conversation=end.conversation
    )
    assert end.outcome is Outcome.ANSWER
    assert second.asked[0][: len(first.asked[1]) - 1] == first.asked[1][:-1]
    assert (
        second.asked[0][-1].text
        == f"{first.asked[1][-1].text}\n\nTry again.\n\nYou have 20 more steps."
    )
    whole = recorded([*events, *more])
    assert [step.number for step in whole.steps] == [1, 2]
    assert whole.added == ("Try again.",)


async def test_retries_are_said_and_bounded() -> None:
    """Retryable errors are asked again after a pause, five times at most."""
    clock = FakeClock()
    busy = Refused("Busy.", status=429, retryable=True, retry_after=3)
    _, events = await go(FakeModel(busy, "Done."), clock=clock)
    assert clock.slept == [3.0]
    assert sentences(events, Waited) == ["Busy. Trying again in 3 s (try 2 of 5)."]
    model = FakeModel(*[Refused("Busy.", status=500, retryable=True)] * 9)
    end, _ = await go(model)
    assert (end.outcome, len(model.asked)) == (Outcome.FAILED, 5)


async def test_a_very_long_retry_after_ends_the_run() -> None:
    """Nobody wants to look at a run that sleeps for an hour."""
    clock = FakeClock()
    end, _ = await go(
        FakeModel(Refused("Busy.", status=429, retryable=True, retry_after=3600)), clock=clock
    )
    assert (end.outcome, clock.slept) == (Outcome.FAILED, [])


async def test_a_stream_cut_twice_fails() -> None:
    """Once is retried from the beginning and said, twice ends the run; half a reply never runs."""
    cut = (reply("x = 1")[:25], StreamCut("It broke.", retryable=True))
    model, runtime = FakeModel(cut, reply("y = 1"), "Done."), FakeRuntime()
    _, events = await go(model, runtime)
    assert [code for _, _, code in runtime.ran] == ["y = 1"]
    assert "thrown away" in sentences(events, Waited)[0]
    end, _ = await go(FakeModel(cut, cut, "Done."))
    assert end.outcome is Outcome.FAILED
    assert end.reason.startswith("It broke. It broke off again")


async def test_a_sandbox_that_fails_ends_the_run() -> None:
    """Its sentence is the reason; the step that was on its way is told."""

    class Broken(FakeRuntime):
        async def execute(self, number: int, cell: str, code: str) -> Execution:
            raise SandboxDied("It is gone.")

    end, events = await go(FakeModel(reply("x = 1")), Broken())
    assert (end.outcome, end.reason) == (Outcome.FAILED, f"It is gone. {KEPT}")
    observation = recorded(events).steps[0].observation
    assert observation is not None
    assert observation.status is Status.INTERRUPTED


async def test_a_mistake_of_ours_is_a_sentence_too(caplog: pytest.LogCaptureFixture) -> None:
    """A bug ends the run as failed, with everything kept; the traceback goes to the log, and the
    user is told where that is."""
    end, events = await go(FakeModel(ZeroDivisionError("oops")))
    assert end.outcome is Outcome.FAILED
    assert "log, in the terminal" in end.reason
    assert "ZeroDivisionError" not in end.reason
    assert recorded(events).outcome is Outcome.FAILED
    assert "ZeroDivisionError: oops" in caplog.text


# ── context ──────────────────────────────────────────────────────────────────────────────────────


async def test_room_is_made_when_the_model_says_it_overflows() -> None:
    """Old observations are stubbed, variables listed, the question asked again, and it is said."""
    long = ({"output_type": "stream", "name": "stdout", "text": "word " * 1500},)
    results = {f"x = {n}": Execution(status=Status.OK, outputs=long) for n in range(4)}
    effects = {"x = 0": {"x": Variable(type="int", preview="0")}}
    model = FakeModel(*[reply(f"x = {n}") for n in range(4)], ContextOverflow("Full."), "Done.")
    end, events = await go(model, FakeRuntime(results=results, effects=effects))
    assert end.outcome is Outcome.ANSWER
    sent = model.asked[-1]
    assert sum("output removed" in message.text for message in sent) == 3
    assert "word word" in sent[-1].text
    assert "- x: int = 0" in sent[-1].text
    assert any("no longer sees" in sentence for sentence in sentences(events, Noticed))


async def test_an_overflow_without_room_fails() -> None:
    """When there is nothing to leave out the sentence of the error is the end."""
    end, _ = await go(FakeModel(ContextOverflow("Full.")))
    assert (end.outcome, end.reason) == (Outcome.FAILED, "Full.")


# ── replies without an end ───────────────────────────────────────────────────────────────────────


class Endless(FakeModel):
    """Sends the same piece for ever, on a clock that moves with each."""

    def __init__(self, piece: str, clock: FakeClock, seconds: float) -> None:
        super().__init__()
        self.part, self.clock, self.each = piece, clock, seconds
        self.sent = 0

    async def stream(self, messages: Sequence[Message]) -> AsyncIterator[Chunk | Finished]:
        try:
            while True:
                self.sent += 1
                self.clock.time += self.each
                yield Chunk(text=self.part)
        finally:
            self.closed += 1


async def test_a_reply_that_never_ends_is_cut_off() -> None:
    """It is left at the longest length, said and not run; the provider is stopped each time."""
    clock = FakeClock()
    model = Endless("<execute>\nx = 1\n</execute>\n" * 40, clock, 0.0)
    end, events = await go(model, clock=clock)
    made = recorded(events)
    assert (end.outcome, made.steps[0].code) == (Outcome.FAILED, None)
    assert [len(each.text) for each in made.steps[0].replies] == [LONGEST] * 3
    assert model.closed == 3
    assert f"cut off at {LONGEST:,} characters" in sentences(events, Noticed)[0]
    assert made.usage.estimated


async def test_a_long_reply_is_drawn_ever_more_rarely() -> None:
    """All drawings together cost as much as some fifty of the whole, however fast the clock is."""
    clock = FakeClock()
    model = Endless("some words ", clock, 1.0)
    drawn = [
        len(event.thought)
        for event in (await go(model, clock=clock))[1]
        if isinstance(event, ReplyGrew)
    ]
    assert max(drawn) > 15_000
    assert sum(drawn) < 3 * 60 * max(drawn)


@pytest.mark.parametrize("piece", ["", "."])
async def test_a_reply_has_a_longest_time(piece: str) -> None:
    """Signs of life for ever end the run with a sentence; they are not asked for again."""
    clock = FakeClock()
    model = Endless(piece, clock, 20.0)
    end, _ = await go(model, clock=clock)
    assert end.outcome is Outcome.FAILED
    assert "within 30 minutes" in end.reason
    assert model.sent == 91


async def test_a_stop_while_a_long_reply_is_read_keeps_the_reply() -> None:
    """It was paid for; the step is told with it."""
    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, ReplyGrew):
            task.cancel()

    long = "word " * 5_000
    task = asyncio.create_task(go(FakeModel(long), emit=emit))
    end, _ = await asyncio.wait_for(task, 10)
    assert end.outcome is Outcome.STOPPED
    assert recorded(events).steps[0].replies[0].text == long


# ── stops ────────────────────────────────────────────────────────────────────────────────────────


async def stopped(
    model: FakeModel, runtime: FakeRuntime, when: asyncio.Event
) -> tuple[End, list[Event]]:
    """Stop a run when the event is set; it must return by itself."""
    events: list[Event] = []
    task = asyncio.create_task(go(model, runtime, emit=events.append))
    await asyncio.wait_for(when.wait(), 10)
    task.cancel()
    end, _ = await asyncio.wait_for(task, 10)
    assert not task.cancelling()
    return end, events


async def test_a_stop_while_the_model_writes() -> None:
    """The stream is closed, the step never happened, the run is stopped and can go on."""
    model = FakeModel(reply("x = 1"), Stall())
    end, events = await stopped(model, FakeRuntime(), model.stalled)
    assert end.outcome is Outcome.STOPPED
    assert model.closed == 2
    assert [step.number for step in recorded(events).steps] == [1]
    end, more = await go(FakeModel("Done."), conversation=end.conversation, task="")
    assert [step.number for step in recorded([*events, *more]).steps] == [1, 2]


@pytest.mark.parametrize("returns", [True, False])
async def test_a_stop_while_code_runs(returns: bool) -> None:
    """The step is told as interrupted, whether the runtime returns or is cancelled through."""
    runtime = FakeRuntime(hang="while True: pass", returns_when_stopped=returns)
    model = FakeModel(reply("while True: pass"), "never")
    end, events = await stopped(model, runtime, runtime.running)
    assert end.outcome is Outcome.STOPPED
    observation = recorded(events).steps[0].observation
    assert observation is not None
    assert observation.status is Status.INTERRUPTED
    assert len(model.asked) == 1


LONG = ({"output_type": "stream", "name": "stdout", "text": "paid\n" + "word\n" * 9000},)


@pytest.mark.parametrize("where", ["surroundings", "keep"])
async def test_a_stop_after_the_code_ran_keeps_what_it_did(where: str) -> None:
    """The step is told as run, with its outputs: going on must not do it a second time."""
    ran = Execution(status=Status.OK, outputs=LONG, count=3)
    runtime = FakeRuntime(results={"pay()": ran})
    runtime.lost, runtime.unkept = (Stall(), None) if where == "surroundings" else (None, Stall())
    end, events = await stopped(FakeModel(reply("pay()"), "never"), runtime, runtime.running)
    assert end.outcome is Outcome.STOPPED
    observation = recorded(events).steps[0].observation
    assert observation is not None
    assert (observation.status, observation.outputs, observation.count) == (Status.OK, LONG, 3)
    assert "is missing" in observation.text
    model = FakeModel("Done.")
    await go(model, conversation=end.conversation, task="")
    told = "\n".join(message.text for message in model.asked[0])
    assert "[step 1/20: ok]\nstdout:\npaid" in told
    assert "not run" not in told.partition("[step 1")[2]


@pytest.mark.parametrize("where", ["surroundings", "keep"])
async def test_a_sandbox_that_cannot_say_what_it_holds_loses_no_step(where: str) -> None:
    """The run goes on; the model is told that the variables are not known, or one not made."""
    gone = SandboxDied("It is gone.")
    runtime = FakeRuntime(results={"pay()": Execution(status=Status.OK, outputs=LONG)})
    runtime.lost, runtime.unkept = (gone, None) if where == "surroundings" else (None, gone)
    model = FakeModel(reply("pay()"), "Done.")
    end, events = await go(model, runtime)
    assert end.outcome is Outcome.ANSWER
    observation = recorded(events).steps[0].observation
    assert observation is not None
    assert (observation.status, observation.outputs) == (Status.OK, LONG)
    words = "not known: It is gone." if where == "surroundings" else "is missing"
    assert words in model.asked[1][-1].text


async def test_an_answer_survives_a_stop_right_after_it() -> None:
    """What final_answer said is in the step, though the run ended as stopped."""
    runtime = FakeRuntime(results=ANSWER, lost=Stall())
    end, events = await stopped(FakeModel(reply("final_answer(x)")), runtime, runtime.running)
    assert end.outcome is Outcome.STOPPED
    assert recorded(events).steps[0].answer == "1"


async def test_the_reply_is_shown_as_it_grows() -> None:
    """ReplyGrew has what there is so far; the last one is the whole."""
    model = FakeModel(reply("x = 1\ny = 2"), "Done.", piece=3)
    _, events = await go(model, clock=FakeClock(tick=0.05))
    grown = [event for event in events if isinstance(event, ReplyGrew) and event.number == 1]
    assert len(grown) > 3
    assert (grown[-1].thought, grown[-1].code) == ("Next.", "x = 1\ny = 2")


async def test_a_model_that_is_not_ready_fails_the_run() -> None:
    """What `prepare` raises is an end like any other."""

    class Keyless(FakeModel):
        async def prepare(self) -> None:
            raise ModelError("No key.")

    end, events = await go(Keyless())
    assert (end.outcome, end.reason) == (Outcome.FAILED, "No key.")
    assert recorded(events).steps == ()
