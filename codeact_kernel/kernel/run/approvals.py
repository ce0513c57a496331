"""The loop's Gate: who says yes before code runs.

Rule: what is approved is what runs, byte for byte. The question is this kernel's own, asked while
no code runs, so nothing inside can answer it or look like it. Where steps are cells, running the
cell is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.channels.messages import Incoming
from codeact_kernel.kernel.relay.questions import Questions
from codeact_kernel.kernel.run.projection import Projection
from codeact_kernel.kernel.run.turnstile import Turnstile, code_of
from codeact_kernel.trace.edits import SetMetadata
from codeact_kernel.trace.text import visible
from codeact_kernel.trace.values import Approve, Decision, Reject

NOBODY = (
    "--approve ask needs somebody who answers, and this client takes no questions: run the cell in "
    "a notebook or console, or use --approve never."
)

HIDDEN = "The code has characters that nobody sees or that change how it reads; they may hide a part of it."


class Never:
    """Everything is approved."""

    async def decide(self, number: int, cell: str, code: str, concerns: Sequence[str]) -> Decision:
        return Approve(code=code)


class Ask:
    """Asks the client of the agent cell: yes, no with a reason, or other code."""

    def __init__(
        self,
        questions: Questions,
        client: Incoming,
        show: Callable[[int, str, Sequence[str]], None],
    ) -> None:
        self._questions = questions
        self._client = client
        self._show = show

    async def decide(self, number: int, cell: str, code: str, concerns: Sequence[str]) -> Decision:
        self._show(number, code, concerns)
        found = "".join(f"{visible(concern)}\n" for concern in concerns)
        prompt = f"{found}Run step {number}? [y]es, [n]o and why, [e]dit: "
        while True:
            answer = (await self._questions.ask(self._client, prompt)).strip()
            word, _, rest = answer.partition(" ")
            match word.lower().rstrip(":,."):
                case "y" | "yes":
                    return Approve(code=code)
                case "n" | "no":
                    return Reject(reason=rest.strip() or "The user did not approve this step.")
                case "e" | "edit":
                    return Approve(code=await self._edited(code))
                case _:
                    prompt = "Please answer y, n (and why), or e: "

    async def _edited(self, code: str) -> str:
        """The user's code, line by line until a lone dot; nothing typed: the code as it was."""
        lines: list[str] = []
        prompt = "The code instead, line by line; a lone . ends it: "
        while (line := await self._questions.ask(self._client, prompt)) != ".":
            lines.extend(line.split("\n"))
            prompt = f"{len(lines) + 1}: "
            if "\n" in line:
                break
        return "\n".join(lines) if lines else code


class ByRunning:
    """Lets the cell wait: executing it, edited or not, is the yes; what was executed is what runs."""

    def __init__(self, turnstile: Turnstile, projection: Projection, run: str) -> None:
        self._turnstile = turnstile
        self._projection = projection
        self._run = run

    async def decide(self, number: int, cell: str, code: str, concerns: Sequence[str]) -> Decision:
        if self._turnstile.rest:
            return Approve(code=code)
        mark = {
            "role": "step",
            "run": self._run,
            "step": number,
            "status": "waiting",
            "token": self._turnstile.ask(cell),
            "concerns": with_hidden(code, concerns),
        }
        self._projection.waits(SetMetadata(cell=cell, metadata=mark))
        try:
            answer = await self._turnstile.wait()
        finally:
            self._projection.decided()
        return Approve(code=code_of(answer)) if isinstance(answer, Incoming) else answer


class Risky:
    """Asks only when the checks found something; `asking` None: nobody can be asked."""

    def __init__(self, asking: Asking | None) -> None:
        self._asking = asking

    async def decide(self, number: int, cell: str, code: str, concerns: Sequence[str]) -> Decision:
        if not concerns:
            return Approve(code=code)
        if self._asking is None:
            return Reject(
                reason=f"{' '.join(concerns)} This needs the user's approval and nobody is there to "
                "give it; find another way."
            )
        return await self._asking.decide(number, cell, code, concerns)


class Asking(Protocol):
    """Who asks a person."""

    async def decide(
        self, number: int, cell: str, code: str, concerns: Sequence[str]
    ) -> Decision: ...


Gates = Never | Asking | Risky


def with_hidden(code: str, concerns: Sequence[str]) -> list[str]:
    """The concerns to show beside an editor, which does not show everything either."""
    hides = [HIDDEN] if visible(code) != code else []
    return [*map(visible, concerns), *hides]


def gate_for(approve: str, asking: Asking | None) -> Gates:
    """The gate for `approve`. Raises UsageError when somebody is needed and nobody is there."""
    if approve == "never":
        return Never()
    if approve == "risky":
        return Risky(asking)
    if asking is None:
        raise UsageError(NOBODY)
    return asking
