"""HTML of an output: text, tables, pictures that came along, and nothing that acts.

Rule: nh3 (an HTML5 parser) has the last word. Style blocks and drawings are taken out before, cleaned
by themselves, and put back into places that nh3 has left. Links become text with their target
behind it: a click must not carry data to an address nobody saw.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator

import nh3

from codeact_kernel.kernel.display import css, svg
from codeact_kernel.trace.markdown import harmless_latex

_TAGS = (nh3.ALLOWED_TAGS - {"wbr", "area", "map", "nav"}) | set(
    "audio big fieldset font input label legend meter progress section source tfoot video".split()  # noqa: SIM905 - quotation marks help nobody
)
_DROPPED = set(
    """
    script style iframe frame frameset noscript noembed noframes template svg math object embed applet
    title select textarea xmp plaintext
    """.split()  # noqa: SIM905 - quotation marks help nobody
)
_SOURCES = {"img": {"src"}, "audio": {"src"}, "video": {"src", "poster"}, "source": {"src"}}
_SIZED = {"align", "valign", "width", "height", "bgcolor"}
_CELL = {"colspan", "rowspan", "headers", "scope", "abbr", "nowrap"} | _SIZED
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"class", "id", "style", "title", "lang", "dir", "role", "hidden", "align"}
    | {"aria-label", "aria-hidden", "aria-describedby", "aria-labelledby"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "audio": {"src", "controls", "loop", "muted"},
    "video": {"src", "controls", "loop", "muted", "poster", "width", "height", "autoplay"},
    "source": {"src", "type"},
    "table": {
        "border",
        "cellpadding",
        "cellspacing",
        "summary",
        "width",
        "bgcolor",
        "rules",
        "frame",
    },
    "td": _CELL,
    "th": _CELL,
    "tr": _SIZED,
    "thead": _SIZED,
    "tbody": _SIZED,
    "tfoot": _SIZED,
    "col": {"span", "width"},
    "colgroup": {"span", "width"},
    "ol": {"start", "type", "reversed"},
    "li": {"value"},
    "font": {"color", "size", "face"},
    "input": {"checked", "disabled"},
    "label": {"for"},
    "progress": {"value", "max"},
    "meter": {"value", "max", "min", "low", "high", "optimum"},
    "details": {"open"},
    "time": {"datetime"},
}
_IDS = frozenset({"id", "for", "headers", "aria-describedby", "aria-labelledby"})
_MEDIA = re.compile(
    r"data:(?:audio|video)/[a-z0-9.+-]+(?:;codecs=[\w.,]+)?;base64,[A-Za-z0-9+/=\s]*", re.I
)
_SAID = {
    "script": "script",
    **dict.fromkeys(("iframe", "frame", "frameset"), "embedded page"),
    **dict.fromkeys(("object", "embed", "applet"), "plug-in"),
    **dict.fromkeys(("form", "button", "select", "textarea"), "form"),
    **dict.fromkeys(("link", "base", "meta"), "page header"),
    "math": "MathML",
    "template": "template",
    "portal": "embedded page",
}
_TAG = re.compile(r"<([A-Za-z][^\s/><]*)")
_HANDLER = re.compile(r"[\s/\"']on[a-z]{3,40}\s*=", re.I)
_HANDLER_IN_TAG = re.compile(r"<[A-Za-z][^<>]*[\s/\"']on[a-z]{3,40}\s*=", re.I)
# Tried at every place where a tag could begin, so that no comment or quote can hide one. A `<` ends
# names and values here, though not for a browser: no stretch of text is then read twice.
_ATTRIBUTE = (
    r"[\s/]*+[^\s/>][^\s/><=]*+"
    r"(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s><]*+)?+)?+"
)
_MANY_ATTRIBUTES = re.compile(rf"<[A-Za-z][^\s/><]*+(?:{_ATTRIBUTE}){{64}}", re.ASCII)
_ANY_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)")
_UNSTACKED = frozenset(
    """
    area base br col embed hr img input link meta param source track wbr p li dt dd td th tr thead tbody
    tfoot colgroup option rp rt rb rtc path circle rect use line polygon polyline ellipse stop
    """.split()  # noqa: SIM905 - quotation marks help nobody
)
_FORMATS = frozenset("a b big code em font i nobr s small strike strong tt u".split())  # noqa: SIM905
_DEEPEST = 2000
_SCRIPT = re.compile(r"<script(?=[\s/>])[^<>]*>|</script\s*>", re.I)
_STYLE = re.compile(r"<style(?=[\s/>])[^<>]*>|</style\s*>", re.I)
_SVG = re.compile(r"<svg(?=[\s/>])|</svg\s*>", re.I)
_LINK = re.compile(r'<(/?)([a-z][a-z0-9]*)((?: [^\s=>"]+="[^"]*")*)>')
_HREF = re.compile(r' href="([^"]*)"')
_LONGEST_TARGET = 300


class Refused(ValueError):
    """HTML that cannot be cleaned in a time in keeping with its size."""


def clean(text: str) -> tuple[str, frozenset[str]]:
    """The HTML, and what was removed from it."""
    if "<" not in text:
        return harmless_latex(text), frozenset()
    text, scripts = _without(text, "<script", _SCRIPT)
    _bounded(text)
    job = _Job(text)
    if scripts:
        job.removed.add("script")
    return job.run(), frozenset(job.removed)


class _Job:
    """One text; `removed` says what it lost."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.removed: set[str] = set()
        self._mark = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
        self._drawings: list[str] = []

    def run(self) -> str:
        text, sheets = _without(self.text, "<style", _STYLE)
        text = self._without_drawings(text)
        self._say_what_goes(text)
        done = _cleaner(self).clean(text)
        if "<a" in done:
            done = "".join(_unlinked(done))
        done = harmless_latex(done)
        for number, drawing in enumerate(self._drawings):
            done = done.replace(self._place(number), drawing)
        return self._styled(done, sheets)

    def _styled(self, done: str, sheets: list[str]) -> str:
        if any(css.acts(sheet) for sheet in sheets):
            self.removed.add("style that loads")
        scope = f"codeact-{self._mark}"
        sheet = "\n".join(filter(None, (css.sheet(sheet, f".{scope}") for sheet in sheets)))
        if not sheet:
            return done
        return f'<div class="{scope}"><style>\n{sheet}\n</style>{done}</div>'

    def _place(self, number: int) -> str:
        return f'<img alt="{self._mark}-{number}">'

    def _without_drawings(self, text: str) -> str:
        if "<svg" not in text.lower():
            return text
        found: list[str] = []
        begin = depth = end = 0
        for match in _SVG.finditer(text):
            if match.group()[1] != "/":
                if not depth:
                    begin = match.start()
                    found.append(text[end:begin])
                depth += 1
            elif depth:
                depth -= 1
                if not depth:
                    end = match.end()
                    found.append(self._drawing(text[begin:end]))
        found.append(text[begin if depth else end :])
        return "".join(found)

    def _drawing(self, source: str) -> str:
        try:
            drawing, removed = svg.clean(source)
        except svg.Refused:
            self.removed.add("SVG drawing")
            return ""
        self.removed |= removed
        data = base64.b64encode(drawing.encode("utf-8", "replace")).decode()
        self._drawings.append(f'<img src="data:image/svg+xml;base64,{data}">')
        return self._place(len(self._drawings) - 1)

    def _say_what_goes(self, text: str) -> None:
        for name in {name.lower() for name in set(_TAG.findall(text))}:
            said = _SAID.get(name)
            if said:
                self.removed.add(said)
        if _HANDLER.search(text) and _HANDLER_IN_TAG.search(text):
            self.removed.add("event handler")

    def attribute(self, tag: str, name: str, value: str) -> str | None:
        """One attribute that is on the list: its value, or None for none."""
        if name == "class":
            return svg.classes(value) or None
        if name == "style":
            if css.acts(value):
                self.removed.add("style that loads")
            return css.declarations(value) or None
        if name in _IDS:
            return (
                " ".join(f"{css.PREFIX}{word.removeprefix('#')}" for word in value.split()) or None
            )
        if name in _SOURCES.get(tag, ()):
            return self._source(tag, value)
        return value

    def _source(self, tag: str, value: str) -> str | None:
        allowed = svg.RASTER.fullmatch(value)
        if allowed is None and tag != "img":
            allowed = _MEDIA.fullmatch(value)
        if allowed is not None:
            return value
        self.removed.add("remote image" if tag == "img" else "remote media")
        return None


def _bounded(text: str) -> None:
    """Raise Refused for HTML whose tree would be very deep, or very much larger than its text.

    The first costs time by the square, like a tag with very many attributes; the second (formatting
    that is never closed is begun again in each block) memory.
    """
    if _MANY_ATTRIBUTES.search(text) is not None:
        raise Refused("it has a tag with too many attributes")
    if text.count("<") < _DEEPEST:
        return
    stack: list[str] = []
    formats = repeated = tags = 0
    for match in _ANY_TAG.finditer(text):
        name = match.group(2).lower()
        if not match.group(1):
            if name in _UNSTACKED:
                repeated += formats
                continue
            tags += 1
            stack.append(name)
            formats += name in _FORMATS
            repeated += formats
        elif stack and stack[-1] == name:
            stack.pop()
            formats -= name in _FORMATS
        if len(stack) > _DEEPEST or repeated > 1_000_000 + 20 * tags:
            raise Refused("it is nested too deeply")


def _cleaner(job: _Job) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=_TAGS,
        clean_content_tags=_DROPPED,
        attributes=_ATTRIBUTES,
        attribute_filter=job.attribute,
        tag_attribute_values={"input": {"type": {"checkbox", "radio"}}},
        link_rel=None,
        url_schemes={"data", "http", "https", "mailto", "ftp", "file"},
        strip_comments=True,
    )


def _without(text: str, probe: str, tags: re.Pattern[str]) -> tuple[str, list[str]]:
    """The text without these elements, and what was in them. nh3 looks at what is left."""
    if probe not in text.lower():
        return text, []
    kept: list[str] = []
    contents: list[str] = []
    begin: int | None = None
    end = 0
    for match in tags.finditer(text):
        opens = match.group()[1] != "/"
        if begin is None and opens:
            kept.append(text[end : match.start()])
            begin = match.end()
        elif begin is not None and not opens:
            contents.append(text[begin : match.start()])
            begin, end = None, match.end()
    if begin is None:
        kept.append(text[end:])
    return "".join(kept), contents


def _unlinked(text: str) -> Iterator[str]:
    """Each `<a href="T">text</a>` as `<span>text (T)</span>`."""
    end = 0
    targets: list[str] = []
    for match in _LINK.finditer(text):
        if match.group(2) != "a":
            continue
        yield text[end : match.start()]
        end = match.end()
        if match.group(1):
            yield f"{targets.pop() if targets else ''}</span>"
            continue
        href = _HREF.search(match.group(3))
        targets.append(_shown(html.unescape(href.group(1))) if href else "")
        yield f"<span{_HREF.sub('', match.group(3))}>"
    yield text[end:]


def _shown(target: str) -> str:
    """A link's target as text. Inside the page it is no news."""
    if target.startswith("#"):
        return ""
    cut = target if len(target) <= _LONGEST_TARGET else f"{target[:_LONGEST_TARGET]}…"
    return f" ({html.escape(cut)})"
