"""JSON displays that a front end's own code draws: charts, maps, trees.

Rule: a chart is data. What makes its library load, link or embed something is taken out: addresses
of data, pictures and map tiles, options for the library itself, and links behind marks. Text stays
text. Types that are not known here are not shown.
"""

from __future__ import annotations

import json
import re
from typing import Any

from codeact_kernel.kernel.display import svg

Cleaned = tuple[Any, frozenset[str]]
_VEGA = re.compile(r"application/vnd\.vega(?:lite)?\.v\d+(?:\.\d+)*\+json")
PLOTLY = "application/vnd.plotly.v1+json"
PLOTLY_UNDRAWN = (
    "A Plotly figure. JupyterLab draws it when plotly is installed where JupyterLab runs."
)
GEOJSON = "application/geo+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
_ADDRESS = re.compile(r"[\x00-\x20]*(?:[A-Za-z][A-Za-z0-9+.-]{1,20}:[^\s]|[/\\]{2})")
_DEEP = 100


class Refused(ValueError):
    """Not what its type says."""


def is_known(mime: str) -> bool:
    """Whether this type may be shown, cleaned."""
    return mime in _CLEANERS or _VEGA.fullmatch(mime) is not None


def is_chart(mime: str) -> bool:
    """Whether this is the data of a chart."""
    return mime == PLOTLY or _VEGA.fullmatch(mime) is not None


def clean(mime: str, value: Any) -> Cleaned:
    """The value as it may be shown, and what was removed from it. Raises Refused."""
    try:
        return _CLEANERS.get(mime, _vega)(value)
    except RecursionError as error:
        raise Refused("it is nested too deeply") from error


def _same(value: Any) -> Cleaned:
    return value, frozenset()


def _widget(value: Any) -> Cleaned:
    if not isinstance(value, dict) or not isinstance(value.get("model_id"), str):
        raise Refused("it names no widget")
    kept = {"model_id": value["model_id"], "version_major": 2, "version_minor": 0}
    for key in ("version_major", "version_minor"):
        if type(value.get(key)) is int:
            kept[key] = value[key]
    return kept, frozenset()


# ── vega and vega-lite ───────────────────────────────────────────────────────────────────────────

_SCHEMA = re.compile(r"https://vega\.github\.io/schema/vega(?:-lite)?/v[\d.]+\.json")
_LOADS = frozenset({"url", "href", "usermeta", "element", "loader", "sourceHeader", "sourceFooter"})
_ROWS = frozenset({"values", "datasets"})


def _vega(value: Any) -> Cleaned:
    if not isinstance(value, dict):
        raise Refused("it is not a specification")
    removed: set[str] = set()
    schema = value.get("$schema")
    spec = _vega_part({k: v for k, v in value.items() if k != "$schema"}, removed, 0)
    if isinstance(schema, str) and _SCHEMA.fullmatch(schema):
        spec = {"$schema": schema, **spec}
    text = json.dumps(spec)
    if '"tooltip"' in text and ("image" in text or "\\\\" in text or "pivot" in text):
        # A tooltip that is an object with the key `image` loads it; it can be computed.
        spec = _without(spec, "tooltip")
        removed.add("tooltips")
    return spec, frozenset(removed)


def _vega_part(value: Any, removed: set[str], depth: int) -> Any:
    if depth > _DEEP:
        raise Refused("it is nested too deeply")
    if isinstance(value, list):
        return [
            _vega_part(item, removed, depth + 1)
            for item in value
            if not (isinstance(item, dict) and item.get("name") == "cursor")
        ]
    if isinstance(value, str):
        return _unless_address(value, removed)
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    for key, item in value.items():
        if key in _LOADS or (key == "cursor" and not _is_word(item)):
            if not _is_raster(item) and key != "usermeta":
                removed.add("remote data")
                continue
            if key != "url":
                continue
            kept[key] = item
        elif key in _ROWS:
            kept[key] = _rows(item, removed)
        else:
            kept[key] = _vega_part(item, removed, depth + 1)
    return kept


def _rows(value: Any, removed: set[str]) -> Any:
    """Inline data: its keys are names of columns, its texts are shown."""
    if isinstance(value, list):
        return [_rows(item, removed) for item in value]
    if isinstance(value, dict):
        return {key: _rows(item, removed) for key, item in value.items()}
    return _apart(value) if isinstance(value, str) else value


def _apart(text: str) -> str:
    """Text that begins like an address, so that it is none: a word joiner, which nobody sees."""
    return f"\u2060{text}" if _ADDRESS.match(text) else text


def _unless_address(text: str, removed: set[str]) -> str:
    if "url(" in text.lower():
        removed.add("remote data")
        return ""
    return _apart(text)


def _without(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, name) for key, item in value.items() if key != name}
    return [_without(item, name) for item in value] if isinstance(value, list) else value


def _is_word(value: Any) -> bool:
    if isinstance(value, dict) and set(value) == {"value"}:
        value = value["value"]
    return isinstance(value, str) and re.fullmatch(r"[a-z-]+", value) is not None


def _is_raster(value: Any) -> bool:
    if isinstance(value, dict) and set(value) == {"value"}:
        value = value["value"]
    return isinstance(value, str) and svg.RASTER.fullmatch(value) is not None


# ── plotly ───────────────────────────────────────────────────────────────────────────────────────

_CONFIG = frozenset(
    """
    responsive displayModeBar displaylogo scrollZoom staticPlot editable doubleClick showTips
    showAxisDragHandles modeBarButtonsToRemove autosizable fillFrame frameMargins toImageButtonOptions
    """.split()  # noqa: SIM905 - quotation marks help nobody
)
_PLOTLY_LOADS = frozenset(
    "source sourceURL url href src geojson topojsonURL plotlyServerURL tiles accesstoken".split()  # noqa: SIM905 - quotation marks help nobody
)
_MAPS = frozenset({"mapbox", "map"})
_ANCHOR = re.compile(r"<(?=\s*/?\s*a\b)", re.I)


def _plotly(value: Any) -> Cleaned:
    if not isinstance(value, dict) or not isinstance(value.get("data", []), list):
        raise Refused("it is not a figure")
    removed: set[str] = set()
    kept = {
        key: _plotly_part(value[key], removed, 0)
        for key in ("data", "layout", "frames")
        if key in value
    }
    config = value.get("config")
    if isinstance(config, dict):
        kept["config"] = {k: v for k, v in config.items() if k in _CONFIG and not _named(v)}
    return kept, frozenset(removed)


def _named(value: Any) -> bool:
    return isinstance(value, str) and _ADDRESS.match(value) is not None


def _plotly_part(value: Any, removed: set[str], depth: int) -> Any:
    if depth > _DEEP:
        raise Refused("it is nested too deeply")
    if isinstance(value, str):
        return _ANCHOR.sub("<\u2060", value) if "<" in value else value
    if isinstance(value, list):
        if not any(isinstance(item, str | list | dict) for item in value):
            return value
        return [_plotly_part(item, removed, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    for key, item in value.items():
        if key in _PLOTLY_LOADS and not _is_raster(item) and not isinstance(item, dict):
            removed.add("remote data")
        elif key.rstrip("0123456789") in _MAPS and isinstance(item, dict):
            kept[key] = _map(item, removed, depth)
        else:
            kept[key] = _plotly_part(item, removed, depth + 1)
    return kept


def _map(value: dict[str, Any], removed: set[str], depth: int) -> Any:
    """A map without a background: its style names who sends the tiles."""
    if value.get("style") != "white-bg":
        removed.add("map tiles")
    rest = {key: item for key, item in value.items() if key not in ("style", "layers")}
    return {**_plotly_part(rest, removed, depth + 1), "style": "white-bg"}


# ── geojson ──────────────────────────────────────────────────────────────────────────────────────


def _geojson(value: Any) -> Cleaned:
    if not isinstance(value, dict):
        raise Refused("it is not GeoJSON")
    return _no_html(value), frozenset()


def _no_html(value: Any) -> Any:
    """Viewers write properties into a page as they are."""
    if isinstance(value, str):
        return value.replace("<", "‹").replace(">", "›")
    if isinstance(value, dict):
        return {_no_html(key): _no_html(item) for key, item in value.items()}
    return [_no_html(item) for item in value] if isinstance(value, list) else value


_CLEANERS = {
    "application/json": _same,
    WIDGET: _widget,
    PLOTLY: _plotly,
    GEOJSON: _geojson,
}
