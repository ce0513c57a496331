"""A display in several types: each is cleaned by its own rule, unknown ones are not shown.

Rule: nothing is taken over that is not named here: types, and the metadata that belongs to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from codeact_kernel.kernel.display import html, json_types, svg, terminal
from codeact_kernel.trace.markdown import harmless_latex, harmless_markdown, has_remote_picture

Cleaned = tuple[Any, frozenset[str]]
_RASTER = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})
_SAID = {
    "application/javascript": "script",
    "text/javascript": "script",
    "application/pdf": "PDF",
}
_OF_TYPE = frozenset({"width", "height", "unconfined", "needs_background", "expanded", "root"})
_NOT_OURS = frozenset({"codeact", "isolated", "trusted", "embed_options"})
_LARGEST = 10_000_000
"""Characters of a text that are cleaned: some 4 s of a thread."""


def clean_data(data: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """The bundle as it may be shown, and what was removed from it."""
    kept: dict[str, Any] = {}
    removed: set[str] = set()
    for mime, value in data.items():
        try:
            cleaned, lost = _clean(mime, value)
        except (html.Refused, svg.Refused, json_types.Refused) as error:
            removed.add(f"{mime} ({error})")
            continue
        removed |= lost
        if cleaned is not None:
            kept[mime] = cleaned
    return _as_charts(kept, removed)


def _as_charts(kept: dict[str, Any], removed: set[str]) -> tuple[dict[str, Any], frozenset[str]]:
    """A chart's data is drawn by the front end; the page with script beside it is no loss."""
    if not any(json_types.is_chart(mime) for mime in kept):
        return kept, frozenset(removed)
    if "script" in removed:
        kept.pop("text/html", None)
        removed.discard("script")
    if json_types.PLOTLY in kept:
        kept.setdefault("text/plain", json_types.PLOTLY_UNDRAWN)
    return kept, frozenset(removed)


def clean_metadata(metadata: Any, kept: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of what is shown."""
    if not isinstance(metadata, dict):
        return {}
    found: dict[str, Any] = {}
    for key, value in metadata.items():
        if key in kept and isinstance(value, dict):
            found[key] = {name: item for name, item in value.items() if name in _OF_TYPE}
        elif "/" not in key and key not in _NOT_OURS:
            found[key] = value
    return found


def _clean(mime: str, value: Any) -> Cleaned:
    if mime in _RASTER:
        return _raster(mime, value)
    text = joined(value)
    cleaner = _TEXTS.get(mime)
    if cleaner is not None:
        if not isinstance(text, str):
            return None, frozenset({f"{mime} (not a text)"})
        if len(text) > _LARGEST and mime != "text/plain":
            return None, frozenset({f"{mime} (more than {_LARGEST // 1_000_000} MB)"})
        return cleaner(terminal.clean(text))
    if json_types.is_known(mime):
        return json_types.clean(mime, value)
    return None, frozenset({_SAID.get(mime, terminal.clean(mime)[:80])})


def joined(value: Any) -> Any:
    """A text that may be a list of lines, as one text."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value


def _raster(mime: str, value: Any) -> Cleaned:
    """Base64, looked at without making a copy of it."""
    text = joined(value)
    if isinstance(text, str) and text.isascii() and not any(c in text for c in "\"'<>&`;,:()\\"):
        return value, frozenset()
    return None, frozenset({f"{mime} (it is not Base64)"})


def _plain(text: str) -> Cleaned:
    return text, frozenset()


def _markdown(text: str) -> Cleaned:
    lost = frozenset({"remote image"}) if has_remote_picture(text) else frozenset()
    return harmless_markdown(text), lost


def _latex(text: str) -> Cleaned:
    return harmless_latex(text), frozenset()


_TEXTS: dict[str, Callable[[str], Cleaned]] = {
    "text/plain": _plain,
    "text/html": html.clean,
    "text/markdown": _markdown,
    "text/latex": _latex,
    "image/svg+xml": svg.clean,
}
