"""Markdown and formulas that load nothing, link nowhere and hold no HTML, in any renderer.

Rule: renderers differ in what is code, what is a link and what is HTML, so nothing here depends on
reading Markdown as one of them does: the pairs of characters that begin such a thing anywhere are
parted by a word joiner, which nobody sees. What looks like a plain link or picture becomes its text
and its target first, so that it reads well. Only a fenced block that every renderer must take for
one is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_JOINER = "\u2060"
_LINK = re.compile(
    r"(!?)\[([^\[\]\n]{0,500})\]\([ \t]*<?([^()\s<>]{0,2000})>?(?:[ \t]+(?:\"[^\"\n]{0,500}\"|'[^'\n]{0,500}'))?[ \t]*\)"
)
_PICTURE = re.compile(
    r"(!\[[\w .,:;-]{0,200}\]\(data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]*\))"
)
_PAIRS = re.compile(r"<(?=[A-Za-z/!?])|\](?=[(:])|(?:`{3,}|~{3,}|:{3,})[ \t]*(?=\{|mermaid)", re.I)
_FENCE = re.compile(r"(`{3,})([\w+#-]*)")
_COMMAND = re.compile(
    r"\\(?=(?:href|url|htmlId|htmlClass|htmlStyle|htmlData|cssId|class|style|data|require"
    r"|includegraphics|mmlToken|unicode|texttip|toggle|csname)(?![A-Za-z]))"
)


def harmless_markdown(text: str) -> str:
    """Markdown whose pictures, links and HTML are visible text."""
    return "".join(_parts(text))


def harmless_latex(text: str) -> str:
    """LaTeX without the commands that link, load or style: they lose their backslash."""
    return _COMMAND.sub("", text) if "\\" in text else text


def has_remote_picture(text: str) -> bool:
    """Whether something here would have been loaded."""
    return any(
        match.group(1) and _PICTURE.fullmatch(match.group()) is None
        for match in _LINK.finditer(text)
    )


def _parts(text: str) -> Iterator[str]:
    for is_code, part in _fenced(text):
        if is_code:
            yield part
            continue
        for index, piece in enumerate(_PICTURE.split(part)):
            yield piece if index % 2 else _prose(piece)


def _prose(text: str) -> str:
    text = _LINK.sub(_described, text)
    return harmless_latex(_PAIRS.sub(lambda match: match.group() + _JOINER, text))


def _described(match: re.Match[str]) -> str:
    picture, words, target = match.groups()
    if picture:
        return f"{words} (picture: {target})" if words else f"(picture: {target})"
    return words if words == target else f"{words} ({target})"


def _fenced(text: str) -> list[tuple[bool, str]]:
    """(is code, text) in order; all of it is prose when renderers could disagree."""
    if "```" not in text:
        return [(False, text)]
    parts: list[tuple[bool, list[str]]] = [(False, [])]
    fence = ""
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\n")
        if fence:
            parts[-1][1].append(line)
            if bare == fence:
                fence = ""
                parts.append((False, []))
            continue
        match = _FENCE.fullmatch(bare)
        if match is not None and match.group(2).lower() != "mermaid":
            fence = match.group(1)
            parts.append((True, [line]))
        elif "```" in line or "~~~" in line or "$" in line or "\\" in line or _odd(line):
            return [(False, text)]
        else:
            parts[-1][1].append(line)
    if fence:
        return [(False, text)]
    return [(is_code, "".join(lines)) for is_code, lines in parts]


def _odd(line: str) -> bool:
    """A container or HTML in which a fence at the start of a line might not be one."""
    return ":::" in line or "<!" in line or "<?" in line
