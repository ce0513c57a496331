"""How a command ended: exit code, sentence and JSON line come from one value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codeact_kernel.headless.client import CellFailed
from codeact_kernel.headless.outcome import Ended
from codeact_kernel.trace.values import Outcome, Reply, Run, Step, Trace, Usage


def run(outcome: Outcome | None, answer: str | None = None, reason: str = "", **more: Any) -> Run:
    return Run(id="r", task="t", model="m", outcome=outcome, answer=answer, reason=reason, **more)


def ended(*runs: Run, **more: Any) -> Ended:
    return Ended(trace=Trace(runs=runs), **more)


def failed(name: str = "ZeroDivisionError", agent: bool = False) -> CellFailed:
    return CellFailed(index=2, name=name, value="division by zero", agent=agent)


ANSWER = run(Outcome.ANSWER, "42")
LIMIT = run(Outcome.STEP_LIMIT, reason="The limit of 3 steps is reached.")
BUDGET = run(Outcome.BUDGET, reason="The budget is spent.")
FAILED = run(Outcome.FAILED, reason="Nobody answers at that address.")
STOPPED = run(Outcome.STOPPED, reason="Stopped by the user.")


@pytest.mark.parametrize(
    ("how", "code", "outcome"),
    [
        (ended(), 0, "answer"),
        (ended(ANSWER), 0, "answer"),
        (ended(LIMIT), 3, "step_limit"),
        (ended(BUDGET), 3, "budget"),
        (ended(FAILED), 1, "failed"),
        (ended(STOPPED), 1, "stopped"),
        (ended(run(None)), 1, "failed"),
        (ended(ANSWER, LIMIT), 3, "step_limit"),
        (ended(FAILED, LIMIT, ANSWER), 1, "failed"),
        (ended(failed=failed()), 1, "failed"),
        (ended(ANSWER, failed=failed()), 1, "failed"),
        (ended(LIMIT, failed=failed()), 1, "failed"),
        (ended(failed=failed("UsageError", agent=True)), 2, "failed"),
        (ended(ANSWER, failed=failed("UsageError", agent=True)), 2, "failed"),
        (ended(failed=failed("UsageError", agent=False)), 1, "failed"),
        (ended(stopped="it was interrupted"), 1, "stopped"),
        (ended(ANSWER, stopped="it was interrupted"), 1, "stopped"),
        (ended(broken="The kernel ended."), 1, "failed"),
    ],
)
def test_the_worst_decides(how: Ended, code: int, outcome: str) -> None:
    """Answer 0, limit 3, failure 1, wrong usage 2; the worst of several wins."""
    assert how.exit_code == code
    assert how.outcome == outcome


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (ended(ANSWER), ""),
        (ended(LIMIT, ANSWER), "The limit of 3 steps is reached."),
        (ended(FAILED, failed=failed(agent=True)), "Nobody answers at that address."),
        (ended(failed=failed()), "Cell 3 failed: ZeroDivisionError: division by zero"),
        (ended(failed=failed("SandboxRefused")), "division by zero"),
        (ended(STOPPED, stopped="it was interrupted"), "Stopped: it was interrupted."),
        (ended(LIMIT, broken="The kernel ended."), "The kernel ended."),
    ],
)
def test_why_is_one_sentence(how: Ended, reason: str) -> None:
    """What went wrong is said once, in the words of who knows."""
    assert how.reason == reason


@pytest.mark.parametrize(
    ("how", "in_vain"),
    [
        (ended(broken="The kernel ended."), True),
        (ended(failed=failed("SandboxRefused")), True),
        (ended(failed=failed("UsageError", agent=True)), True),
        (ended(failed=failed("UsageError", agent=True), completed=1), False),
        (ended(failed=failed()), False),
        (ended(failed=failed("SandboxDied"), stopped="it was interrupted"), False),
        (ended(ANSWER, broken="The kernel ended."), False),
    ],
)
def test_what_was_done_is_never_thrown_away(how: Ended, in_vain: bool) -> None:
    """Only a command that did nothing at all leaves the old result in place."""
    assert how.in_vain is in_vain


def test_foreign_words_in_a_reason_are_made_plain() -> None:
    """An exception's text comes from the sandbox and may not steer the terminal."""
    how = ended(failed=CellFailed(index=0, name="E\x1b[2J", value="a\x1b]0;x\x07\nb", agent=False))
    assert how.reason == "Cell 1 failed: E: a"


def test_the_json_line_sums_over_the_runs() -> None:
    """Steps, calls, tokens and cost are sums; the answer is the last one."""
    usage = Usage(input_tokens=10, output_tokens=2, cached_tokens=1, cost=0.25)
    reply = Reply(text="", model="m", prompt="", usage=usage)
    step = Step(number=1, cell="c", replies=(reply, reply))
    how = ended(run(Outcome.ANSWER, "1", steps=(step,)), run(Outcome.ANSWER, "2", steps=(step,)))
    assert json.loads(json.dumps(how.to_json("/x/out.ipynb"))) == {
        "outcome": "answer",
        "answer": "2",
        "reason": "",
        "steps": 2,
        "calls": 4,
        "usage": {"input_tokens": 40, "output_tokens": 8, "cached_tokens": 4},
        "cost_usd": 1.0,
        "seconds": 0.0,
        "runs": 2,
        "notices": [],
        "notebook": "/x/out.ipynb",
    }


def test_an_unknown_price_is_null() -> None:
    """A cost nobody knows is not zero."""
    assert ended(ANSWER).to_json("x")["cost_usd"] is None


def test_what_the_sandbox_does_not_hold_is_a_notice_once() -> None:
    """Said by the kernel at the start and recorded in each run: it is one sentence all the same."""
    said = "There is no sandbox."
    told = ended(run(Outcome.ANSWER, "1", notices=(said, "More.")), ANSWER, notes=(said,))
    assert told.notices == (said, "More.")
    assert ended(notes=(said,)).to_json("n")["notices"] == [said]
