"""The loop: context → model.stream → parse → checks → gate → execute → observation → Step.

Rule: `run` always ends by returning an End and emitting RunFinished, and every step that got a
reply is emitted as StepFinished, whatever happens in between. Limits, unreadable replies and code
that fails are values; a provider or a sandbox that fails ends the run with its sentence; a stop
(cancellation of the task) ends it as stopped. Everything that is kept is in the Conversation of
the End: passed back in with the same run id, the run goes on.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from codeact_kernel.agent import prompt, source
from codeact_kernel.agent.code_turn import CodeTurn
from codeact_kernel.agent.context import Conversation
from codeact_kernel.agent.hold import Hold
from codeact_kernel.agent.limits import Ending, Meter
from codeact_kernel.agent.model_turn import REPAIRS, ModelTurn
from codeact_kernel.agent.options import Options
from codeact_kernel.agent.ports import Clock, Gate, Model, Runtime
from codeact_kernel.agent.record import Record
from codeact_kernel.errors import ModelError, SandboxError
from codeact_kernel.trace.events import Emit, RunFinished, RunStarted
from codeact_kernel.trace.values import Finish, Limits, Malformed, Outcome, RunCode, Task

KEPT = "Everything done so far is kept; continue the run to go on."
STOPPED = Ending(outcome=Outcome.STOPPED, reason=f"The run was stopped. {KEPT}")
MISTAKE = Ending(
    outcome=Outcome.FAILED,
    reason=(
        "codeact-kernel itself failed, by a mistake of its own. What happened is in the kernel's "
        "log, in the terminal Jupyter or codeact was started in; if it happens again, report it "
        f"with that. {KEPT}"
    ),
)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How the run ended, and what it takes to continue it."""

    outcome: Outcome
    answer: str | None
    reason: str
    conversation: Conversation


async def run(
    task: Task,
    *,
    model: Model,
    runtime: Runtime,
    gate: Gate,
    clock: Clock,
    limits: Limits,
    options: Options,
    emit: Emit,
    run_id: str,
    cell: str,
    conversation: Conversation | None = None,
    hold: Hold | None = None,
) -> End:
    """Work on the task until there is an answer or another end; never raises for any of these.

    To continue a run pass the `conversation` of its End and the same `run_id`; the task is then
    what the user added, "" for nothing. Limits count anew. Cancelling the task that awaits this
    stops the run: it still returns normally. `hold` lets the person hold it, None: nobody does.
    """
    settings = _settings(limits, options)
    emit(RunStarted(id=run_id, task=task.text, model=model.name, cell=cell, settings=settings))
    talk = conversation or Conversation(system=prompt.system())
    meter = Meter(limits=limits, clock=clock)
    record = Record(run=run_id, emit=emit, conversation=talk)
    walk = _Walk(
        meter=meter,
        record=record,
        conversation=talk,
        mind=ModelTurn(
            model=model, meter=meter, record=record, conversation=talk, hold=hold or Hold()
        ),
        hands=CodeTurn(
            runtime=runtime,
            gate=gate,
            meter=meter,
            options=options,
            sees=lambda: model.sees if options.vision is None else options.vision,
            record=record,
            conversation=talk,
        ),
    )
    ending = await walk.to_the_end(task, continued=conversation is not None)
    emit(
        RunFinished(
            run=run_id,
            outcome=ending.outcome,
            answer=ending.answer,
            reason=ending.reason,
            seconds=meter.seconds,
        )
    )
    return End(
        outcome=ending.outcome, answer=ending.answer, reason=ending.reason, conversation=talk
    )


@dataclass(slots=True, kw_only=True)
class _Walk:
    """One request on its way."""

    meter: Meter
    record: Record
    conversation: Conversation
    mind: ModelTurn
    hands: CodeTurn

    async def to_the_end(self, task: Task, *, continued: bool) -> Ending:
        """Step after step; whatever ends it is an Ending."""
        try:
            await self._begin(task, continued)
            ending = self.meter.reached()
            while ending is None:
                ending = await self._step() or self.meter.reached()
        except asyncio.CancelledError:
            ending = STOPPED
        except (ModelError, SandboxError) as error:
            self.record.leave()
            kept = f" {KEPT}" if self.conversation.steps else ""
            ending = Ending(outcome=Outcome.FAILED, reason=f"{error}{kept}")
        except Exception:
            log.exception("the loop failed")
            ending = MISTAKE
        self.record.leave()
        _forget_the_stop()
        return ending

    async def _begin(self, task: Task, continued: bool) -> None:
        await self.mind.model.prepare()
        await asyncio.to_thread(source.warm)
        around = self.hands.around = await self.hands.runtime.surroundings()
        steps = self.meter.limits.steps
        if continued:
            self.conversation.tell(prompt.continuation(task.text, steps))
        else:
            self.conversation.tell(
                prompt.opening(
                    task.text,
                    around.variables,
                    around.functions,
                    steps,
                    self.hands.options.rules,
                )
            )

    async def _step(self) -> Ending | None:
        """One step from the question to the observation. The run's end, or None to go on."""
        self.meter.steps += 1
        self.record.begin()
        match await self.mind.act(self.hands.around):
            case Finish(answer=text):
                self.record.note(answer=text)
                answer: str | None = text
            case RunCode(thought=thought, code=code):
                answer = await self.hands.carry_out(thought, code)
            case Malformed(problem=problem):
                return _unreadable(self.mind.model.name, problem)
        self.record.close()
        if answer is not None:
            return Ending(outcome=Outcome.ANSWER, answer=answer)
        return STOPPED if _stop_is_wanted() else None


def _settings(limits: Limits, options: Options) -> dict[str, Any]:
    """The header's settings: plain JSON."""
    return {
        "steps": limits.steps,
        "budget": limits.budget,
        "tokens": limits.tokens,
        "seconds": limits.seconds,
        "approve": options.approve,
        "vision": options.vision,
        "format": options.format,
        **options.record,
    }


def _unreadable(model: str, problem: str) -> Ending:
    reason = (
        f"{model} sent {REPAIRS + 1} replies in a row that could not be read "
        f"(what it was told at last: {problem}) {KEPT}"
    )
    return Ending(outcome=Outcome.FAILED, reason=reason)


def _stop_is_wanted() -> bool:
    """Whether a stop came while the runtime was busy, and the runtime swallowed it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _forget_the_stop() -> None:
    """The stop has been obeyed: later waits of this task must not see it."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
