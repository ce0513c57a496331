"""How a command ended: one value, and what is said of it (exit code, sentence, JSON line).

Rule: what a script sees and what a person reads come from the same value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codeact_kernel.headless.client import CellFailed
from codeact_kernel.headless.plain import one_line
from codeact_kernel.trace.values import Outcome, Run, Trace, Usage

ANSWER, FAILURE, USAGE, LIMIT = 0, 1, 2, 3
"""Exit codes."""

_CODES = {
    Outcome.ANSWER: ANSWER,
    Outcome.STEP_LIMIT: LIMIT,
    Outcome.BUDGET: LIMIT,
    Outcome.STOPPED: FAILURE,
    Outcome.FAILED: FAILURE,
    None: FAILURE,
}
_WORST_FIRST = (FAILURE, LIMIT, ANSWER)
_SENTENCE = 600
_OURS = {"UsageError", "SandboxRefused", "SandboxDied", "SettingsError"}
"""Errors the kernel answers a cell with whose text is a sentence by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What came of one command.

    `notes` say what the sandbox does not show or hold. `completed` counts the cells that ended well, `failed` is the one that did not, `stopped` says why
    the rest was not run, `broken` why the kernel is gone ("" each when it is not so).
    """

    trace: Trace
    notes: tuple[str, ...] = ()
    completed: int = 0
    failed: CellFailed | None = None
    stopped: str = ""
    broken: str = ""
    seconds: float = 0.0

    @property
    def usage_error(self) -> bool:
        """The user's input was refused by the kernel (an option, an empty task, an unknown {name})."""
        return self.failed is not None and self.failed.agent and self.failed.name == "UsageError"

    @property
    def in_vain(self) -> bool:
        """Nothing was done at all: no sandbox, no kernel, or a first task that was wrong."""
        refused = self.failed is not None and self.failed.name == "SandboxRefused"
        empty = not self.trace.runs and not self.completed
        return empty and (bool(self.broken) or self.usage_error or refused)

    @property
    def exit_code(self) -> int:
        """The worst of the runs; 0 for a notebook without any whose cells all ran."""
        if self.usage_error:
            return USAGE
        codes = {_CODES[run.outcome] for run in self.trace.runs}
        if self.failed or self.stopped or self.broken:
            codes.add(FAILURE)
        return next((code for code in _WORST_FIRST if code in codes), ANSWER)

    @property
    def worst(self) -> Run | None:
        """The run that decides the exit code, the last one of them."""
        for code in _WORST_FIRST:
            for run in reversed(self.trace.runs):
                if _CODES[run.outcome] == code:
                    return run
        return None

    @property
    def outcome(self) -> str:
        """One of the outcomes of a run; "answer" also when there was none and every cell ran."""
        if self.exit_code == USAGE:
            return str(Outcome.FAILED)
        if self.stopped:
            return str(Outcome.STOPPED)
        if self.worst is not None and _CODES[self.worst.outcome] == self.exit_code:
            return str(self.worst.outcome or Outcome.FAILED)
        return str(Outcome.FAILED if self.exit_code else Outcome.ANSWER)

    @property
    def answers(self) -> tuple[str, ...]:
        """The answers in order."""
        return tuple(run.answer for run in self.trace.runs if run.answer is not None)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know and that changed nothing, each a sentence."""
        every = (*self.notes, *(said for run in self.trace.runs for said in run.notices))
        return tuple(one_line(said, _SENTENCE) for said in dict.fromkeys(every))

    @property
    def reason(self) -> str:
        """One sentence for the user, "" when all went well."""
        if self.broken:
            return self.broken
        worst = self.worst
        if worst is not None and worst.reason and not self.stopped and not self.usage_error:
            return one_line(worst.reason, _SENTENCE)
        if self.stopped:
            return f"Stopped: {self.stopped}."
        if self.failed is None:
            return ""
        what = one_line(self.failed.value, _SENTENCE)
        if self.failed.agent or self.failed.name in _OURS:
            return what
        return f"Cell {self.failed.index + 1} failed: {one_line(self.failed.name, 80)}: {what}"

    def to_json(self, notebook: str) -> dict[str, Any]:
        """The line of `--json`; counts are sums over the runs, `answer` is the last one."""
        usage = sum((run.usage for run in self.trace.runs), Usage())
        return {
            "outcome": self.outcome,
            "answer": self.answers[-1] if self.answers else None,
            "reason": self.reason,
            "steps": sum(len(run.steps) for run in self.trace.runs),
            "calls": sum(run.calls for run in self.trace.runs),
            "usage": {
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "cached_tokens": usage.cached_tokens,
            },
            "cost_usd": usage.cost,
            "seconds": round(self.seconds, 3),
            "runs": len(self.trace.runs),
            "notices": list(self.notices),
            "notebook": notebook,
        }
