"""The form in which a person approves, changes or refuses a step.

Rule: what a person sees in the editor when they approve is what runs. A click could overtake a change
of the text on its way here, because each widget sends its own changes when it may: so the buttons
tie themselves, in the front end, to marks of the text they belong to, and mark and text come in one
message or in order. Code that was not changed is not sent back: it runs as it was written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from codeact_kernel.kernel.inline import drawing, models
from codeact_kernel.kernel.inline.widgets import Group, is_click, state_in
from codeact_kernel.trace.values import Approve, Decision, Reject

REFUSED = "The user did not approve this step."
_FEWEST = 3
"""Lines of the editor."""
_APPROVED, _REST, _REJECTED = "codeact_approved", "codeact_rest", "codeact_rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the person decided. `rest`: and all other steps of this run are approved, too."""

    decision: Decision
    rest: bool = False


class Form:
    """Made of `widgets`; `view` is the one to show. `stop` stops the run."""

    def __init__(
        self, widgets: Group, code: str, question: str, stop: Callable[[], object]
    ) -> None:
        self._code = code
        self._reason = ""
        self._stop = stop
        self._answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        rows = min(drawing.EDITOR, max(_FEWEST, drawing.height(code)))
        words = widgets.open(models.html(question, "codeact-words"))
        editor = widgets.open(models.editor(code, rows), self._edited)
        approve = widgets.open(models.toggle("Approve", "Run the code as it is shown", "success"))
        rest = widgets.open(
            models.toggle("Approve the rest", "Run it, and do not ask again in this run")
        )
        end = widgets.open(
            models.button("Stop here", "End the run; this step is not run"), self._clicked
        )
        reason = widgets.open(models.field("Why not? The model is told"), self._refused)
        reject = widgets.open(models.toggle("Reject", "Do not run it; the run goes on"))
        yes = widgets.open(models.row([approve, rest, end], "codeact-buttons"))
        no = widgets.open(models.row([reason, reject], "codeact-buttons"))
        for button, text, mark in (
            (approve, editor, _APPROVED),
            (rest, editor, _REST),
            (reject, reason, _REJECTED),
        ):
            widgets.open(models.link(button, "value", text, mark))
        self.parts = (words, editor, yes, no)

    async def wait(self) -> Answer:
        """What the person decides."""
        return await self._answer

    def _edited(self, data: Mapping[str, Any]) -> None:
        state = state_in(data)
        if isinstance(state.get("value"), str):
            self._code = state["value"]
        rest = state.get(_REST) is True
        if rest or state.get(_APPROVED) is True:
            self._settle(Answer(decision=Approve(code=self._code), rest=rest))

    def _refused(self, data: Mapping[str, Any]) -> None:
        state = state_in(data)
        if isinstance(state.get("value"), str):
            self._reason = state["value"]
        if state.get(_REJECTED) is True:
            self._settle(Answer(decision=Reject(reason=self._reason.strip() or REFUSED)))

    def _clicked(self, data: Mapping[str, Any]) -> None:
        if is_click(data):
            self._stop()

    def _settle(self, answer: Answer) -> None:
        if not self._answer.done():
            self._answer.set_result(answer)
