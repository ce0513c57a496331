"""Text that a terminal or a notebook draws: colours stay, every other control goes.

Rule: of all escape sequences only SGR (`ESC [ numbers m`) is kept, and of the control characters
tab, newline, carriage return and backspace. A sequence can set a title, write the clipboard, draw
a link with a hidden target or move over what stands elsewhere on the screen; a colour cannot.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

_CONTROL = re.compile("[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SEQUENCE = re.compile(
    "(?P<colour>\x1b\\[[0-9;:]*m)"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI
    "|(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c|(?=\x1b)|$)"
    "|\x1b[ -/]*[0-~]?"
    "|[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"
)
_OPEN = re.compile("(?:\x1b|\x1b\\[[0-?]*[ -/]*|\x1b[\\]PX^_][^\x07\x1b\x9c]*\x1b?|\x1b[ -/]+)$")
_LONGEST = 4096
_MOST = 1000


def clean(text: str) -> str:
    """The text with colours, and without every other escape sequence and control character."""
    if _CONTROL.search(text) is None:
        return text
    return _SEQUENCE.sub(_kept, text)


def _kept(match: re.Match[str]) -> str:
    return match.group("colour") or ""


def clean_all(value: Any) -> Any:
    """JSON with every text in it cleaned, keys too."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): clean_all(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean_all(item) for item in value]
    return value


def may_hold_controls(raw: bytes | bytearray) -> bool:
    """Whether JSON text can hold a control character that is not an ordinary one.

    A quick look without parsing: there they are written `\\u00XX` or `\\b`, or are DEL or C1, which
    need no escape.
    """
    # One character is found a hundred times faster than four.
    return (b"\\" in raw and b"\\u00" in raw) or b"\x7f" in raw or b"\xc2" in raw


class Streams:
    """Cleans text that comes in pieces; a sequence may begin in one and end in the next."""

    def __init__(self) -> None:
        self._open: dict[Hashable, str] = {}

    def clean(self, key: Hashable, text: str) -> str:
        """The part of stream `key`, which only the order of its own pieces matters to."""
        if self._open and (before := self._open.pop(key, "")):
            text = before + text
        if _CONTROL.search(text) is None:
            return text
        tail = _OPEN.search(text, max(0, len(text) - _LONGEST))
        if tail is not None and len(self._open) < _MOST:
            self._open[key] = tail.group()
            text = text[: tail.start()]
        return _SEQUENCE.sub(_kept, text)

    def forget(self) -> None:
        """No piece that was begun is continued."""
        self._open.clear()
