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
from dataclasses import dataclass, field, replace
from typing import Any

from codeact_kernel.agent import observe, prompt
from codeact_kernel.agent.ask import Answered, ask
from codeact_kernel.agent.checks import Checked, check
from codeact_kernel.agent.context import Conversation, high_water
from codeact_kernel.agent.limits import Ending, Meter
from codeact_kernel.agent.options import Options
from codeact_kernel.agent.parse import parse
from codeact_kernel.agent.ports import Clock, Execution, Gate, Model, Runtime, Surroundings
from codeact_kernel.agent.streaming import SoFar
from codeact_kernel.errors import ContextOverflow, ModelError, SandboxError
from codeact_kernel.trace.cells import step_cell_id
from codeact_kernel.trace.events import (
    CodeProposed,
    CodeStarted,
    Emit,
    Noticed,
    Observed,
    ReplyArrived,
    ReplyGrew,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    Waited,
)
from codeact_kernel.trace.values import (
    Action,
    Decision,
    Finish,
    Limits,
    Malformed,
    Observation,
    Outcome,
    Reject,
    Reply,
    RunCode,
    Status,
    Step,
    Task,
)

LAST_STEP = "One step is left: end with final_answer(value) now."
REPAIRS = 2
"""So often an unreadable reply is answered with what is wrong with it, within one step."""
KEPT = "Everything done so far is kept; continue the run to go on."
STOPPED = f"The run was stopped. {KEPT}"
ROOM = "The conversation grew long, so the model no longer sees the outputs of early steps."
logger = logging.getLogger(__name__)


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
) -> End:
    """Work on the task until there is an answer or another end; never raises for any of these.

    To continue a run pass the `conversation` of its End and the same `run_id`; the task is then
    what the user added, "" for nothing. Limits count anew. Cancelling the task that awaits this
    stops the run: it still returns normally.
    """
    settings = _settings(limits, options)
    emit(RunStarted(id=run_id, task=task.text, model=model.name, cell=cell, settings=settings))
    known = conversation is not None
    walk = _Walk(
        model=model,
        runtime=runtime,
        gate=gate,
        meter=Meter(limits=limits, clock=clock),
        options=options,
        emit=emit,
        run=run_id,
        conversation=conversation or Conversation(system=prompt.system()),
    )
    ending = await walk.to_the_end(task, known=known)
    emit(
        RunFinished(
            run=run_id,
            outcome=ending.outcome,
            answer=ending.answer,
            reason=ending.reason,
            seconds=walk.meter.seconds,
        )
    )
    return End(
        outcome=ending.outcome,
        answer=ending.answer,
        reason=ending.reason,
        conversation=walk.conversation,
    )


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


def _sees(options: Options, model: Model) -> bool:
    return model.sees if options.vision is None else options.vision


@dataclass(slots=True, kw_only=True)
class _Walk:
    """One request on its way. `step` is the one that goes on, None between steps."""

    model: Model
    runtime: Runtime
    gate: Gate
    meter: Meter
    options: Options
    emit: Emit
    run: str
    conversation: Conversation
    step: Step | None = None
    around: Surroundings = field(default_factory=Surroundings)
    running: bool = False
    """Whether code runs now."""
    warned: bool = False

    async def to_the_end(self, task: Task, *, known: bool) -> Ending:
        try:
            await self.model.prepare()
            self.around = await self.runtime.surroundings()
            self.conversation.tell(self._first_words(task, known))
            ending = self.meter.reached()
            while ending is None:
                ending = await self._step() or self.meter.reached()
        except asyncio.CancelledError:
            ending = Ending(outcome=Outcome.STOPPED, reason=STOPPED)
        except (ModelError, SandboxError) as error:
            ending = Ending(outcome=Outcome.FAILED, reason=str(error))
        except Exception as error:
            logger.exception("the loop failed")
            reason = f"An error inside of codeact-kernel ended the run ({type(error).__name__}: {error}). {KEPT}"
            ending = Ending(outcome=Outcome.FAILED, reason=reason)
        self._leave()
        _forget_the_stop()
        return ending

    def _first_words(self, task: Task, known: bool) -> str:
        steps = self.meter.limits.steps
        if known:
            return prompt.continuation(task.text, steps)
        return prompt.opening(task.text, self.around.variables, self.around.functions, steps)

    # ── one step ─────────────────────────────────────────────────────────────────────────────────

    async def _step(self) -> Ending | None:
        """One step from the question to the observation. The run's end, or None to go on."""
        number = self._begin()
        action = await self._act(number)
        match action:
            case Finish(answer=answer):
                self._note(answer=answer)
                return Ending(outcome=Outcome.ANSWER, answer=answer)
            case Malformed(problem=problem):
                reason = (
                    f"The model {self.model.name} sent {REPAIRS + 1} unreadable replies in a row "
                    f"(the last: {problem}) {KEPT}"
                )
                return Ending(outcome=Outcome.FAILED, reason=reason)
            case RunCode(thought=thought, code=code):
                self._note(thought=thought, code=code)
                answer_given = await self._carry_out(number, thought, code)
        self._close()
        if _stop_is_wanted():
            return Ending(outcome=Outcome.STOPPED, reason=STOPPED)
        if answer_given is not None:
            return Ending(outcome=Outcome.ANSWER, answer=answer_given)
        return None

    def _begin(self) -> int:
        self.conversation.steps += 1
        self.meter.steps += 1
        number = self.conversation.steps
        self.step = Step(number=number, cell=step_cell_id(self.run, number), replies=())
        self.emit(StepStarted(run=self.run, number=number, cell=self.step.cell))
        return number

    def _close(self) -> None:
        """The step is over: told, when the model said anything in it."""
        if self.step is not None and self.step.replies:
            self.emit(StepFinished(run=self.run, step=self.step))
        elif self.step is not None:
            self.conversation.steps -= 1
        self.step = None

    def _leave(self) -> None:
        """The run is over, perhaps in the middle of a step: what its code came to is said."""
        if self.step is not None and self.step.code is not None and self.step.observation is None:
            status = Status.INTERRUPTED if self.running else Status.NOT_RUN
            words = "it was interrupted" if self.running else "it was not run"
            text = f"[step {self.step.number}: {words}, because the run ended]"
            self._note(observation=Observation(status=status, text=text))
            self.conversation.tell(text)
        self._close()

    def _note(self, **facts: Any) -> None:
        """What is known of the step now."""
        assert self.step is not None  # noqa: S101 -- between _begin and _close
        self.step = replace(self.step, **facts)

    # ── the model ────────────────────────────────────────────────────────────────────────────────

    async def _act(self, number: int) -> Action:
        """What the model wants; an unreadable reply is answered with what is wrong with it."""
        for _ in range(REPAIRS + 1):
            answered = await self._ask(number)
            reply = answered.reply
            action = parse(reply.text, truncated=answered.truncated)
            problem = action.problem if isinstance(action, Malformed) else ""
            self._heard(number, reply, problem)
            if answered.notice:
                self.emit(Noticed(run=self.run, sentence=answered.notice))
            if not problem:
                break
            self.conversation.tell(problem)
        return action

    async def _ask(self, number: int) -> Answered:
        if self.conversation.tokens() > high_water(self.model.window):
            self._make_room()
        try:
            return await self._ask_once(number)
        except ContextOverflow:
            if not self._make_room(keep=1):
                raise
            return await self._ask_once(number)

    async def _ask_once(self, number: int) -> Answered:
        def grew(shown: SoFar) -> None:
            self.emit(
                ReplyGrew(run=self.run, number=number, thought=shown.thought, code=shown.code)
            )

        def waited(sentence: str) -> None:
            self.emit(Waited(run=self.run, number=number, sentence=sentence))

        messages = self.conversation.messages()
        return await ask(self.model, messages, clock=self.meter.clock, grew=grew, waited=waited)

    def _make_room(self, **how: int) -> bool:
        """Old observations go; what they made is listed instead, since it still exists."""
        if not self.conversation.make_room(**how):
            return False
        lines = prompt.variable_lines(self.around.variables)
        if lines:
            self.conversation.tell("Variables that exist now:\n" + "\n".join(lines))
        self.emit(Noticed(run=self.run, sentence=ROOM))
        return True

    def _heard(self, number: int, reply: Reply, problem: str) -> None:
        assert self.step is not None  # noqa: S101 -- between _begin and _close
        self._note(replies=(*self.step.replies, reply))
        self.meter.spend(reply.usage)
        self.conversation.hear(reply.text, reply.usage)
        self.emit(ReplyArrived(run=self.run, number=number, reply=reply, problem=problem))
        if self.meter.limits.budget is not None and reply.usage.cost is None and not self.warned:
            self.warned = True
            sentence = (
                f"The price of {reply.model} is not known, so the budget cannot be kept; "
                "the limit of steps still holds."
            )
            self.emit(Noticed(run=self.run, sentence=sentence))

    # ── the code ─────────────────────────────────────────────────────────────────────────────────

    async def _carry_out(self, number: int, thought: str, code: str) -> str | None:
        """Check, ask, run and observe; the answer when the code gave one."""
        cell = step_cell_id(self.run, number)
        self.emit(CodeProposed(run=self.run, number=number, cell=cell, thought=thought, code=code))
        checked = check(code, names=self.around.names, rules=self.options.rules)
        if checked.problem or checked.refusal:
            await self._observe(number, _not_run(checked.problem or checked.refusal), ())
            return None
        decision = await self._decide(number, cell, code, checked)
        if isinstance(decision, Reject):
            refused = f"The person did not let this run: {decision.reason or 'no reason given'}"
            await self._observe(number, _not_run(refused), ())
            return None
        notes = checked.hints
        if decision.code != code:
            self._note(code=decision.code, proposed=code)
            notes = (f"The person changed the code before it ran. It ran as:\n{decision.code}",)
        execution = await self._execute(number, cell, decision.code)
        failed = execution.status is not Status.OK
        await self._observe(number, execution, notes if failed or decision.code != code else ())
        self._note(answer=execution.answer)
        return execution.answer

    async def _decide(self, number: int, cell: str, code: str, checked: Checked) -> Decision:
        asks = self.options.approve == "ask"
        concerns = (*checked.concerns, *(checked.hints if asks else ()))
        if asks or (self.options.approve == "risky" and concerns):
            waits = f"Step {number} waits for your approval."
            self.emit(Waited(run=self.run, number=number, sentence=waits))
        with self.meter.standing_still():
            return await self.gate.decide(number, cell, code, concerns)

    async def _execute(self, number: int, cell: str, code: str) -> Execution:
        self.emit(CodeStarted(run=self.run, number=number, cell=cell, code=code))
        self.running = True
        execution = await self.runtime.execute(number, cell, code)
        self.running = False
        return execution

    async def _observe(self, number: int, execution: Execution, notes: tuple[str, ...]) -> None:
        """What came of the code, for the model, the notebook and the conversation."""
        before, ran = self.around, execution.status is not Status.NOT_RUN
        if ran:
            self.around = await self.runtime.surroundings()
        delta = observe.difference(before.variables, self.around.variables)
        left = self.meter.limits.steps - self.meter.steps
        shown = observe.show(
            number=number,
            of=number + left,
            status=execution.status,
            reason=execution.reason,
            outputs=execution.outputs if ran else (),
            count=execution.count,
            delta=delta,
            sees=_sees(self.options, self.model),
            notes=(*notes, *((LAST_STEP,) if left == 1 else ())),
        )
        for name, text in shown.keep.items():
            await self.runtime.keep(name, text)
        observation = Observation(
            status=execution.status,
            text=shown.text,
            outputs=execution.outputs,
            images=shown.images,
            variables=delta,
            seconds=execution.seconds,
            count=execution.count,
        )
        self._note(observation=observation)
        self.emit(Observed(run=self.run, number=number, observation=observation))
        self.conversation.tell(shown.text, shown.images, observe.stub(number))


def _not_run(reason: str) -> Execution:
    """The outcome of code that was refused; the reason is also what its cell shows."""
    output = {"output_type": "stream", "name": "stderr", "text": f"{reason}\n"}
    return Execution(status=Status.NOT_RUN, outputs=(output,), reason=reason)


def _stop_is_wanted() -> bool:
    """Whether a stop came while the runtime was busy, and the runtime swallowed it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _forget_the_stop() -> None:
    """The stop has been obeyed: later waits of this task must not see it."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
