"""The replay model gives back what was recorded, and says when it does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codeact_kernel.agent.ports import Chunk, Finished
from codeact_kernel.agent.prompt import opening
from codeact_kernel.errors import ReplayEnded
from codeact_kernel.models.choose import open_model
from codeact_kernel.models.replay import ReplayModel
from codeact_kernel.trace.digest import digest
from codeact_kernel.trace.values import Message, Reply, Run, Step, Trace, Usage

SYSTEM = Message(role="system", text="s")


def asked(task: str, *said: str) -> tuple[Message, ...]:
    """A conversation about a task; what was said alternates assistant, user."""
    rest = (Message(role=("assistant", "user")[n % 2], text=text) for n, text in enumerate(said))
    return (SYSTEM, Message(role="user", text=opening(task, {}, (), 20)), *rest)


def recorded(task: str, *replies: str) -> Run:
    """A run whose replies answered `asked(task, ...)`."""
    said: list[str] = []
    steps = []
    for number, text in enumerate(replies, 1):
        prompt = digest(asked(task, *said))
        reply = Reply(text=text, model="real/one", prompt=prompt, usage=Usage(input_tokens=number))
        steps.append(Step(number=number, cell=f"c{number}", replies=(reply,)))
        said += [text, f"saw {number}"]
    return Run(id=task, task=task, model="real/one", steps=tuple(steps))


def model(*runs: Run) -> ReplayModel:
    """A replay of these runs."""
    made = open_model("replay/x.ipynb", load_trace=lambda path: Trace(runs=runs))
    assert isinstance(made, ReplayModel)
    return made


async def say(model: ReplayModel, messages: tuple[Message, ...]) -> tuple[str, Finished]:
    """One whole reply."""
    *chunks, last = [piece async for piece in model.stream(messages)]
    assert isinstance(last, Finished)
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Chunk)), last


async def test_replies_come_in_order_with_the_recorded_name_and_usage() -> None:
    """To the letter, in small chunks, as if the recorded model spoke."""
    long = "x = 1\n" * 30
    replay = model(recorded("add", long, "done"))
    text, last = await say(replay, asked("add"))
    assert (text, last.model, last.usage, last.notice) == (
        long,
        "real/one",
        Usage(input_tokens=1),
        "",
    )
    text, last = await say(replay, asked("add", long, "saw 1"))
    assert (text, last.notice) == ("done", "")


async def test_another_prompt_is_said_once() -> None:
    """The step where the prompt first differs is named, in the run's own notices."""
    replay = model(recorded("add", "one", "two", "three"))
    assert (await say(replay, asked("add")))[1].notice == ""
    notice = (await say(replay, asked("add", "one", "saw something else")))[1].notice
    assert "From step 2 on" in notice
    assert (await say(replay, asked("add", "one", "saw something else", "two", "x")))[
        1
    ].notice == ""


async def test_the_run_with_the_task_is_chosen_else_the_next() -> None:
    """Runs are found by their task, whatever their order, and again when their cell is run again;
    an unknown task gets the next one that was not played."""
    replay = model(recorded("first", "1"), recorded("second", "2"), recorded("third", "3"))
    assert (await say(replay, asked("second")))[0] == "2"
    assert (await say(replay, asked("unheard of")))[0] == "1"
    assert (await say(replay, asked("third")))[0] == "3"
    assert (await say(replay, asked("second")))[0] == "2"


async def test_the_end_of_the_recording_is_an_error() -> None:
    """No reply left, and no run left, each with what to do."""
    replay = model(recorded("add", "one"))
    await say(replay, asked("add"))
    with pytest.raises(ReplayEnded, match="no further reply"):
        await say(replay, asked("add", "one", "saw 1"))
    with pytest.raises(ReplayEnded, match="no run with this task"):
        await say(replay, asked("subtract"))


def test_a_replay_names_its_notebook_without_the_folder() -> None:
    """The name goes into a trace that is shared; where the recording lies is nobody's business."""
    made = open_model("replay/some/private place/x.ipynb", load_trace=lambda path: Trace())
    assert made.name == "replay/x.ipynb"


async def test_a_run_that_was_taken_back_to_its_beginning_goes_on() -> None:
    """A conversation that begins anew within a run is played on, when it was recorded so."""
    run = recorded("add", "wrong", "right")
    first, second = run.steps
    again = (*asked("add")[:-1], Message(role="user", text="Taken back. Again."))
    reply = replace(second.replies[0], prompt=digest(again))
    replay = model(replace(run, steps=(first, replace(second, replies=(reply,)))))
    assert (await say(replay, asked("add")))[0] == "wrong"
    text, last = await say(replay, again)
    assert (text, last.notice) == ("right", "")
