"""A run stands still before the model is asked, and what the model is shown can be changed meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

from codeact_kernel.agent.context import Conversation
from codeact_kernel.agent.hold import Hold
from codeact_kernel.agent.observe import stub
from codeact_kernel.models.replay import ReplayModel
from codeact_kernel.trace.events import (
    Event,
    Held,
    Noticed,
    Released,
    RunFinished,
)
from codeact_kernel.trace.values import Observation, Outcome, Status, Trace, Usage
from tests.agent.test_loop import ANSWER, go, recorded, reply
from tests.fakes import FakeClock, FakeModel, FakeRuntime, Stall

EDIT = "[step 1/20: ok]\nThe person says: use the other file."


class Person:
    """Watches a run and does something about it at an event."""

    def __init__(self, **when: Any) -> None:
        self.hold = Hold()
        self.events: list[Event] = []
        self._when = when

    def emit(self, event: Event) -> None:
        """Told of an event, as the panel is."""
        self.events.append(event)
        act = self._when.pop(type(event).__name__, None)
        if act is not None:
            act(self.hold)

    def kinds(self) -> list[str]:
        """What happened, by name."""
        return [type(event).__name__ for event in self.events]


async def test_a_held_run_asks_when_it_may_go_on() -> None:
    """Nothing is lost or changed by a hold, and its time is not the run's."""
    clock = FakeClock()

    def much_later(hold: Hold) -> None:
        clock.time += 500
        hold.end()

    person = Person(Observed=Hold.begin, Held=much_later)
    model = FakeModel(reply("x = 1"), "Done.")
    end, _ = await go(model, emit=person.emit, hold=person.hold, clock=clock)
    assert end.outcome is Outcome.ANSWER
    assert Held(run="run", number=2, observation=1) in person.events
    assert Released(run="run", number=2) in person.events
    assert len(model.asked) == 2
    (finished,) = (event for event in person.events if isinstance(event, RunFinished))
    assert finished.seconds < 500


async def test_what_the_person_changes_is_what_the_model_is_shown() -> None:
    """Both texts are in the trace, and each prompt still extends the one before."""
    person = Person(Observed=Hold.begin, Held=lambda hold: hold.end(EDIT))
    model = FakeModel(reply("x = 1"), reply("y = 2"), "Done.")
    await go(model, emit=person.emit, hold=person.hold)
    made = recorded(person.events)
    first, second = (step.observation for step in made.steps[:2])
    assert first is not None
    assert second is not None
    assert (first.text, second.original) == (EDIT, None)
    assert first.original is not None
    assert first.original.startswith("[step 1/20: ok]")
    shown = [messages[-1].text for messages in model.asked]
    assert shown[1] == EDIT
    assert model.asked[2][: len(model.asked[1])] == model.asked[1]


async def test_a_question_that_is_under_way_is_taken_back() -> None:
    """Its stream is closed, what was written of it is thrown away, and it is asked again as edited."""
    person = Person(Held=lambda hold: hold.end(EDIT))
    model = FakeModel(reply("x = 1"), Stall(), "Done.")
    run = asyncio.create_task(go(model, emit=person.emit, hold=person.hold))
    await model.stalled.wait()
    person.hold.begin()
    end, _ = await run
    assert end.outcome is Outcome.ANSWER
    assert model.closed == 3
    assert [messages[-1].text for messages in model.asked[1:]][1] == EDIT
    held, grew = person.kinds().index("Held"), person.kinds().index("ReplyGrew")
    assert grew < held
    assert len(recorded(person.events).steps) == 2


async def test_before_the_first_question_there_is_nothing_to_change() -> None:
    """A hold stands still all the same."""
    person = Person(RunStarted=Hold.begin, Held=Hold.end)
    await go(FakeModel("Done."), emit=person.emit, hold=person.hold)
    assert Held(run="run", number=1, observation=0) in person.events


async def test_a_held_run_can_be_stopped() -> None:
    """As any other; what was seen last can be changed when it is continued."""
    held = asyncio.Event()
    person = Person(Observed=Hold.begin, Held=lambda hold: held.set())
    run = asyncio.create_task(go(FakeModel(reply("x = 1")), emit=person.emit, hold=person.hold))
    await held.wait()
    run.cancel()
    end, _ = await run
    assert end.outcome is Outcome.STOPPED
    assert end.conversation.unanswered == 1
    assert person.hold.observation is None
    end.conversation.amend(EDIT)
    model = FakeModel("Done.")
    await go(model, task="", conversation=end.conversation)
    assert model.asked[0][-1].text.startswith(EDIT)


async def test_a_hold_that_is_ended_in_time_holds_nothing() -> None:
    """The person thought better of it while code ran."""
    person = Person(CodeStarted=Hold.begin, Observed=Hold.end)
    await go(FakeModel(reply("x = 1"), "Done."), emit=person.emit, hold=person.hold)
    assert "Held" not in person.kinds()
    assert not person.hold.end()


async def test_a_replay_makes_the_same_of_what_it_sees() -> None:
    """A recorded edit is made again where the observation is the same, so every prompt is as recorded."""
    person = Person(Observed=Hold.begin, Held=lambda hold: hold.end(EDIT))
    script = (reply("x = 1"), reply("final_answer(x)"))
    await go(FakeModel(*script), FakeRuntime(results=ANSWER), emit=person.emit, hold=person.hold)
    made = recorded(person.events)
    replay = ReplayModel(Trace(runs=(made,)), name="replay/x.ipynb")
    again: list[Event] = []
    await go(replay, FakeRuntime(results=ANSWER), task=made.task, emit=again.append)
    assert not [event for event in again if isinstance(event, Noticed)]
    assert recorded(again).steps == made.steps


async def test_a_replay_that_is_held_plays_the_same_reply_again() -> None:
    """A question that is taken back uses up nothing of the recording."""
    _, events = await go(FakeModel(reply("x = 1"), "Done."))
    replay = ReplayModel(Trace(runs=(recorded(events),)), name="replay/x.ipynb")
    person = Person(ReplyGrew=Hold.begin, Held=Hold.end)
    end, _ = await go(replay, emit=person.emit, hold=person.hold)
    assert end.answer == "Done."
    assert "Held" in person.kinds()


def test_words_of_a_person_outlive_the_room_that_is_made() -> None:
    """An observation they changed is never stubbed; one they did not change is."""
    talk = Conversation(system="s")
    talk.tell("Task")
    for number in (1, 2):
        talk.messages()
        talk.hear("reply", Usage())
        talk.tell("word " * 2000, stub=stub(number), step=number)
        if number == 1:
            talk.amend(EDIT * 300)
    assert talk.unanswered == 2
    assert talk.make_room(keep=0)
    texts = [message.text for message in talk.messages()]
    assert EDIT * 300 in texts
    assert texts[-1] == stub(2)


def test_only_an_unanswered_observation_is_open() -> None:
    """Once the model has replied there is none, whatever is told besides."""
    talk = Conversation(system="s")
    assert talk.unanswered == 0
    talk.tell("saw it", step=1)
    talk.tell("Go on.")
    talk.messages()
    talk.tell("And quickly.")
    assert talk.unanswered == 1
    talk.amend("saw nothing")
    assert talk.messages()[-1].text == "saw nothing\n\nGo on.\n\nAnd quickly."
    talk.hear("reply", Usage())
    assert talk.unanswered == 0


def test_changed_back_is_not_changed() -> None:
    """The original is the kernel's own, however often the text is changed."""
    seen = Observation(status=Status.OK, text="a")
    assert seen.edited("b").edited("c") == Observation(status=Status.OK, text="c", original="a")
    assert seen.edited("b").edited("a") == seen
