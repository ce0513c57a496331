"""The loop, with a scripted model and a fake sandbox."""

from __future__ import annotations

from typing import Any

from codeact_kernel.agent.loop import End, run
from codeact_kernel.agent.options import Options
from codeact_kernel.agent.ports import Execution
from codeact_kernel.trace.events import Event, fold
from codeact_kernel.trace.values import Limits, Outcome, Status, Task
from tests.fakes import FakeClock, FakeGate, FakeModel, FakeRuntime


def reply(code: str, thought: str = "Next.") -> str:
    """A reply in the default format."""
    return f"{thought}\n\n<execute>\n{code}\n</execute>"


async def go(
    model: FakeModel, runtime: FakeRuntime | None = None, task: str = "Add.", **changes: Any
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


async def test_a_run_is_steps_until_final_answer() -> None:
    """Code runs step by step; final_answer ends the run; fold tells all of it."""
    model = FakeModel(reply("x = 1"), reply("final_answer(x)"))
    runtime = FakeRuntime(results={"final_answer(x)": Execution(status=Status.OK, answer="1")})
    end, events = await go(model, runtime)
    assert (end.outcome, end.answer) == (Outcome.ANSWER, "1")
    recorded = fold(events).runs[0]
    assert [step.code for step in recorded.steps] == ["x = 1", "final_answer(x)"]
    assert recorded.steps[-1].answer == recorded.answer == "1"
    assert [code for _, _, code in runtime.ran] == ["x = 1", "final_answer(x)"]
