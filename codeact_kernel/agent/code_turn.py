"""The code's turn in a step: checks → gate → execute → observation.

Rule: what runs is what the gate approved, to the byte. Code that is refused, does not compile or
fails is an observation like any other; the model is told what happened and what was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from codeact_kernel.agent import observe
from codeact_kernel.agent.beside import beside
from codeact_kernel.agent.checks import Checked, check
from codeact_kernel.agent.context import Conversation
from codeact_kernel.agent.limits import Meter
from codeact_kernel.agent.options import Options
from codeact_kernel.agent.ports import Execution, Gate, Runtime, Surroundings
from codeact_kernel.agent.record import Record
from codeact_kernel.errors import SandboxError
from codeact_kernel.trace.events import CodeProposed, CodeStarted
from codeact_kernel.trace.values import Decision, Delta, Observation, Reject, Status

LAST_STEP = "One step is left: end with final_answer(value) now."
UNSEEN = (
    "The run ended before the notebook was looked at: what became of the variables is not known, "
    "and a variable that would hold a whole text is missing."
)
UNKNOWN = "What became of the variables is not known: {error}"
UNKEPT = "A variable that would hold a whole text is missing: it could not be made."


@dataclass(slots=True, kw_only=True)
class CodeTurn:
    """Checks, asks, runs and observes. `around` is what the notebook holds now."""

    runtime: Runtime
    gate: Gate
    meter: Meter
    options: Options
    sees: Callable[[], bool]
    """Whether the model is shown images; known once it is prepared."""
    record: Record
    conversation: Conversation
    around: Surroundings = field(default_factory=Surroundings)

    async def carry_out(self, thought: str, code: str) -> str | None:
        """The step's code from proposal to observation; the answer when it gave one."""
        record = self.record
        record.note(thought=thought, code=code)
        record.emit(
            CodeProposed(
                run=record.run,
                number=record.number,
                cell=record.step.cell,
                thought=thought,
                code=code,
            )
        )
        names, rules = self.around.names, self.options.rules
        checked = await beside(len(code), check, code, names=names, rules=rules)
        if checked.problem or checked.refusal:
            await self._observe(_not_run(checked.problem or checked.refusal))
            return None
        decision = await self._decide(code, checked)
        if isinstance(decision, Reject):
            reason = decision.reason or "no reason given"
            await self._observe(_not_run(f"The person did not let this run: {reason}"))
            return None
        execution = await self._execute(decision.code)
        record.note(answer=execution.answer)
        await self._observe(execution, _notes(code, decision.code, execution, checked))
        return execution.answer

    async def _decide(self, code: str, checked: Checked) -> Decision:
        """The gate's word. Doubtful names are shown to a person who reads everything anyway; for
        them alone nobody is asked."""
        asks = self.options.approve == "ask"
        concerns = (*checked.concerns, *(checked.hints if asks else ()))
        if asks or (self.options.approve == "risky" and concerns):
            self.record.wait(f"Step {self.record.number} waits for your approval.")
        with self.meter.standing_still():
            return await self.gate.decide(self.record.number, self.record.step.cell, code, concerns)

    async def _execute(self, code: str) -> Execution:
        record, proposed = self.record, self.record.step.code
        if code != proposed:
            record.note(code=code, proposed=proposed)
        number, cell = record.number, record.step.cell
        record.emit(CodeStarted(run=record.run, number=number, cell=cell, code=code))
        record.running = True
        execution = await self.runtime.execute(number, cell, code)
        record.running = False
        return execution

    async def _observe(self, execution: Execution, notes: tuple[str, ...] = ()) -> None:
        """What came of the code, for the model, the notebook and the conversation.

        That it ran is known before the notebook is asked what it holds now: a stop or an error
        while it is asked loses the variables at most, never the step.
        """
        record, unknown = self.record, Delta()
        if execution.status is Status.NOT_RUN:
            record.observed(self._observation(execution, unknown, notes)[0])
            return
        record.happened, _ = self._observation(execution, unknown, (*notes, UNSEEN))
        try:
            delta = await self._look_around()
        except SandboxError as error:
            delta, notes = unknown, (*notes, UNKNOWN.format(error=error))
        observation, keep = self._observation(execution, delta, notes)
        if keep:
            without, _ = self._observation(execution, delta, (*notes, UNKEPT))
            record.happened = without
            if not await self._kept(keep):
                observation = without
        record.observed(observation)

    async def _look_around(self) -> Delta:
        """What became of the variables. Raises SandboxError."""
        before = self.around
        self.around = await self.runtime.surroundings()
        return observe.difference(before.variables, self.around.variables)

    async def _kept(self, texts: Mapping[str, str]) -> bool:
        """Whether each text has been bound to its variable."""
        try:
            for name, text in texts.items():
                await self.runtime.keep(name, text)
        except SandboxError:
            return False
        return True

    def _observation(
        self, execution: Execution, delta: Delta, notes: tuple[str, ...]
    ) -> tuple[Observation, Mapping[str, str]]:
        """The observation, and the texts it says are kept in variables."""
        number, left = self.record.number, self.meter.limits.steps - self.meter.steps
        ran = execution.status is not Status.NOT_RUN
        shown = observe.show(
            number=number,
            of=number + left,
            status=execution.status,
            reason=execution.reason,
            outputs=execution.outputs if ran else (),
            count=execution.count,
            delta=delta,
            sees=self.sees(),
            notes=(*notes, *((LAST_STEP,) if left == 1 else ())),
        )
        observation = Observation(
            status=execution.status,
            text=shown.text,
            outputs=execution.outputs,
            images=shown.images,
            variables=delta,
            seconds=execution.seconds,
            count=execution.count,
        )
        return observation, shown.keep


def _notes(proposed: str, ran: str, execution: Execution, checked: Checked) -> tuple[str, ...]:
    """What the model is told besides: how its code was changed, or what the checks had seen."""
    if ran != proposed:
        return (f"The person changed the code before it ran. It ran as:\n{ran}",)
    return checked.hints if execution.status is Status.ERROR else ()


def _not_run(reason: str) -> Execution:
    """The outcome of code that was refused; the reason is also what its cell shows."""
    output = {"output_type": "stream", "name": "stderr", "text": f"{reason}\n"}
    return Execution(status=Status.NOT_RUN, outputs=(output,), reason=reason)
