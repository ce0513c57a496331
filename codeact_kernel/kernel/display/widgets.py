"""Widgets: the core ones work, code that a widget would bring into the browser does not.

Rule: a comm may be opened for target `jupyter.widget` only, and only with the models and views of
ipywidgets itself; any other model is replaced by a line of text that says so. What a core widget
shows as HTML is cleaned like every HTML, in its first state and in each update. A model's class is
said once and never changed: its view could read the same text differently.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

from codeact_kernel.kernel.display import css, html, svg, terminal
from codeact_kernel.trace.markdown import harmless_latex

TARGETS = frozenset({"jupyter.widget", "jupyter.widget.version", "jupyter.widget.control"})
_MODULES = frozenset(
    {"@jupyter-widgets/base", "@jupyter-widgets/controls", "@jupyter-widgets/output"}
)
_CLASS = frozenset(
    {
        "_model_module",
        "_model_module_version",
        "_model_name",
        "_view_module",
        "_view_module_version",
        "_view_name",
    }
)
_OTHER_VIEWS = {
    "IntProgressModel": "ProgressView",
    "FloatProgressModel": "ProgressView",
    "BoundedIntTextModel": "IntTextView",
    "BoundedFloatTextModel": "FloatTextView",
    "NaiveDatetimeModel": "DatetimeView",
}
"""Core widgets that share the view of another; tqdm draws with the first two."""
_FOREIGN = frozenset({"_esm", "_css", "_anywidget_id", "_module"})
_HTML = frozenset({"HTMLModel", "HTMLMathModel"})
_MOST = 20_000
_MEDIA = frozenset({"ImageModel", "AudioModel", "VideoModel"})
_UNKNOWN = "?"
_BLOCKED = ""


class Refused(ValueError):
    """This message must not reach a front end; the text says why, "" when it was said before."""


class Widgets:
    """Cleans comm messages. Owner of what is known about open comms: their model, by comm id."""

    def __init__(self, clean_output: Any) -> None:
        self._clean_output = clean_output
        self._models: OrderedDict[str, str] = OrderedDict()

    def forget(self) -> None:
        """The sandbox is gone, and its comms with it."""
        self._models.clear()

    def opened(self, value: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
        """A comm_open as it may be sent. Raises Refused."""
        target, comm_id, data = value["target_name"], value["comm_id"], value.get("data")
        if target not in TARGETS:
            raise Refused(f"comm {terminal.clean(str(target))[:80]}")
        if len(self._models) >= _MOST:
            raise Refused(f"more than {_MOST:,} widgets")
        if not isinstance(data, dict) or not isinstance(data.get("state"), dict):
            return {**value, "data": {}, "metadata": {}}, frozenset()
        model, state, removed = self._first(data["state"])
        self._models[comm_id] = model
        paths = data["buffer_paths"] if model and "buffer_paths" in data else []
        kept = {"state": state, "buffer_paths": paths if isinstance(paths, list) else []}
        return {**value, "data": kept}, removed

    def said(self, value: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
        """A comm_msg as it may be sent. Raises Refused."""
        model = self._models.get(value["comm_id"], _UNKNOWN)
        if model == _BLOCKED:
            raise Refused("")
        data = value.get("data")
        if not isinstance(data, dict):
            raise Refused("")
        method = data.get("method")
        if method == "update_states":
            return self._all(value, data)
        if method not in ("update", "echo_update"):
            return value, frozenset()
        state = data.get("state")
        kept, removed = self._state(model, state if isinstance(state, dict) else {})
        return {**value, "data": {**data, "state": kept}}, removed

    def closed(self, value: dict[str, Any]) -> None:
        """A comm_close."""
        self._models.pop(value["comm_id"], None)

    def _first(self, state: dict[str, Any]) -> tuple[str, dict[str, Any], frozenset[str]]:
        foreign = foreign_code(state)
        if foreign:
            return _BLOCKED, _note(foreign), frozenset({f"widget code ({foreign})"})
        model = str(state.get("_model_name"))
        if model in _MEDIA and state.get("format") == "url":
            return _BLOCKED, _note("a remote picture"), frozenset({"remote image"})
        kept, removed = self._state(model, state)
        named = {key: state[key] for key in _CLASS if key in state}
        return model, {**kept, **named}, removed

    def _all(
        self, value: dict[str, Any], data: dict[str, Any]
    ) -> tuple[dict[str, Any], frozenset[str]]:
        """Every widget's state, as a front end asks for after a reload."""
        states = data.get("states")
        kept: dict[str, Any] = {}
        removed: frozenset[str] = frozenset()
        for comm_id, each in (states if isinstance(states, dict) else {}).items():
            state = each.get("state") if isinstance(each, dict) else None
            if not isinstance(state, dict):
                continue
            names = {
                "_model_module": each.get("model_module", state.get("_model_module")),
                "_model_name": each.get("model_name", state.get("_model_name")),
            }
            model, state, lost = self._first({**state, **names})
            removed |= lost
            kept[comm_id] = {
                "state": state,
                "model_name": state["_model_name"],
                "model_module": state["_model_module"],
                "model_module_version": state.get("_model_module_version", "2.0.0"),
            }
            if model and len(self._models) < _MOST:
                self._models[comm_id] = model
        paths = data.get("buffer_paths")
        paths = [p for p in paths if isinstance(p, list)] if isinstance(paths, list) else []
        done = {"method": "update_states", "states": kept, "buffer_paths": paths}
        return {**value, "data": done}, removed

    def _state(self, model: str, state: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
        removed: set[str] = set()
        kept: dict[str, Any] = {}
        for key, item in state.items():
            if key in _FOREIGN or key in _CLASS or key == "description_allow_html":
                continue
            if key == "format" and item == "url" and model in (*_MEDIA, _UNKNOWN):
                removed.add("remote image")
                continue
            if key == "outputs" and isinstance(item, list):
                kept[key] = self._outputs(item, removed)
            else:
                kept[key] = _field(model, key, item, removed)
        return kept, frozenset(removed)

    def _outputs(self, outputs: list[Any], removed: set[str]) -> list[Any]:
        found = []
        for output in outputs:
            if isinstance(output, dict):
                cleaned, lost = self._clean_output(output)
                removed |= lost
                found.append(cleaned)
        return found


def foreign_code(state: dict[str, Any]) -> str:
    """Whose code a model with this state would load, "" when it is a core widget's."""
    model, view = state.get("_model_name"), state.get("_view_name")
    for key in ("_model_module", "_view_module"):
        module = state.get(key)
        if module not in _MODULES and not (key == "_view_module" and module is None):
            return terminal.clean(str(module))[:80]
    if _FOREIGN & state.keys():
        return "anywidget"
    if not isinstance(model, str) or not re.fullmatch(r"[A-Za-z]{1,60}Model", model):
        return terminal.clean(str(model))[:80]
    own = _OTHER_VIEWS.get(model, f"{model.removesuffix('Model')}View")
    wanted = {None, own, "StyleView", "LayoutView"}
    return "" if view in wanted else terminal.clean(str(view))[:80]


def _field(model: str, key: str, item: Any, removed: set[str]) -> Any:
    if isinstance(item, list) and key == "_dom_classes":
        return [name for name in item if isinstance(name, str) and svg.classes(name) == name]
    if not isinstance(item, str):
        return item
    if model.endswith(("StyleModel", "LayoutModel")):
        if css.acts(item):
            removed.add("style that loads")
        return item if css.is_plain(item) else None
    return _text(model, key, item, removed)


def _text(model: str, key: str, item: str, removed: set[str]) -> str:
    if key == "value" and (model in _HTML or model == _UNKNOWN):
        cleaned, lost = html.clean(terminal.clean(item))
        removed |= lost
        return cleaned
    if key in ("value", "description"):
        return harmless_latex(item) if model in ("LabelModel", _UNKNOWN) else item
    return item


def _note(what: str) -> dict[str, Any]:
    """The state of a widget that says why another one is not there."""
    words = (
        f"This widget is blocked: it needs {what}. %agent trust display shows displays as they are."
    )
    module = "@jupyter-widgets/controls"
    return {
        "_model_module": module,
        "_model_module_version": "2.0.0",
        "_model_name": "LabelModel",
        "_view_module": module,
        "_view_module_version": "2.0.0",
        "_view_name": "LabelView",
        "value": words,
    }
