"""The widgets that a run is drawn with, as the states from which a front end makes them.

Rule: values only, in the words of ipywidgets 8, which tests compare them with. They are spoken here
and not by ipywidgets itself: a kernel that runs an agent would take 0.13 s and 6 MiB more for it.
What is left out of a state is what every front end takes for it anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

TARGET = "jupyter.widget"
PROTOCOL = "2.1.0"
MIME = "application/vnd.jupyter.widget-view+json"
_MODULE = "@jupyter-widgets/controls"
_VERSION = "2.0.0"

State = dict[str, Any]


def view(widget: str) -> dict[str, Any]:
    """What a display holds under MIME to show this widget."""
    return {"version_major": 2, "version_minor": 0, "model_id": widget}


def html(value: str, name: str) -> State:
    """HTML, shown as it is: the caller escapes what is not its own. `name` is a class for the
    style sheet, as below.
    """
    return _control("HTML", value=value, _dom_classes=[name])


def column(children: Sequence[str], name: str) -> State:
    """One below the other."""
    return _control("VBox", children=references(children), _dom_classes=[name])


def row(children: Sequence[str], name: str) -> State:
    """Side by side."""
    return _control("HBox", children=references(children), _dom_classes=[name])


def button(words: str, tooltip: str, look: str = "") -> State:
    """Says that it was clicked. `look` is "", primary, success, warning or danger."""
    return _control("Button", description=words, tooltip=tooltip, button_style=look)


def toggle(words: str, tooltip: str, look: str = "") -> State:
    """A button with a state, `value`, that a link can carry over to another widget."""
    return _control(
        "ToggleButton", value=False, description=words, tooltip=tooltip, button_style=look
    )


def editor(code: str, rows: int) -> State:
    """Text of several lines to be changed."""
    return _control("Textarea", value=code, rows=rows, _dom_classes=["codeact-editor"])


def field(placeholder: str) -> State:
    """Text of one line to be written."""
    return _control("Text", value="", placeholder=placeholder)


def link(source: str, name: str, target: str, mark: str) -> State:
    """In the front end, whenever attribute `name` of `source` changes: `mark` of `target` has it, too.

    It does so once when it is made, by which we hear that somebody makes widgets of these states.
    """
    ends = {"source": [f"IPY_MODEL_{source}", name], "target": [f"IPY_MODEL_{target}", mark]}
    return {**_control("DirectionalLink", **ends), "_view_name": None}


def references(widgets: Sequence[str]) -> list[str]:
    """Widgets as the state of another one names them."""
    return [f"IPY_MODEL_{widget}" for widget in widgets]


def _control(name: str, **state: Any) -> State:
    return {
        "_model_module": _MODULE,
        "_model_module_version": _VERSION,
        "_model_name": f"{name}Model",
        "_view_module": _MODULE,
        "_view_module_version": _VERSION,
        "_view_name": f"{name}View",
        **state,
    }
