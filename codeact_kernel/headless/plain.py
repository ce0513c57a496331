"""Text cut to a terminal's width. What makes it safe to print is trace.text.plain."""

from __future__ import annotations

import unicodedata

from codeact_kernel.trace.text import plain


def one_line(text: str, width: int) -> str:
    """The first line of `text` that holds something, at most `width` columns wide."""
    lines = (line.strip() for line in plain(text).splitlines())
    return clip(next((line for line in lines if line), "").replace("\t", " "), width)


def clip(line: str, width: int) -> str:
    """`line` cut to `width` columns, the last one an ellipsis when something is missing."""
    if sum(map(_columns, line)) <= width:
        return line
    used, kept = 1, ""
    for char in line:
        used += _columns(char)
        if used > width:
            break
        kept += char
    return kept + "…" if width > 0 else ""


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
