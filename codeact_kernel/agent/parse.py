"""A reply as text becomes an Action: code to run, an answer, or a problem to tell the model.

Rule: tolerant of what models really send, and never half-read: a reply the provider cut off is
Malformed, not run. Layers, the first that fits wins: JSON envelope, own tag, other tags, fences,
bare code, prose. Code that does not compile is still code: the syntax error is its observation.
The work is linear in the length of the reply, whatever is in it: no pattern reads a run of blanks
twice, and one Budget bounds what is compiled to find out where a block ends. The same delimiters are known to streaming.py, which only animates.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from typing import Any

from codeact_kernel.agent.source import Budget, compiles, is_plain_code
from codeact_kernel.trace.values import Action, Finish, Malformed, RunCode

OWN = "execute"
LANGUAGES = ("python", "python3", "py", "ipython", "ipython3", "tool_code", "")

OWN_OPEN = re.compile(r"(?<!`)<execute(?:\s[^<>]*)?>", re.IGNORECASE)
OTHER_OPEN = re.compile(r"^[ \t]*<(code|cell|python)>", re.IGNORECASE | re.MULTILINE)
FENCE_OPEN = re.compile(r"^[ \t]*+(`{3,}+|~{3,}+)[ \t]*+([\w+-]*+)[^\n`]*+\n", re.MULTILINE)
FENCE_LINE = re.compile(r"^[ \t]*+(?:`{3,}+|~{3,}+)\w*+[ \t]*+$", re.MULTILINE)
INVENTED = re.compile(r"^\[step \d+/\d+", re.MULTILINE)
"""How our observations begin: a model that writes this itself is making up an output."""

LONGEST = 200_000
"""Characters of a reply; a longer one is as good as cut off."""
EMPTY = "Your reply was empty. Say what you do next and put code between <execute> and </execute>."
CUT = (
    "Your reply was cut off at the provider's output limit, so nothing was run. "
    "Send it again in a shorter form: one small cell at a time."
)
NO_CODE = "Your reply has an <execute> block with nothing in it, so nothing was run."
UNOPENED = "Your reply has </execute> without <execute> before the code, so nothing was run."
UNTAGGED = (
    "Your reply calls final_answer outside of <execute> and </execute>, so nothing was run. "
    "Put the code of the cell between these tags."
)
NO_JSON = "Your reply looks like JSON, but {problem}, so nothing was run."


@dataclass(frozen=True, slots=True)
class _Block:
    """Code found in the text, from `start` (of its opening delimiter) to `end`."""

    start: int
    end: int
    code: str


def parse(text: str | None, *, truncated: bool = False, budget: Budget | None = None) -> Action:
    """What to do with a reply. `truncated`: the provider's output limit cut it."""
    budget = budget or Budget()
    text = text or ""
    if truncated or len(text) > LONGEST:
        return Malformed(problem=CUT)
    text = _own_part(text.replace("\r\n", "\n"))
    if not text.strip():
        return Malformed(problem=EMPTY)
    if (envelope := _envelope(text, budget)) is not None:
        return envelope
    if blocks := _blocks(text, budget):
        return _run(text, blocks)
    return _untagged(text)


def _own_part(text: str) -> str:
    """The text up to where the model goes on by inventing what we would tell it."""
    opened = [found.end() for p in (OWN_OPEN, FENCE_OPEN) if (found := p.search(text))]
    invented = INVENTED.search(text, min(opened)) if opened else None
    return text[: invented.start()] if invented else text


def _blocks(text: str, budget: Budget) -> list[_Block]:
    """The blocks of the first kind there is."""
    return (
        _tagged(text, OWN_OPEN, budget)
        or _tagged(text, OTHER_OPEN, budget)
        or _fenced(text, budget)
    )


def _run(text: str, blocks: list[_Block]) -> Action:
    code = "\n\n".join(block.code for block in blocks if block.code.strip())
    if not code:
        return Malformed(problem=NO_CODE)
    return RunCode(thought=_prose_around(text, blocks), code=code)


def _prose_around(text: str, blocks: list[_Block]) -> str:
    edges = [0, *(edge for block in blocks for edge in (block.start, block.end)), len(text)]
    pieces = (text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))
    cleaned = (FENCE_LINE.sub("", piece) for piece in pieces)
    return "\n\n".join(piece.strip() for piece in cleaned if piece.strip())


# ── tags ─────────────────────────────────────────────────────────────────────────────────────────


def _tagged(text: str, opening: re.Pattern[str], budget: Budget) -> list[_Block]:
    blocks: list[_Block] = []
    place = 0
    while found := opening.search(text, place):
        name = found.group(1) if opening.groups else OWN
        closing = re.compile(rf"</{name}\s*>", re.IGNORECASE)
        block = _block(text, found.start(), found.end(), closing, budget)
        blocks.append(block)
        place = block.end
    return blocks


def _block(text: str, start: int, body: int, closing: re.Pattern[str], budget: Budget) -> _Block:
    """The block whose body begins at `body`: up to the first closing delimiter with which the
    body compiles, else up to the first one, else to the end."""
    first: _Block | None = None
    for end in closing.finditer(text, body):
        block = _Block(start, end.end(), _clean(text[body : end.start()]))
        first = first or block
        if not budget.covers(block.code):
            break
        if compiles(block.code):
            return block
    return first or _Block(start, len(text), _clean(_without_stray_end(text[body:])))


def _clean(code: str) -> str:
    """Dedented, without blank lines around and without a fence inside the tag."""
    code = code.strip("\n").rstrip()
    if fence := re.match(r"[ \t]*+(`{3,}+|~{3,}+)\w*+[ \t]*+\n", code):
        code = code[fence.end() :].removesuffix(fence.group(1))
    return textwrap.dedent(code).strip("\n").rstrip()


def _without_stray_end(code: str) -> str:
    """An unclosed body without what was meant to close it."""
    code = code.rstrip()
    for mark in "`~":
        bare = code.rstrip(mark)
        if len(code) - len(bare) >= 3:
            return bare
    tag = code.rfind("</")
    return code[:tag] if tag >= 0 and re.fullmatch(r"</\w*>?", code[tag:]) else code


# ── fences ───────────────────────────────────────────────────────────────────────────────────────


def _fenced(text: str, budget: Budget) -> list[_Block]:
    """Fences in Python; one without language only when it compiles and does something."""
    blocks: list[_Block] = []
    place = 0
    while found := FENCE_OPEN.search(text, place):
        fence, language = found.group(1), found.group(2).lower()
        closing = re.compile(rf"^[ \t]*{fence}[ \t]*$", re.MULTILINE)
        if language in LANGUAGES:
            block = _block(text, found.start(), found.end(), closing, budget)
            if language or is_plain_code(block.code):
                blocks.append(block)
            place = block.end
        else:
            closed = closing.search(text, found.end())
            place = closed.end() if closed else len(text)
    return blocks


# ── JSON envelope ────────────────────────────────────────────────────────────────────────────────

_CODE_KEY = re.compile(r'"(?:code|thoughts?|final_answer)"\s*:')


def _envelope(text: str, budget: Budget) -> Action | None:
    """The action of a JSON object with code or an answer in it, None when there is no such."""
    body = _json_body(text)
    if not _CODE_KEY.search(body):
        return None
    try:
        data, _ = json.JSONDecoder(strict=False).raw_decode(body)
        return _action_of(data, budget)
    except json.JSONDecodeError as error:
        problem = f"{error.msg.lower()} at line {error.lineno}, column {error.colno}"
    except RecursionError:
        problem = "it is nested too deeply"
    except ValueError:
        problem = "a number in it is too long"
    return Malformed(problem=NO_JSON.format(problem=problem))


def _json_body(text: str) -> str:
    """Where an envelope may begin: the whole reply, or the first fence that says or looks JSON."""
    if text.lstrip().startswith("{"):
        return text.lstrip()
    for found in FENCE_OPEN.finditer(text):
        if found.group(2).lower() in ("json", "") and (
            begun := re.compile(r"\s*+(?=\{)").match(text, found.end())
        ):
            return text[begun.end() :]
    return ""


def _action_of(data: dict[str, Any], budget: Budget) -> Action | None:
    thought = next((data[k] for k in ("thought", "thoughts", "reasoning") if data.get(k)), "")
    code = data.get("code")
    if isinstance(code, list) and all(isinstance(line, str) for line in code):
        code = "\n".join(code)
    if isinstance(code, str) and code.strip():
        inner = _blocks(code, budget)
        found = "\n\n".join(block.code for block in inner) if inner else _clean(code)
        return RunCode(thought=str(thought).strip(), code=found)
    for key in ("answer", "final_answer"):
        if data.get(key) is not None:
            answer = data[key]
            return Finish(answer=answer if isinstance(answer, str) else json.dumps(answer))
    if "code" in data:
        return Malformed(problem=NO_JSON.format(problem='its "code" is empty'))
    return None


# ── no delimiter ─────────────────────────────────────────────────────────────────────────────────


def _untagged(text: str) -> Action:
    closed = re.search(r"</execute\s*>", text, re.IGNORECASE)
    if closed:
        code = _clean(text[: closed.start()])
        if is_plain_code(code):
            return RunCode(thought="", code=code)
        return Malformed(problem=UNOPENED)
    if is_plain_code(text):
        return RunCode(thought="", code=_clean(text))
    if re.search(r"^final_answer\(", text, re.MULTILINE):
        return Malformed(problem=UNTAGGED)
    return Finish(answer=text.strip())
