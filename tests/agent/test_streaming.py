"""The reply while it grows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codeact_kernel.agent.parse import parse
from codeact_kernel.agent.streaming import SoFar, so_far
from codeact_kernel.trace.values import RunCode

lines = st.sampled_from(
    [
        "x = 1",
        "if x < 2:\n    y = '</code>'",
        "print('a<b')",
        "# `tick`",
        "z = '''\n```\n'''",
        "<b",
        "`",
    ]
)
prose = st.lists(
    st.sampled_from(["Look at a < b.", "Use `x`.", "Next", "# Plan", "a <exe", "1 < 2 > 0"]),
    max_size=3,
).map("\n".join)


@given(
    prose, st.lists(lines, min_size=1, max_size=4), prose, st.sampled_from(["tag", "fence", "open"])
)
def test_no_delimiter_is_ever_shown(before: str, code: list[str], after: str, how: str) -> None:
    """At no length of the text does a piece of a delimiter appear, and the end is what parse says."""
    body = "\n".join(code)
    opening, closing = (
        ("```python\n", "\n```\n") if how == "fence" else ("<execute>\n", "\n</execute>\n")
    )
    text = f"{before}\n\n{opening}{body}"
    if how != "open":
        text += closing + after
    action = parse(text)
    seen: list[SoFar] = [so_far(text[:n]) for n in range(len(text) + 1)]
    for shown in seen:
        assert "<execute" not in shown.thought
        assert "```python" not in shown.thought
        assert "</execute" not in shown.code.splitlines()
    if how != "open" and isinstance(action, RunCode) and action.code == body:
        assert any(shown.code for shown in seen)


def test_thought_then_code() -> None:
    """First the thought grows, then the code, each whole."""
    text = "Look first.\n\n<execute>\nx = 1\ny = 2\n</execute>"
    assert so_far(text[:11]) == SoFar("Look first.", "")
    assert so_far(text[:18]) == SoFar("Look first.", "")
    assert so_far("Look first.\n\n<execute>\nx = 1\ny") == SoFar("Look first.", "x = 1\ny")
    assert so_far("Look first.\n\n<execute>\nx = 1\n</exec") == SoFar("Look first.", "x = 1")
    assert so_far(text) == SoFar("Look first.", "x = 1\ny = 2")


def test_an_envelope_is_not_shown_in_pieces() -> None:
    """JSON is for parsing, not for reading."""
    assert so_far('{"thought": "a", "co') == SoFar("", "")
    assert so_far('```json\n{"thought"') == SoFar("", "")


def test_a_second_block_follows_the_first() -> None:
    """Two blocks grow one after the other."""
    text = "<execute>\nx = 1\n</execute>\nThen.\n<execute>\ny = 2"
    assert so_far(text) == SoFar("Then.", "x = 1\n\ny = 2")
