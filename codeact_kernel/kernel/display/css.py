"""Style sheets and style attributes that colour and lay out their own output, and nothing else.

Rule: what is written is put together anew from what is known: listed properties, values of plain
words, numbers, colours and a few functions; selectors that begin at the output's own scope. There is
no way to write an address, an escape, an `@import`, or a place outside the output. What does not fit
is left out; nothing is mended.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

_PROPERTIES = frozenset(
    """
    accent-color align-content align-items alignment-baseline align-self aspect-ratio background background-clip background-color
    background-image background-origin background-position background-repeat background-size border
    border-bottom border-bottom-color border-bottom-left-radius border-bottom-right-radius
    border-bottom-style border-bottom-width border-collapse border-color border-left
    border-left-color border-left-style border-left-width border-radius border-right
    border-right-color border-right-style border-right-width border-spacing border-style border-top
    border-top-color border-top-left-radius border-top-right-radius border-top-style
    border-top-width border-width bottom box-sizing caption-side clear clip-rule color color-scheme
    column-count column-gap column-width columns content cursor direction display dominant-baseline empty-cells
    fill fill-opacity fill-rule flex flex-basis flex-direction flex-flow flex-grow flex-shrink flex-wrap float font
    font-family font-feature-settings font-size font-stretch font-style font-variant
    font-variant-numeric font-weight gap grid grid-area grid-auto-columns grid-auto-flow
    grid-auto-rows grid-column grid-column-end grid-column-gap grid-column-start grid-gap grid-row
    grid-row-end grid-row-gap grid-row-start grid-template grid-template-areas grid-template-columns
    grid-template-rows height hyphens justify-content justify-items justify-self left letter-spacing
    line-height list-style list-style-position list-style-type margin margin-bottom margin-left
    margin-right margin-top max-height max-width min-height min-width object-fit opacity order
    overflow overflow-wrap overflow-x overflow-y padding padding-bottom padding-left padding-right
    padding-top paint-order place-content place-items position right row-gap shape-rendering stop-color
    stop-opacity stroke stroke-dasharray stroke-dashoffset stroke-linecap stroke-linejoin
    stroke-miterlimit stroke-opacity stroke-width tab-size table-layout text-align text-anchor
    text-decoration text-overflow text-transform top user-select vector-effect vertical-align visibility
    white-space width word-break word-spacing word-wrap writing-mode z-index
    """.split()  # noqa: SIM905 - quotation marks help nobody
)
_FUNCTIONS = frozenset(
    """
    rgb rgba hsl hsla hwb lab lch oklab oklch color-mix var calc min max clamp minmax repeat
    fit-content linear-gradient radial-gradient conic-gradient repeating-linear-gradient
    repeating-radial-gradient
    """.split()  # noqa: SIM905 - quotation marks help nobody
)
_DECLARATION = re.compile(r"\s*(--[\w-]{1,80}|[a-z-]{2,40})\s*:\s*(.{1,2000}?)\s*", re.S | re.I)
_VALUE = re.compile(r"""(?:[\w\s#%.,()+*/-]|"[^"\\<>\n\r\f]*"|'[^'\\<>\n\r\f]*')+""")
_LOCAL = re.compile(r"url\(\s*(['\"]?)#([A-Za-z_][\w.:-]*)\1\s*\)")
_CALLS = re.compile(r"([\w-]*)\(")
_STRINGS = re.compile(r"\"[^\"]*\"|'[^']*'")
_IMPORTANT = re.compile(r"\s*!\s*important\s*$", re.I)
_PIECES = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|[{};]|[^\"'{};]+|.", re.S)
_COMMENT = re.compile(r"/\*.*?(?:\*/|$)", re.S)
_MEDIA = re.compile(r"@media\s+[\w\s():,.<>=-]+", re.I)
_SELECTOR = re.compile(
    r"""(?:[\w\s.#:>+~*(),-]|\[[\w-]+(?:[~|^$*]?=(?:[\w-]+|"[\w -]*"|'[\w -]*'))?\])+"""
)
_WHOLE = re.compile(r"(?::root|:host|html|body)(?![\w-])(?:\[[^\]]*\])?", re.I)
_HASH = re.compile(r"#(?=[A-Za-z_])")
_BY_ID = frozenset(
    "fill stroke clip-path mask marker marker-start marker-mid marker-end filter".split()  # noqa: SIM905 - quotation marks help nobody
)
PREFIX = "out-"
"""Before every id and class that others refer to: no id of the page itself can be taken."""
_ACTS = re.compile(
    r"url\s*\((?!\s*['\"]?#)|@import|\\|image-set\s*\(|expression\s*\(|-moz-binding|behavior\s*:",
    re.I,
)
_DEPTH = 3
_LONGEST = 4_000_000


@functools.lru_cache(1000)
def declarations(text: str) -> str:
    """The body of a rule, or a style attribute, as far as it is allowed."""
    return ";".join(_declarations(_split(text)))


def acts(text: str) -> bool:
    """Whether a style tries what more than looks can follow from: an address, an import, an escape."""
    return _ACTS.search(text) is not None


def is_plain(value: str) -> bool:
    """Whether a value can stand for any property: words, numbers, colours."""
    if _VALUE.fullmatch(value) is None or len(value) > 2000:
        return False
    bare = _STRINGS.sub('""', value)
    return (
        "//" not in bare
        and "/*" not in bare
        and bare.count("(") == bare.count(")")
        and all(name.lower() in _FUNCTIONS or not name for name in _CALLS.findall(bare))
    )


def sheet(text: str, scope: str) -> str:
    """A style sheet in which every selector begins at `scope` and every id has PREFIX."""
    text = _COMMENT.sub(" ", text[:_LONGEST])
    return "\n".join(filter(None, _rules(_Reader(text), scope, 0)))


class _Reader:
    """Pieces of a style sheet: strings, braces, semicolons, and the text between them."""

    def __init__(self, text: str) -> None:
        self.pieces: Iterator[re.Match[str]] = _PIECES.finditer(text)

    def until(self, ends: str) -> tuple[str, str]:
        """The text up to one of these characters, and which it was ("" at the end of the sheet)."""
        found: list[str] = []
        for match in self.pieces:
            piece = match.group()
            if piece in ends:
                return "".join(found), piece
            found.append(piece)
        return "".join(found), ""

    def block(self) -> str:
        """The text up to the brace that closes the one just read."""
        found: list[str] = []
        depth = 1
        for match in self.pieces:
            piece = match.group()
            depth += (piece == "{") - (piece == "}")
            if not depth:
                break
            found.append(piece)
        return "".join(found)


def _rules(reader: _Reader, scope: str, depth: int) -> Iterator[str]:
    while True:
        head, end = reader.until("{};")
        if not end:
            return
        if end != "{":
            continue  # `@import …;`, `@charset …;`, or a brace too many
        body, head = reader.block(), head.strip()
        if head.startswith("@"):
            if depth < _DEPTH and _MEDIA.fullmatch(head):
                inner = "\n".join(_rules(_Reader(body), scope, depth + 1))
                yield f"{head} {{\n{inner}\n}}"
        elif "{" not in body and (selector := _selectors(head, scope)):
            kept = declarations(body)
            yield f"{selector} {{ {kept} }}" if kept else ""


def _selectors(head: str, scope: str) -> str:
    if _SELECTOR.fullmatch(head) is None or head.count("(") != head.count(")"):
        return ""
    parts = re.split(r",(?![^(]*\))", head)
    return ", ".join(filter(None, (_selector(part.strip(), scope) for part in parts)))


def _selector(part: str, scope: str) -> str:
    if not part or part[0] in ">+~,)":
        return ""
    part = _HASH.sub(f"#{PREFIX}", part)
    whole = _WHOLE.match(part)
    if whole is None:
        return f"{scope} {part}"
    rest = part[whole.end() :]
    if "+" in rest or "~" in rest:
        return ""
    return f"{scope}{rest}"


def _split(text: str) -> Iterator[str]:
    if '"' not in text and "'" not in text:
        yield from text.split(";")
        return
    found: list[str] = []
    for match in _PIECES.finditer(text):
        if match.group() == ";":
            yield "".join(found)
            found = []
        else:
            found.append(match.group())
    yield "".join(found)


def _declarations(parts: Iterator[str]) -> Iterator[str]:
    for part in parts:
        match = _DECLARATION.fullmatch(part)
        if match is None:
            continue
        name, value = match.group(1), match.group(2)
        bare = _IMPORTANT.sub("", value)
        if not name.startswith("--"):
            name = name.lower()
        local = _LOCAL.fullmatch(bare)
        if local is not None and name in _BY_ID:
            yield f"{name}: url(#{PREFIX}{local.group(2)})"
        elif _allowed(name, bare):
            yield f"{name}: {bare}{' !important' if bare != value else ''}"


def _allowed(name: str, value: str) -> bool:
    if not is_plain(value) or not (name.startswith("--") or name in _PROPERTIES):
        return False
    if name == "position":
        return value.strip().lower() in ("static", "sticky")  # the others leave their place
    if name.startswith("margin"):
        return re.search(r"-|var|calc", value.lower()) is None
    return True
