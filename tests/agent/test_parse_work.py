"""How much work a reply makes: linear in its length, whatever a model sends."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from codeact_kernel.agent.parse import CUT, LONGEST, parse
from codeact_kernel.agent.source import Budget, compiles, transformed
from codeact_kernel.agent.streaming import so_far
from codeact_kernel.trace.values import Malformed, RunCode

SHAPES: dict[str, Callable[[int], str]] = {
    "broken blocks": lambda n: "<execute>\nx = = 1\n</execute>\n" * (n // 30),
    "newlines": lambda n: "Look.\n<execute>\nx = 1\n</execute>\n" + "\n" * n + "Done.",
    "newlines in code": lambda n: "<execute>\nx = (" + "\n" * n + "1",
    "blanks": lambda n: "Look. " + " " * n + "<exe",
    "blanks in code": lambda n: "<execute>\nx = 1" + " " * n + ".\n",
    "blanks and a fence": lambda n: "<execute>\n```python\nx = 1" + " " * n + "```x",
    "backticks": lambda n: "<execute>\n" + "`" * n + "x",
    "a fence that is none": lambda n: "```" + "a" * (n // 2) + " " * (n // 2) + "`",
    "backticks in prose": lambda n: "`" * n + "\nx",
    "fences": lambda n: "```text\nx\n```\n" * (n // 14),
    "fences with JSON": lambda n: "```json\n{}\n```\n" * (n // 15),
    "inventions": lambda n: "[step 1/2: ok]\n" * (n // 15),
    "tags never closed": lambda n: "<execute>\n" * (n // 10),
    "angles": lambda n: "<" * n,
}


def work(step: Callable[[str], object], text: str) -> float:
    """Processor seconds of this thread, the least of three."""

    def once() -> float:
        began = time.thread_time()
        step(text)
        return time.thread_time() - began

    return min(once() for _ in range(3))


@pytest.mark.parametrize("step", [parse, so_far])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_eight_times_the_text_is_not_sixty_four_times_the_work(
    shape: Callable[[int], str], step: Callable[[str], object]
) -> None:
    """No shape of a reply is read in quadratic time; a fixed cost and noise are allowed for."""
    small, large = work(step, shape(5_000)), work(step, shape(40_000))
    assert large < 24 * small + 0.05


def test_what_is_compiled_is_bounded_for_the_whole_reply() -> None:
    """Hundreds of broken blocks share one budget; after it the first closing tag counts."""
    budget = Budget(tries=10)
    text = "<execute>\nx = = 1\n</execute>\n" * 200
    action = parse(text, budget=budget)
    assert isinstance(action, RunCode)
    assert action.code == "\n\n".join(["x = = 1"] * 200)
    assert 10 - budget.tries == 10 + 200  # ten that were compiled, and a question for each block


def test_long_code_counts_for_more() -> None:
    """So does code with magics, each of which makes IPython read all of it again."""
    budget = Budget(characters=100)
    assert budget.covers("x = 1")
    assert not Budget(characters=100).covers("x" * 200)
    assert not Budget(characters=100).covers("!ls\n" * 20)


def test_many_magics_are_not_transformed() -> None:
    """IPython reads a cell once for each of them, and gives up after five hundred with an error of
    its own; text that only looks like them is plain Python, and a cell magic is one."""
    many = "!ls\n" * 501
    assert transformed("!ls\n" * 5) != "!ls\n" * 5
    assert transformed(many) == many
    assert not compiles(many)
    assert compiles("text = '''\n" + "really?\n" * 501 + "'''")
    assert compiles("%%bash\n" + "x=%y?\n" * 501)


def test_a_reply_that_is_far_too_long_is_not_read() -> None:
    """It is as good as cut off."""
    assert parse("x = 1\n" * LONGEST) == Malformed(problem=CUT)
