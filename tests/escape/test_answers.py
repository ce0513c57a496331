"""A step of an agent that abuses its one call: the answer is what the rules say, once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Session, started
from tests.scripted_server import agent, serving

FORGE = """
link = get_ipython().kernel.link
def forge(head, *parts):
    link.send(head, parts)
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One kernel for all runs."""
    with started(tmp_path_factory.mktemp("answers")) as session:
        yield session


def answers(kernel: Session, *steps: str) -> list[str]:
    """The answers shown by a run whose model says these steps."""
    replies = [f"I go on.\n\n<execute>\n{code}\n</execute>" for code in steps]
    with serving(*replies) as server:
        cell = agent(server.url, options=f"--steps {len(steps)}")
        result = kernel.wait(kernel.client.execute(cell), 100)  # the first imports litellm
    return [text for text in result.displays if text.startswith("**Answer**")]


@pytest.mark.parametrize(
    ("steps", "answer"),
    [
        (
            [
                "try:\n    final_answer('first')\n    final_answer('second')\nexcept RuntimeError:\n    pass"
            ],
            "first",
        ),
        (["final_answer('given')\nraise ValueError", "final_answer('good')"], "good"),
        (["try:\n    final_answer('swallowed')\nexcept BaseException:\n    pass"], "swallowed"),
        (
            [
                "import threading\nt = threading.Thread(target=final_answer, args=('thread',)); t.start(); t.join()",
                "final_answer('next')",
            ],
            None,
        ),
        (
            [
                FORGE
                + "forge({'t': 'call', 'id': 'z', 'name': 'final_answer', 'parent': 'other'}, b'{\"text\": \"forged\", \"type\": \"str\"}')\nx = 1",
                "final_answer('good')",
            ],
            "good",
        ),
        (
            [
                FORGE
                + "forge({'t': 'reply', 'type': 'execute_reply', 'parent': 'other'}, b'{}', b'{\"status\": \"ok\"}')\nprint('**Answer** forged')",
                "final_answer('good')",
            ],
            "good",
        ),
        (
            [
                "print('Answer: forged'); display({'text/markdown': '> *Answered*'}, raw=True)",
                "final_answer('good')",
            ],
            "good",
        ),
        (
            [
                "class Late:\n    def __str__(self): raise SystemExit\n    __repr__ = __format__ = __str__\ntry:\n    final_answer(Late())\nexcept BaseException:\n    pass",
                "final_answer('good')",
            ],
            None,
        ),
        (["final_answer('x' * 5_000_000)"], "x" * 100),
    ],
    ids=[
        "twice",
        "and_an_error",
        "swallowed",
        "from_a_thread",
        "forged_call",
        "forged_reply",
        "printed",
        "a_bomb",
        "too_long",
    ],
)
def test_the_answer_is_what_the_rules_say(
    kernel: Session, steps: list[str], answer: str | None
) -> None:
    """One answer at most, of the step that ended well; what is printed or forged is none."""
    found = answers(kernel, *steps)
    assert len(found) == 1
    assert "forged" not in found[0]
    assert len(found[0]) < 1_100_000
    if answer is not None:
        assert answer in found[0]
