"""The model's turn in a step: context → model.stream → parse.

Rule: what the model said goes into the conversation once, to the letter, and is paid for, whether
it could be read or not. An unreadable reply is answered with what is wrong with it, REPAIRS times;
that uses up no step. Before each question the person may hold the run.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from codeact_kernel.agent import prompt
from codeact_kernel.agent.ask import Answered, ask
from codeact_kernel.agent.beside import beside
from codeact_kernel.agent.context import Conversation, high_water
from codeact_kernel.agent.hold import Hold
from codeact_kernel.agent.limits import Meter
from codeact_kernel.agent.parse import parse
from codeact_kernel.agent.ports import Model, Surroundings
from codeact_kernel.agent.record import Record
from codeact_kernel.agent.streaming import SoFar
from codeact_kernel.errors import ContextOverflow
from codeact_kernel.trace.events import (
    Held,
    ObservationEdited,
    Released,
    ReplyArrived,
    ReplyGrew,
)
from codeact_kernel.trace.values import Action, Malformed, Reply

REPAIRS = 2
ROOM = "The conversation grew long, so the model no longer sees the outputs of early steps."


@dataclass(slots=True, kw_only=True)
class ModelTurn:
    """Asks, reads and pays."""

    model: Model
    meter: Meter
    record: Record
    conversation: Conversation
    hold: Hold
    warned: bool = False
    """Whether it was said that the price is not known."""

    async def act(self, around: Surroundings) -> Action:
        """What the model wants; Malformed when it could not say it after all repairs."""
        for _ in range(REPAIRS + 1):
            answered = await self._ask(around)
            action = await self._read(answered)
            problem = action.problem if isinstance(action, Malformed) else ""
            self._heard(answered.reply, problem)
            self.record.recorded = answered.recorded
            if answered.notice:
                self.record.notice(answered.notice)
            if not problem:
                break
            self.conversation.tell(problem)
        return action

    async def _read(self, answered: Answered) -> Action:
        """What the reply says. A stop while it is read loses the action, not the reply."""
        text = answered.reply.text
        try:
            return await beside(len(text), parse, text, truncated=answered.truncated)
        except asyncio.CancelledError:
            self._heard(answered.reply, "")
            raise

    async def _ask(self, around: Surroundings) -> Answered:
        """One question; room is made when the conversation has grown too long for it."""
        if self.conversation.tokens() > high_water(self.model.window):
            self._make_room(around)
        try:
            return await self._ask_once()
        except ContextOverflow:
            if not self._make_room(around, keep=1):
                raise
            return await self._ask_once()

    async def _ask_once(self) -> Answered:
        record = self.record

        def grew(shown: SoFar) -> None:
            record.emit(
                ReplyGrew(
                    run=record.run, number=record.number, thought=shown.thought, code=shown.code
                )
            )

        answered: Answered | None = None
        while answered is None:
            if self.hold.wanted:
                await self._stand_still()
            messages = self.conversation.messages()
            clock = self.meter.clock
            question = ask(self.model, messages, clock=clock, grew=grew, waited=record.wait)
            answered = await self.hold.unless_wanted(question)
        return answered

    async def _stand_still(self) -> None:
        """Until the person lets the run go on. What they change is what the model is shown."""
        record, step = self.record, self.conversation.unanswered
        held = Held(run=record.run, number=record.number, observation=step)
        with self.meter.standing_still():
            text = await self.hold.stand(step, lambda: record.emit(held))
        if text is not None:
            self.conversation.amend(text)
            record.emit(ObservationEdited(run=record.run, number=step, text=text))
        record.emit(Released(run=record.run, number=record.number))

    def _make_room(self, around: Surroundings, **how: int) -> bool:
        """Old observations go; what they made is listed instead, since it still exists."""
        if not self.conversation.make_room(**how):
            return False
        if lines := prompt.variable_lines(around.variables):
            self.conversation.tell("Variables that exist now:\n" + "\n".join(lines))
        self.record.notice(ROOM)
        return True

    def _heard(self, reply: Reply, problem: str) -> None:
        record = self.record
        record.note(replies=(*record.step.replies, reply))
        self.meter.spend(reply.usage)
        self.conversation.hear(reply.text, reply.usage)
        record.emit(
            ReplyArrived(run=record.run, number=record.number, reply=reply, problem=problem)
        )
        if self.meter.limits.budget is not None and reply.usage.cost is None and not self.warned:
            self.warned = True
            record.notice(
                f"The price of {reply.model} is not known, so the budget cannot be kept; "
                "the limit of steps still holds."
            )
