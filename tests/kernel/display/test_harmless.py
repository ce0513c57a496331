"""Displays that people make every day come through as they are, or look the same."""

from __future__ import annotations

import base64
import io
import time
from typing import Any

import ipywidgets
import pandas as pd
import pytest
from matplotlib.figure import Figure

from codeact_kernel.kernel.channels.messages import to_json
from codeact_kernel.kernel.display import bundles, html, svg
from codeact_kernel.kernel.display.firewall import Firewall, note
from codeact_kernel.kernel.display.widgets import foreign_code
from codeact_kernel.kernel.relay.said import Said

PNG = base64.b64encode(b"\x89PNG" + bytes(100)).decode()


def said(kind: str, value: dict[str, Any], *buffers: bytes) -> Said:
    """A message as the sandbox sends it."""
    return Said(kind, to_json(value), value, buffers=buffers)


@pytest.mark.parametrize(
    "data",
    [
        {"text/plain": "5 < 6 & 'x'\n\x1b[31mred\x1b[0m", "image/png": PNG},
        {"text/plain": "a", "text/latex": "$\\displaystyle \\int_{0}^{1} \\frac{x^{2}}{2}\\, dx$"},
        {
            "text/markdown": "# Title\n\n* a **b** `c`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n$a < b$ \n"
        },
        {
            "text/html": '<table><tr><td colspan="2">1 &lt; 2</td></tr></table>'.replace(
                "<tr>", "<tbody><tr>"
            ).replace("</tr>", "</tr></tbody>")
        },
        {"text/html": '<details open=""><summary>more</summary><pre>x</pre></details>'},
        {"text/html": f'<img src="data:image/png;base64,{PNG}" alt="x" width="10">'},
        {"application/json": {"a": ["https://example.org", {"<b>": None}]}},
        {
            "application/vnd.plotly.v1+json": {
                "data": [{"x": ["https://a", "b"], "type": "bar", "hovertemplate": "<b>%{x}</b>"}],
                "layout": {"template": {"data": {}}, "title": {"text": "<i>t</i>"}},
                "config": {"responsive": True},
            },
            "text/plain": "a figure",
        },
        {
            "application/vnd.vegalite.v5+json": {
                "$schema": "https://vega.github.io/schema/vega-lite/v5.8.0.json",
                "data": {"name": "d"},
                "datasets": {"d": [{"a": 1, "b": "x"}]},
                "mark": {"type": "point", "cursor": "pointer"},
                "encoding": {"tooltip": [{"field": "a"}]},
                "params": [{"name": "p", "bind": "scales", "select": "interval"}],
            }
        },
        {"application/geo+json": {"type": "Point", "coordinates": [1, 2]}},
        {
            "application/vnd.jupyter.widget-view+json": {
                "model_id": "m",
                "version_major": 2,
                "version_minor": 0,
            }
        },
    ],
)
def test_harmless_displays_are_untouched(data: dict[str, Any]) -> None:
    """Not a byte changes, and nothing is said."""
    message = said("display_data", {"data": data, "metadata": {}, "transient": {"display_id": "d"}})
    shown, removed = Firewall().publish(message)
    assert shown == message
    assert removed == ()


def test_a_chart_needs_no_page_with_script() -> None:
    """Beside a chart's data it goes without a word; who cannot draw the data is told what it is."""
    data = {
        "application/vnd.plotly.v1+json": {"data": []},
        "text/html": "<div id=a></div><script>draw(a)</script>",
    }
    kept, removed = bundles.clean_data(data)
    assert set(kept) == {"application/vnd.plotly.v1+json", "text/plain"}
    assert removed == frozenset()


def test_script_is_not_read_as_html() -> None:
    """What looks like tags in it refuses nothing; what stands around it is shown."""
    library = "<script>if (a<b) { c" + " d=1" * 200 + " }</script>"
    shown, removed = html.clean(f"<p>before</p>{library}<p>after</p>")
    assert shown == "<p>before</p><p>after</p>"
    assert removed == {"script"}


def test_tables_keep_their_looks() -> None:
    """A Styler's colours, captions, tooltips and bars are there, in the output's own scope."""
    frame = pd.DataFrame({"a": [1.5, -2], "b": ["x<y", "z"]})
    shown, removed = html.clean(frame._repr_html_())
    assert removed == frozenset()
    assert "x&lt;y" in shown.replace("&amp;lt;", "&lt;")
    styled = frame.style.bar(subset=["a"]).set_caption("Cap").set_sticky(axis="columns")
    shown, removed = html.clean(styled.to_html())
    assert removed == frozenset()
    assert "linear-gradient(" in shown
    assert "position: sticky" in shown
    assert "<caption>Cap</caption>" in shown
    identity = shown.split('<table id="')[1].split('"')[0]
    assert f"#{identity}" in shown


def test_a_figure_as_svg_is_the_same_drawing() -> None:
    """Matplotlib's paths, clips, glyphs and styles survive, and cleaning twice changes little."""
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.plot([1, 3, 2], label="a < b")
    axes.imshow([[1, 2], [3, 4]])
    axes.legend()
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    shown, removed = svg.clean(drawn.getvalue())
    assert removed == frozenset()
    for part in ("<path ", "<use ", "<clipPath", "<image ", "clip-path=", "stroke-linejoin: round"):
        assert drawn.getvalue().count(part) == shown.count(part)
    assert shown.count("url(#out-") == drawn.getvalue().count("url(#")


def test_the_note_is_one_short_sentence_for_each_output() -> None:
    """It names what went and how to see it; a long list is cut."""
    data = {"text/html": "<script>x</script><iframe></iframe>", "application/javascript": "x"}
    shown, removed = Firewall().publish(said("display_data", {"data": data}))
    assert shown is not None
    assert removed == ("embedded page", "script")
    text = note(removed).value["data"]["text/plain"]
    assert text.startswith("Removed from this display: embedded page, script. `%agent trust")
    assert "and 92 more" in note(tuple(map(str, range(100)))).value["data"]["text/plain"]


def test_metadata_of_others_is_not_taken_over() -> None:
    """Sizes of pictures stay; what a front end or this kernel would act on goes."""
    metadata = {
        "image/png": {"width": 5, "x": 1},
        "text/html": {"isolated": True},
        "isolated": True,
        "codeact": {"role": "agent"},
        "mine": 1,
    }
    kept, _ = bundles.clean_data({"image/png": PNG})
    assert bundles.clean_metadata(metadata, kept) == {"image/png": {"width": 5}, "mine": 1}


def test_a_large_display_is_not_walked_through() -> None:
    """20 MB of text or picture go out as the same bytes, without being copied or parsed."""
    for data in ({"text/plain": "x" * 20_000_000}, {"image/png": PNG * 140_000, "text/plain": "f"}):
        message = said("display_data", {"data": data, "metadata": {}})
        began = time.process_time()
        shown, _ = Firewall().publish(message)
        assert shown is message
        assert time.process_time() - began < 0.5


def widget(model: str, **state: Any) -> dict[str, Any]:
    """The content of a comm_open of a core widget."""
    module = "@jupyter-widgets/controls"
    names = {"_model_module": module, "_model_name": f"{model}Model", "_view_module": module}
    data = {"state": {**names, "_view_name": f"{model}View", **state}, "buffer_paths": []}
    return {"comm_id": "c", "target_name": "jupyter.widget", "data": data}


def test_a_slider_and_a_picture_come_through() -> None:
    """Core widgets and their buffers are untouched."""
    wall = Firewall()
    for content in (widget("IntSlider", value=3), widget("Text", value="<script>")):
        message = said("comm_open", content)
        assert wall.publish(message).said == message
    picture = said("comm_open", widget("Image", format="png"), b"\x89PNG")
    assert wall.publish(picture).said == picture


@pytest.mark.parametrize(
    "content",
    [
        widget("HTML", value="<img src=x onerror=evil>"),
        widget("HTMLMath", value="<script>evil</script>"),
        widget("Image", format="url", value="evil"),
        widget("HTML", _esm="evil"),
        widget("Text", _view_name="HTMLView", value="<img src=evil onerror=evil>"),
        widget("Text", _view_module="evil"),
        widget("Text", _model_module="https://evil.example/x.js"),
        widget("ButtonStyle", _view_name="StyleView", button_color="url(https://evil.example)"),
        widget("LabelStyle", _view_name="StyleView", background="url(//evil.example)"),
        widget("Label", value="$\\href{javascript:evil}{x}$"),
        widget("Text", _dom_classes=["jp-evil"]),
        widget(
            "Output",
            outputs=[
                {"output_type": "display_data", "data": {"text/html": "<script>evil</script>"}}
            ],
        ),
        {"comm_id": "c", "target_name": "evil", "data": {}},
        {"comm_id": "c", "target_name": "jupyter.widget", "data": "evil"},
    ],
)
def test_a_widget_that_attacks_is_cleaned_or_blocked(content: dict[str, Any]) -> None:
    """Neither its first state nor its updates carry the attack, whatever its class is called."""
    wall = Firewall()
    shown, _ = wall.publish(said("comm_open", content))
    if shown is not None:
        acts = str(shown.value["data"]).replace("it needs evil", "").replace("it needs https", "")
        assert "onerror" not in acts
        assert "<script" not in acts
        assert "\\\\href" not in acts
        assert "url(" not in acts
        assert "jp-evil" not in acts
        assert "_esm" not in acts
    update = {"_view_module": "evil", "_view_name": "EvilView", "_esm": "evil", "format": "url"}
    message = said("comm_msg", {"comm_id": "c", "data": {"method": "update", "state": update}})
    shown, _ = wall.publish(message)
    assert (
        shown is None
        or not {"_view_module", "_view_name", "_esm"} & shown.value["data"]["state"].keys()
    )


def test_all_states_after_a_reload_are_cleaned_too() -> None:
    """A front end that asks for every widget gets the same walls."""
    states = {
        "a": {"model_module": "anywidget", "model_name": "AnyModel", "state": {"_esm": "evil"}},
        "b": {
            "model_module": "@jupyter-widgets/controls",
            "model_name": "HTMLModel",
            "state": {**widget("HTML")["data"]["state"], "value": "<script>evil</script><b>x</b>"},
        },
    }
    content = {"comm_id": "control", "data": {"method": "update_states", "states": states}}
    shown, removed = Firewall().publish(said("comm_msg", content))
    assert shown is not None
    kept = shown.value["data"]["states"]
    assert "evil" not in str(kept)
    assert kept["b"]["state"]["value"] == "<b>x</b>"
    assert kept["a"]["model_name"] == "LabelModel"
    assert "script" in removed


def test_trust_lifts_all_and_outlives_the_sandbox() -> None:
    """Trusted displays, streams and widgets are untouched; a new sandbox changes nothing."""
    wall = Firewall()
    wall.trusted = True
    wall.forget()
    for message in (
        said("display_data", {"data": {"text/html": "<script>x</script>"}}),
        said("comm_open", widget("HTML", _esm="x")),
    ):
        assert wall.publish(message) == (message, ())
    assert wall.stream("p", "stdout", "\x1b]0;t\x07") == "\x1b]0;t\x07"


def test_every_core_widget_is_drawn() -> None:
    """No widget of ipywidgets itself is taken for foreign code: progress bars share a view."""
    classes = [ipywidgets.Widget]
    for each in classes:
        classes += each.__subclasses__()
    core = [
        cls
        for cls in classes
        if cls.__module__.startswith("ipywidgets.")
        and cls._model_name.default_value != "WidgetModel"
        and not cls.__name__.endswith("Base")
    ]
    assert len(core) > 60
    fields = ("_model_module", "_model_name", "_view_module", "_view_name")
    for cls in core:
        state = {field: getattr(cls, field).default_value for field in fields}
        assert foreign_code(state) == "", cls
