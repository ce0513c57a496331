"""The widgets' states in the words of ipywidgets itself, and what they show."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import Any

import ipywidgets
import pytest

from codeact_kernel.kernel.display.widgets import foreign_code
from codeact_kernel.kernel.inline import drawing, models
from codeact_kernel.kernel.inline.highlight import python
from codeact_kernel.kernel.inline.style import SHEET

STATES = [
    models.html("x", "c"),
    models.column(["a"], "c"),
    models.row(["a"], "c"),
    models.button("x", "tip"),
    models.toggle("x", "tip", "success"),
    models.editor("x", 3),
    models.field("x"),
    models.link("a", "value", "b", "mark"),
]
HOSTILE = "<img src=x onerror=alert(1)>\"'&</pre></style><script>\u202e"


@pytest.mark.parametrize("state", STATES, ids=lambda state: state["_model_name"])
def test_states_are_those_of_ipywidgets(state: dict[str, Any]) -> None:
    """Names, module and version are its own, and every other key is an attribute it syncs."""
    kind = state["_model_name"].removesuffix("Model")
    cls = getattr(ipywidgets, kind, None) or ipywidgets.widgets.widget_link.DirectionalLink
    traits = cls.class_traits(sync=True)
    assert state.keys() <= traits.keys()
    for name in state:
        if name.startswith("_model") or name.startswith("_view"):
            assert traits[name].default_value == state[name]
    assert foreign_code(state) == ""


class Reader(HTMLParser):
    """What a browser makes of HTML: elements, and their text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "drawn",
    [
        drawing.progress(HOSTILE, HOSTILE, (HOSTILE,), 3.0, True),
        drawing.writing(1, HOSTILE, f"'{HOSTILE}\n# {HOSTILE}\n{HOSTILE}"),
        drawing.question(1, HOSTILE, [HOSTILE], HOSTILE),
    ],
)
def test_what_others_wrote_is_text(drawn: str) -> None:
    """Task, thought, code and concerns make no element, attribute or change of direction."""
    read = Reader(drawn)
    assert read.elements <= {"div", "span", "b", "ul", "li", "pre"}
    assert read.attributes <= {"class", "title"}
    assert "<img src=x" in read.text
    assert "\u202e" not in drawn


@pytest.mark.parametrize(
    "code",
    [
        "def f(x):\n    return rb'a\\'b' + x[1:2]  # 'no'\n",
        "'''half\nwritten",
        'x = f"{a["b"]}" if not None else 0x1F',
        "%%time\n@decorated\nprint(printed.print('a'))",
        "'unfinished\nnext = '\\",
    ],
)
def test_colours_change_no_character(code: str) -> None:
    """The text that is shown is the code, whole or half written."""
    assert Reader(python(code)).text == code
    assert html.unescape(re.sub(r"<[^>]*>", "", python(code))) == code


def test_colours_of_python() -> None:
    """Words, strings, numbers, comments and builtins are told apart."""
    shown = python("for x in range(3): print('for')  # for")
    assert shown.count('"codeact-keyword">for') == 1
    for part in ('keyword">in', 'builtin">range', 'number">3', "string", "comment"):
        assert f"codeact-{part}" in shown


def test_long_code_shows_its_end() -> None:
    """While it is written, and no more of it than fits."""
    shown = Reader(drawing.writing(1, "", "\n".join(map(str, range(1000))))).text
    assert shown.endswith("999")
    assert "… 960 lines above …" in shown
    assert len(drawing.writing(1, "", "x" * 10**6)) < 10_000


@pytest.mark.parametrize("code", ["x\n" * 100, f"x = 1{' ' * 3000}; evil()"])
def test_it_is_said_when_code_does_not_fit(code: str) -> None:
    """Nothing hides below the editor or beside it: long lines go on below, and scrolling is named."""
    assert "Scroll to see all" in drawing.question(1, "", (), code)
    assert "Scroll to see all" not in drawing.question(1, "", (), "x = 1\ny = 2")
    assert ".codeact-editor textarea" in SHEET
    assert "pre-wrap; overflow-wrap: anywhere" in SHEET


def test_the_style_loads_nothing() -> None:
    """No address, and no variable left unnamed."""
    assert "url(" not in SHEET
    assert "@" not in SHEET
    assert drawing.elapsed(185) == "3 min 05 s"
