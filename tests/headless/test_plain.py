"""Foreign text on a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeact_kernel.headless.plain import clip, one_line
from codeact_kernel.trace.text import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]52;c;aGk=\x1b\\x", "x"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x9b2Jb", "ab"),
        ("\x1bP+q\x1b\\x", "x"),
        ("a\rb\x08c\x07", "abc"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("\u202eevil\u2066", "evil"),
        ("\x1bc", ""),
        ("plain — é 漢", "plain — é 漢"),
    ],
)
def test_a_terminal_is_told_nothing(text: str, shown: str) -> None:
    """Escape sequences, control characters and changes of direction are left out."""
    assert plain(text) == shown


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    """Whatever comes, only newline and tab remain below space."""
    assert not {c for c in plain(text) if (c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f"}


def test_one_line_is_the_first_that_holds_something() -> None:
    """A thought is shown by its first line."""
    assert one_line("\n\n  first \nsecond", 80) == "first"


@pytest.mark.parametrize(
    ("line", "width", "shown"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("漢字漢字", 5, "漢字…"), ("e\u0301e", 2, "e\u0301e")],
)
def test_width_is_counted_in_columns(line: str, width: int, shown: str) -> None:
    """Wide characters take two columns, combining ones none."""
    assert clip(line, width) == shown
