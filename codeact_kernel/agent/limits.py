"""The ordinary ends of a run: how far a run may go, and how far it has gone.

Rule: limits are looked at between steps, so that a step is never cut in half; what a step itself
may use is the sandbox's business. While the user is asked something the clock stands still.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from codeact_kernel.agent.ports import Clock
from codeact_kernel.trace.values import Limits, Outcome, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended: the fields of RunFinished that are not about time."""

    outcome: Outcome
    answer: str | None = None
    reason: str = ""


@dataclass(slots=True)
class Meter:
    """What one request (a run, or its continuation) has used. Owned by the loop."""

    limits: Limits
    clock: Clock
    usage: Usage = field(default_factory=Usage)
    steps: int = 0
    _began: float = 0.0
    _stood: float = 0.0

    def __post_init__(self) -> None:
        self._began = self.clock.now()

    def spend(self, usage: Usage) -> None:
        """Counts one reply."""
        self.usage = self.usage + usage

    @property
    def seconds(self) -> float:
        """Time used, without the waiting for the user."""
        return max(0.0, self.clock.now() - self._began - self._stood)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """The time in here is not counted."""
        since = self.clock.now()
        try:
            yield
        finally:
            self._stood += self.clock.now() - since

    def reached(self) -> Ending | None:
        """The limit that is reached now, None when another step may begin."""
        limits, kept = self.limits, "Everything done so far is kept; continue the run to go on."
        if self.steps >= limits.steps:
            steps = "1 step" if limits.steps == 1 else f"{limits.steps} steps"
            reason = f"The limit of {steps} was reached before there was an answer. {kept}"
            return Ending(outcome=Outcome.STEP_LIMIT, reason=reason)
        spent = self.usage.cost
        if limits.budget is not None and spent is not None and spent >= limits.budget:
            reason = f"The budget of ${limits.budget:g} is used up (${spent:.4f} spent). {kept}"
        elif limits.tokens is not None and self.usage.total_tokens >= limits.tokens:
            reason = f"The limit of {limits.tokens} tokens was reached. {kept}"
        elif limits.seconds is not None and self.seconds >= limits.seconds:
            reason = f"The time limit of {limits.seconds:g} s was reached. {kept}"
        else:
            return None
        return Ending(outcome=Outcome.BUDGET, reason=reason)
