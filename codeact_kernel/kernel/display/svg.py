"""SVG drawings, written anew from the elements and attributes that draw.

Rule: an XML parser reads, and what is known is written again with every text escaped, so that the
result means the same to an XML parser and to an HTML parser. No script, no animation, no HTML inside,
no reference that leaves the drawing; pictures inside are raster images in data URLs. What is not
well-formed is refused: a browser would not show it either.
"""

from __future__ import annotations

import functools
import hashlib
import re
from html import escape
from xml.parsers import expat

from codeact_kernel.kernel.display import css

RASTER = re.compile(r"data:image/(?:png|jpeg|jpg|gif|webp|bmp);base64,[A-Za-z0-9+/=\s]*", re.I)
_ELEMENTS = frozenset(
    """
    svg g path rect circle ellipse line polyline polygon text tspan textPath title desc defs symbol use
    clipPath mask pattern linearGradient radialGradient stop marker style image switch filter feBlend
    feColorMatrix feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting
    feDisplacementMap feDistantLight feDropShadow feFlood feFuncA feFuncB feFuncG feFuncR
    feGaussianBlur feMerge feMergeNode feMorphology feOffset fePointLight feSpecularLighting
    feSpotLight feTile feTurbulence
    """.split()  # noqa: SIM905 - quotation marks help nobody
)
_ATTRIBUTES = frozenset(
    """
    xmlns xmlns:xlink version viewBox preserveAspectRatio width height x y x1 x2 y1 y2 cx cy r rx ry fx fy
    fr d points pathLength dx dy rotate textLength lengthAdjust startOffset method spacing transform
    gradientTransform gradientUnits spreadMethod offset patternUnits patternContentUnits
    patternTransform clipPathUnits maskUnits maskContentUnits markerUnits markerWidth markerHeight
    refX refY orient class id style fill fill-opacity fill-rule stroke stroke-width stroke-opacity
    stroke-linecap stroke-linejoin stroke-dasharray stroke-dashoffset stroke-miterlimit color opacity
    clip-path clip-rule mask marker marker-start marker-mid marker-end filter stop-color
    stop-opacity font-family font-size font-style font-variant font-weight font-stretch text-anchor
    text-decoration letter-spacing word-spacing dominant-baseline alignment-baseline baseline-shift
    direction writing-mode display visibility overflow vector-effect shape-rendering text-rendering
    image-rendering paint-order color-interpolation color-interpolation-filters flood-color
    flood-opacity lighting-color filterUnits primitiveUnits in in2 result mode type values stdDeviation
    operator k1 k2 k3 k4 order kernelMatrix divisor bias targetX targetY edgeMode surfaceScale
    diffuseConstant specularConstant specularExponent scale xChannelSelector yChannelSelector
    azimuth elevation z pointsAtX pointsAtY pointsAtZ limitingConeAngle radius baseFrequency
    numOctaves seed stitchTiles tableValues slope intercept amplitude exponent role aria-label
    aria-hidden
    """.split()  # noqa: SIM905 - quotation marks help nobody
)
_NAMES = {"xmlns": "http://www.w3.org/2000/svg", "xmlns:xlink": "http://www.w3.org/1999/xlink"}
_TEXT_ONLY = frozenset({"title", "desc", "style"})
_SAID = {
    "script": "script",
    "foreignobject": "HTML inside a drawing",
    "animate": "animation",
    "animatemotion": "animation",
    "animatetransform": "animation",
    "set": "animation",
    "handler": "script",
    "iframe": "embedded page",
}
_CALLS = re.compile(r"([\w-]*)\(")
_FUNCTIONS = frozenset(
    "url rgb rgba hsl hsla translate rotate scale matrix skewx skewy var calc".split()  # noqa: SIM905 - quotation marks help nobody
)
_LOCAL = re.compile(r"url\(\s*(['\"]?)#([\w.:-]+)\1\s*\)")
_TARGET = re.compile(r"#[\w.:-]+")


class Refused(ValueError):
    """Not a drawing that can be cleaned; the text says why."""


def clean(text: str) -> tuple[str, frozenset[str]]:
    """The drawing, and what was removed from it. Raises Refused."""
    parser = expat.ParserCreate("utf-8")
    writer = _Writer(hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12])
    parser.StartElementHandler = writer.start
    parser.EndElementHandler = writer.end
    parser.CharacterDataHandler = writer.text
    parser.EntityDeclHandler = _no_entities
    parser.buffer_text = True
    parser.ordered_attributes = False
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except (expat.ExpatError, RecursionError) as error:
        raise Refused("it is not well-formed") from error
    return "".join(writer.out), frozenset(writer.removed)


def _no_entities(*_: object) -> None:
    raise Refused("it declares entities")


class _Writer:
    """Writes what is allowed; `_skip` counts the open elements of a part that is left out."""

    def __init__(self, mark: str) -> None:
        self.out: list[str] = []
        self.removed: set[str] = set()
        self._scope = f"codeact-{mark}"
        self._open: list[str] = []
        self._skip = 0
        self._sheet: list[str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2] if name.startswith("svg:") else name
        if not self._open and name != "svg":
            raise Refused("it does not begin with <svg>")
        if name == "a" and not self._skip:
            name = "g"
        if self._skip or name not in _ELEMENTS or (self._open and self._open[-1] in _TEXT_ONLY):
            self._leave_out(name)
            return
        if name == "style":
            self._sheet = []
        first = not self._open
        self._open.append(name)
        if first:
            own = f"{self._scope} {attributes.pop('class', '')}".strip()
            attributes = {**attributes, **_NAMES, "class": own}
        kept = "".join(self._attributes(name, attributes))
        self.out.append(f"<{name}{kept}>")

    def _leave_out(self, name: str) -> None:
        self._skip += 1
        said = _SAID.get(name.lower())
        if said:
            self.removed.add(said)

    def _attributes(self, name: str, attributes: dict[str, str]) -> list[str]:
        found = []
        for key, value in attributes.items():
            kept = self._attribute(name, key, value)
            if kept is not None:
                found.append(f" {key}={_quoted(kept)}")
        return found

    def _attribute(self, name: str, key: str, value: str) -> str | None:
        if key in ("href", "xlink:href"):
            return self._reference(name, value)
        if key not in _ATTRIBUTES:
            if key.lower().startswith("on"):
                self.removed.add("event handler")
            return None
        if key == "style":
            if css.acts(value):
                self.removed.add("style that loads")
            return css.declarations(value)
        if key == "id":
            return f"{css.PREFIX}{value}" if re.fullmatch(r"[\w.:-]+", value) else None
        if key in _NAMES:
            return _NAMES[key]
        if key == "class":
            return classes(value) if not value.startswith(self._scope) else value
        return self._value(value)

    def _value(self, value: str) -> str | None:
        if "(" not in value and "\\" not in value:
            return value
        bare = _LOCAL.sub(rf"url(#{css.PREFIX}\2)", value)
        known = all(call.lower() in _FUNCTIONS for call in _CALLS.findall(bare))
        outside = "url" in _LOCAL.sub("", bare).lower()
        if "\\" in value or not known or outside:
            self.removed.add("style that loads")
            return None
        return bare

    def _reference(self, name: str, value: str) -> str | None:
        value = value.strip()
        if name == "image" and RASTER.fullmatch(value):
            return value
        if name != "image" and _TARGET.fullmatch(value):
            return f"#{css.PREFIX}{value[1:]}"
        if name != "g":
            self.removed.add("remote image" if name == "image" else "reference to the outside")
        return None

    def text(self, text: str) -> None:
        if self._skip:
            return
        if self._sheet is not None:
            self._sheet.append(text)
        else:
            self.out.append(escape(text, quote=False))

    def end(self, name: str) -> None:
        if self._skip:
            self._skip -= 1
            return
        name = self._open.pop()
        if self._sheet is not None:
            text, self._sheet = "".join(self._sheet), None
            if css.acts(text):
                self.removed.add("style that loads")
            self.out.append(escape(css.sheet(text, f".{self._scope}"), quote=False))
        self.out.append(f"</{name}>")


def _quoted(value: str) -> str:
    return f'"{escape(value)}"'


_OF_THE_PAGE = re.compile(r"(?:jp|lm|p|cm|bp\d*|codeact|jupyter|CodeMirror)(?:-|$)", re.I)


@functools.lru_cache(1000)
def classes(value: str) -> str:
    """The class names that are not the page's own, which would make an output look like its parts."""
    return " ".join(name for name in value.split() if not _OF_THE_PAGE.match(name))
