"""Displays in a real browser: attacks do nothing and load nothing, charts and tables look right."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.ui.conftest import Lab, Notebook, open_notebook

pytestmark = pytest.mark.timeout(240)

ATTACKS = r"""
import base64
from IPython.display import HTML, SVG, Javascript, Latex, Markdown, display
OUT = "https://evil.example/?"
RUN = "window.canary=1;document.title='pwned'"
for html in (
    f"<script>{RUN}</script>",
    f"<script src='{OUT}script'></script>",
    f"<img src='{OUT}img' onerror=\"{RUN}\"><img srcset='{OUT}set 1x'>",
    f"<svg onload=\"{RUN}\"><script>{RUN}</script><image href='{OUT}svg'/></svg>",
    f"<iframe src='{OUT}frame'></iframe><iframe srcdoc=\"<script>top.canary=1</script>\"></iframe>",
    f"<object data='{OUT}object'></object><embed src='{OUT}embed'>",
    f"<style>@import '{OUT}import'; * {{ background: url({OUT}css) }} body {{ display: none }}</style>x",
    f"<p style=\"background:url('{OUT}attribute')\">x</p><link rel=stylesheet href='{OUT}link'>",
    f"<video src='{OUT}video' poster='{OUT}poster' autoplay></video><audio src='{OUT}audio' autoplay>",
    f"<details open ontoggle=\"{RUN}\">x</details><base href='{OUT}base'>",
    f"<meta http-equiv=refresh content='0;url={OUT}refresh'>",
    f"<div style='position:fixed;inset:0;z-index:99999;background:red'>overlay</div>",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror={RUN}&gt;'>",
    f"<form id=f action='{OUT}form'><input autofocus onfocus=\"{RUN}\"></form>",
):
    display(HTML(html))
display(Javascript(RUN))
display({"text/markdown": f"![x]({OUT}md) <img src='{OUT}html' onerror=\"{RUN}\"> [r]\n\n[r]: {OUT}ref\n"
         f"```mermaid\nflowchart LR\nA@{{ img: \"{OUT}mermaid\" }}\n```"}, raw=True)
display({"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg' onload=\"{RUN}\"><image href='{OUT}i'/></svg>"}, raw=True)
display({"application/vnd.vegalite.v5+json": {"data": {"url": f"{OUT}vega"}, "mark": "bar"}}, raw=True)
display({"application/vnd.vegalite.v5+json": {"data": {"values": [{"u": f"{OUT}mark", "x": 1}]},
    "mark": {"type": "image", "width": 9, "height": 9}, "encoding": {"url": {"field": "u"}, "x": {"field": "x"}}}}, raw=True)
display(Latex(r"$\href{javascript:window.canary=1}{x}$"))
"""
WIDGETS = r"""
import ipywidgets as w, traitlets
class Evil(w.DOMWidget):
    _esm = traitlets.Unicode("window.canary=1; export default {render(){window.canary=1}}").tag(sync=True)
    _model_name = traitlets.Unicode("AnyModel").tag(sync=True)
    _model_module = traitlets.Unicode("anywidget").tag(sync=True)
    _view_name = traitlets.Unicode("AnyView").tag(sync=True)
    _view_module = traitlets.Unicode("anywidget").tag(sync=True)
html = w.HTML("<b>bold</b>")
display(w.IntSlider(value=7, description="Depth"), html, Evil(), w.Image.from_url(b"https://evil.example/?w"))
html.value = "<i>later</i><img src='https://evil.example/?widget' onerror='window.canary=1'>"
"""
HARMLESS = r"""
%matplotlib inline
import matplotlib.pyplot as plt, pandas as pd
from matplotlib_inline.backend_inline import set_matplotlib_formats
frame = pd.DataFrame({"name": ["a", "b", "c"], "value": [1.0, -2.5, 4.0]})
display(frame)
display(frame.style.background_gradient(subset=["value"]).set_caption("Styled"))
set_matplotlib_formats("png", "svg")
plt.figure(figsize=(3, 1.2)); plt.plot([1, 3, 2]); plt.title("Lines"); plt.show()
display({"application/vnd.vegalite.v5+json": {"$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "height": 60, "data": {"values": [{"x": "one", "y": 3}, {"x": "two", "y": 5}]}, "mark": "bar",
    "encoding": {"x": {"field": "x"}, "y": {"field": "y", "type": "quantitative"}, "tooltip": [{"field": "y"}]}},
    "text/plain": "a chart"}, raw=True)
display(Markdown("**Markdown** with `code`, $x^2$ and [a link](https://example.org/)"))
display(Latex(r"$\int_0^1 x^2 dx$"))
display({"application/vnd.plotly.v1+json": {"data": [{"type": "bar", "y": [1, 2]}], "layout": {}}, "text/plain": "a plotly figure"}, raw=True)
"""


CHARTS = r"""
import altair as alt, plotly.graph_objects as go, pandas as pd
frame = pd.DataFrame({"x": ["one", "two", "three"], "y": [3, 5, 4]})
display(alt.Chart(frame, title="Altair", height=120).mark_bar().encode(x="x", y="y", tooltip=["x", "y"]))
figure = go.Figure([go.Bar(x=frame.x, y=frame.y)], {"title": {"text": "Plotly"}, "height": 300})
display(figure)
figure.show()
"""


def foreign(requests: list[str]) -> list[str]:
    """The requests to anybody but this machine."""
    return [
        url
        for url in requests
        if urlsplit(url).scheme not in ("data", "blob")
        and urlsplit(url).hostname not in ("localhost", "127.0.0.1")
    ]


def run_all(notebook: Notebook, cells: int) -> None:
    """Run every cell and wait for the last one's number."""
    notebook.command("notebook:run-all-cells")
    notebook.wait_for_count(cells - 1, cells)


def test_attacks_do_nothing_and_displays_look_right(lab: Lab, page: Page) -> None:
    """No script ran, nothing was requested from outside, and harmless displays are drawn."""
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    name = lab.notebook("display.ipynb", ATTACKS, WIDGETS, HARMLESS)
    notebook = open_notebook(page, lab, name)
    run_all(notebook, 3)
    outputs = page.locator(".jp-Cell").nth(2).locator(".jp-OutputArea")
    outputs.locator("canvas, svg.marks").first.wait_for()
    page.get_by_text("later", exact=True).wait_for()
    page.get_by_text("This widget is blocked").first.wait_for()
    page.wait_for_timeout(1500)
    assert page.evaluate("() => window.canary") is None
    assert "pwned" not in page.title()
    assert foreign(requests) == []
    assert "Removed from this display: script" in notebook.text(0)
    assert page.locator(".widget-slider").count() == 1
    assert outputs.locator("table.dataframe").count() == 1
    assert (
        outputs.locator("img[src^='data:image/png']").count()
        + outputs.locator("img[src^='data:image/svg']").count()
        == 1
    )
    styled = outputs.locator("table:has(caption)").locator("td").nth(1)
    assert styled.evaluate("node => getComputedStyle(node).backgroundColor") != "rgba(0, 0, 0, 0)"
    assert outputs.locator("mjx-container").count() >= 2
    for cell in range(3):
        area = page.locator(".jp-Cell").nth(cell).locator(".jp-OutputArea").first
        area.scroll_into_view_if_needed()
        notebook.picture(f"display-{cell}")
        area.evaluate("node => node.lastElementChild?.scrollIntoView({block: 'end'})")
        notebook.picture(f"display-{cell}-end")


def test_altair_and_plotly_are_drawn(lab: Lab, page: Page) -> None:
    """As their own users display them, by what the front end brings; nothing is asked of others."""
    for name in ("altair", "plotly"):
        pytest.importorskip(name, reason=f"{name} is not installed: the extra `test` brings it")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    notebook = open_notebook(page, lab, lab.notebook("charts.ipynb", CHARTS))
    run_all(notebook, 1)
    outputs = page.locator(".jp-Cell").nth(0).locator(".jp-OutputArea")
    outputs.locator(".vega-embed canvas, .vega-embed svg.marks").first.wait_for()
    outputs.locator(".js-plotly-plot .bars path").nth(5).wait_for()
    notebook.picture("charts")
    assert foreign(requests) == []
    assert "Removed" not in notebook.text(0)


def test_trust_lets_script_run(lab: Lab, page: Page) -> None:
    """After `%agent trust display` a display is as it is: the firewall is what stopped it."""
    script = "from IPython.display import HTML\nHTML('<script>window.canary=1</script>')"
    notebook = open_notebook(
        page, lab, lab.notebook("trust.ipynb", script, "%agent trust display", script)
    )
    run_all(notebook, 3)
    page.wait_for_function("() => window.canary === 1")
    assert "as they are" in notebook.text(1)
    notebook.wait_for_panel("Displays are trusted")
