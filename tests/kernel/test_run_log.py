"""What a late front end is told draws the run that an early one saw, in little room."""

from __future__ import annotations

from codeact_kernel.kernel.panel.run_log import TEXTS, RunLog
from codeact_kernel.kernel.run.encoding import event_json
from codeact_kernel.trace.events import (
    CodeProposed,
    CodeStarted,
    Event,
    Noticed,
    Observed,
    OutputArrived,
    ReplyArrived,
    ReplyGrew,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from codeact_kernel.trace.values import Observation, Outcome, Reply, Status, Step, Usage

USAGE = Usage(input_tokens=10, output_tokens=2, cost=0.5)


def step(number: int, text: str = "1") -> Step:
    """A finished one."""
    reply = Reply(text="code", model="m", prompt="p", usage=USAGE)
    observation = Observation(status=Status.OK, text=text, outputs=({"output_type": "stream"},))
    return Step(
        number=number, cell=f"c{number}", replies=(reply,), code="1", observation=observation
    )


def events_of(number: int) -> list[Event]:
    """A step from its beginning to its end."""
    done = step(number)
    assert done.observation is not None
    return [
        StepStarted(run="r", number=number, cell=done.cell),
        ReplyGrew(run="r", number=number, thought="", code="1"),
        ReplyGrew(run="r", number=number, thought="", code="1 + 1"),
        ReplyArrived(run="r", number=number, reply=done.replies[0]),
        CodeProposed(run="r", number=number, cell=done.cell, thought="", code="1"),
        CodeStarted(run="r", number=number, cell=done.cell, code="1"),
        OutputArrived(run="r", number=number, output={"output_type": "stream"}),
        Observed(run="r", number=number, observation=done.observation),
        StepFinished(run="r", step=done),
    ]


def kinds(log: RunLog) -> list[str]:
    """What would be told, by name."""
    return [data["type"] for _, data in log.told()]


def test_a_finished_step_stands_for_all_of_it() -> None:
    """And what only animates is told once, as it was last."""
    log = RunLog()
    for event in (RunStarted(id="r", task="t", model="m"), *events_of(1), *events_of(2)[:3]):
        log.add(event)
    assert kinds(log) == ["RunStarted", "StepFinished", "StepStarted", "ReplyGrew"]
    assert list(log.told())[-1][1]["code"] == "1 + 1"
    assert list(log.told())[1][1]["step"]["observation"]["outputs"] == []


def test_ages_are_seconds_since_then() -> None:
    """A front end can say how long a run has been going on."""
    clock = iter((100.0, 103.0, 110.0))
    log = RunLog(lambda: next(clock))
    log.add(RunStarted(id="r", task="t", model="m"))
    log.add(Noticed(run="r", sentence="s"))
    assert [age for age, _ in log.told()] == [10.0, 7.0]


def test_a_new_run_begins_anew_and_a_continued_one_goes_on() -> None:
    """The steps before a continuation belong to the same run."""
    log = RunLog()
    first = RunStarted(id="r", task="t", model="m")
    end = RunFinished(run="r", outcome=Outcome.STEP_LIMIT)
    for event in (first, *events_of(1), end, RunStarted(id="r", task="more", model="m")):
        log.add(event)
    assert kinds(log) == ["RunStarted", "StepFinished", "RunFinished", "RunStarted"]
    log.add(RunStarted(id="r2", task="t", model="m"))
    assert kinds(log) == ["RunStarted"]


def test_old_steps_lose_their_texts_and_no_figures() -> None:
    """Whatever a run prints, the log stays small, and tokens and money add up."""
    log = RunLog()
    log.add(RunStarted(id="r", task="t", model="m"))
    for number in range(1, 41):
        log.add(StepFinished(run="r", step=step(number, "x" * 100_000)))
    told = [data for _, data in log.told()]
    steps = [data["step"] for data in told[1:]]
    assert len(steps) == 40
    assert {each["replies"][0]["usage"]["cost"] for each in steps} == {0.5}
    assert steps[-1]["observation"]["text"] == "x" * 100_000
    assert len(steps[0]["observation"]["text"]) < 100
    assert len(str(told)) < 1.2 * TEXTS


def test_one_step_larger_than_all_room_is_kept() -> None:
    """The newest is what is looked at."""
    log = RunLog()
    log.add(RunStarted(id="r", task="t", model="m"))
    huge = StepFinished(run="r", step=step(1, "x" * (TEXTS + 1)))
    log.add(huge)
    assert list(log.told())[-1][1]["step"]["observation"]["text"] == "x" * (TEXTS + 1)
    assert event_json(huge)["type"] == "StepFinished"
