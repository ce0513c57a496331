"""Text from a model or from the sandbox, made safe to print on a terminal.

Rule: nothing that did not come from us reaches a terminal unless it went through here. A terminal
obeys what is printed on it: titles, clipboard, cursor, colours, direction of writing.
"""

from __future__ import annotations

import re
import unicodedata

_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS ...
    r"|\x1b[ -/]*[0-~]"  # two characters
)
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """`text` without escape sequences, control characters (but newline and tab) and changes of direction."""
    text = _SEQUENCE.sub("", text.replace("\r\n", "\n"))
    return "".join(char for char in text if char in "\n\t" or not _is_control(char))


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


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or char in _DIRECTION


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
