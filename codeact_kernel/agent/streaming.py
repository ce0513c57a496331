"""A reply while it is being written: thought and code so far.

Rule: a pure function of the text so far, so that the chunks it came in cannot matter; never a
piece of a delimiter on the screen: what may become one is held back. This only animates and errs
on the side of showing less; parse.py reads the complete reply.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from codeact_kernel.agent.parse import FENCE_OPEN, LANGUAGES, OTHER_OPEN, OWN, OWN_OPEN
from codeact_kernel.agent.source import compiles

_MAY_OPEN = re.compile(r"(?:<[a-zA-Z]*(?:\s[^<>\n]{0,60})?|^[ \t]*(?:`+|~+)[^\n]*)\Z", re.MULTILINE)
"""The end of a text that may grow into an opening delimiter."""
_MAY_CLOSE = re.compile(r"\s*(?:</?[a-zA-Z]*\s*|^[ \t]*(?:`+|~+)[ \t]*|)\Z", re.MULTILINE)
"""The end of code that may be, or grow into, a closing one; blank lines at the end as well."""
_ENVELOPE = re.compile(r"\s*(?:(?:```|~~~)(?:json)?\s*)?\{")


@dataclass(frozen=True, slots=True)
class SoFar:
    """What can be shown of an unfinished reply."""

    thought: str
    code: str


@dataclass(frozen=True, slots=True)
class _Opening:
    start: int
    body: int
    closing: re.Pattern[str]


def so_far(text: str) -> SoFar:
    """Thought and code in the beginning of a reply. A JSON envelope is not shown before its end."""
    if _ENVELOPE.match(text):
        return SoFar("", "")
    thoughts: list[str] = []
    codes: list[str] = []
    place = 0
    while opening := _opening(text, place):
        thoughts.append(text[place : opening.start])
        end = _end(text, opening)
        if end is None:
            codes.append(_MAY_CLOSE.sub("", text[opening.body :], count=1))
            return _shown(thoughts, codes)
        codes.append(text[opening.body : end.start()])
        place = end.end()
    held = _MAY_OPEN.search(text, place)
    thoughts.append(text[place : held.start() if held else len(text)])
    return _shown(thoughts, codes)


def _shown(thoughts: list[str], codes: list[str]) -> SoFar:
    prose = (piece.strip() for piece in thoughts)
    blocks = (piece.strip("\n").rstrip() for piece in codes)
    return SoFar("\n\n".join(filter(None, prose)), "\n\n".join(filter(None, blocks)))


def _opening(text: str, place: int) -> _Opening | None:
    """The next opening delimiter of a block of Python."""
    found: list[_Opening] = []
    if own := OWN_OPEN.search(text, place):
        found.append(_Opening(own.start(), own.end(), _tag_end(OWN)))
    if other := OTHER_OPEN.search(text, place):
        found.append(_Opening(other.start(), other.end(), _tag_end(other.group(1))))
    for fence in FENCE_OPEN.finditer(text, place):
        if fence.group(2).lower() in LANGUAGES:
            closing = re.compile(rf"^[ \t]*{fence.group(1)}[ \t]*$", re.MULTILINE)
            found.append(_Opening(fence.start(), fence.end(), closing))
            break
    return min(found, key=lambda opening: opening.start, default=None)


def _tag_end(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{name}\s*>", re.IGNORECASE)


def _end(text: str, opening: _Opening) -> re.Match[str] | None:
    """The closing delimiter: the first with which the body compiles, as in parse.py."""
    for end in opening.closing.finditer(text, opening.body):
        if compiles(text[opening.body : end.start()]):
            return end
    return None
