"""A reply while it is being written: thought and code so far.

Rule: a pure function of the text so far, so that the chunks it came in cannot matter; never a
piece of a delimiter on the screen: what may become one is held back. This only animates and errs
on the side of showing less; parse.py reads the complete reply.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from codeact_kernel.agent.parse import FENCE_OPEN, LANGUAGES, OTHER_OPEN, OWN, OWN_OPEN
from codeact_kernel.agent.source import Budget, compiles

_TAG_BEGUN = re.compile(r"<[a-zA-Z]*+(?:\s[^<>\n]{0,60})?")
_FENCE_BEGUN = re.compile(r"[ \t]*+[`~]")
_TAG_ENDING = re.compile(r"</?[a-zA-Z]*+")
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
    budget = Budget()
    thoughts: list[str] = []
    codes: list[str] = []
    place = 0
    for opening in _openings(text):
        if opening.start < place:
            continue  # inside a block
        thoughts.append(text[place : opening.start])
        end = _end(text, opening, budget)
        if end is None:
            codes.append(_without_ending(text[opening.body :]))
            return _shown(thoughts, codes)
        codes.append(text[opening.body : end.start()])
        place = end.end()
    thoughts.append(text[place : _held(text, place)])
    return _shown(thoughts, codes)


def _held(text: str, place: int) -> int:
    """Where the part begins that may grow into an opening delimiter; the end when there is none."""
    tag = text.rfind("<", place)
    line = text.rfind("\n") + 1
    begins = [len(text)]
    if tag >= 0 and _TAG_BEGUN.fullmatch(text, tag):
        begins.append(tag)
    if line >= place and _FENCE_BEGUN.match(text, line):
        begins.append(line)
    return min(begins)


def _without_ending(code: str) -> str:
    """Code without what may be, or grow into, a closing delimiter, and blank lines at the end."""
    code = code.rstrip()
    tag = code.rfind("<")
    if tag >= 0 and _TAG_ENDING.fullmatch(code, tag):
        return code[:tag]
    line = code.rfind("\n") + 1
    last = code[line:].strip(" \t")
    return code[:line] if last and not (last.strip("`") and last.strip("~")) else code


def _shown(thoughts: list[str], codes: list[str]) -> SoFar:
    prose = (piece.strip() for piece in thoughts)
    blocks = (piece.strip("\n").rstrip() for piece in codes)
    return SoFar("\n\n".join(filter(None, prose)), "\n\n".join(filter(None, blocks)))


def _openings(text: str) -> list[_Opening]:
    """Whatever opens a block of Python, in order."""
    found = [_Opening(each.start(), each.end(), _tag_end(OWN)) for each in OWN_OPEN.finditer(text)]
    for other in OTHER_OPEN.finditer(text):
        found.append(_Opening(other.start(), other.end(), _tag_end(other.group(1))))
    for fence in FENCE_OPEN.finditer(text):
        if fence.group(2).lower() in LANGUAGES:
            closing = re.compile(rf"^[ \t]*{fence.group(1)}[ \t]*$", re.MULTILINE)
            found.append(_Opening(fence.start(), fence.end(), closing))
    return sorted(found, key=lambda opening: opening.start)


def _tag_end(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{name}\s*>", re.IGNORECASE)


def _end(text: str, opening: _Opening, budget: Budget) -> re.Match[str] | None:
    """The closing delimiter: the first with which the body compiles, as in parse.py; None when
    the block may still go on."""
    first: re.Match[str] | None = None
    for end in opening.closing.finditer(text, opening.body):
        first = first or end
        code = text[opening.body : end.start()]
        if not budget.covers(code):
            return first
        if compiles(code):
            return end
    return None
