"""Prose of a model as a person's browser gets it: rendered, with every liberty a renderer has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from nbconvert.filters.markdown import markdown2html

from codeact_kernel.trace.markdown import harmless_markdown

LIVE = {"html_block", "html_inline", "image"}
ATTACKS = [
    "![x](http://a/?secret)",
    "\\![x](http://a)",
    "\\\\![x](http://a)",
    "!\\![x](http://a)",
    "!![x][r]\n\n[r]: http://a",
    "![r]\n\n[r]: <http://a>",
    "[![x](http://a)](http://b)",
    "<img src='http://a'>",
    "\\<img src='http://a'>",
    "\\\\<img src='http://a'>",
    "\\\\\\<img src='http://a'>",
    "<<img src='http://a'>",
    "`<img src='http://a'>",
    "``\n<img src='http://a'>",
    "```\n<img src='http://a'>\n```",
    "$<img src='http://a'>$",
    "<!--x--><img src='http://a'>",
    "<![CDATA[x]]><?x?></p><script>x</script>",
    "[x]: <javascript:x>\n<http://a>",
]
pieces = st.sampled_from(
    [
        *("\\", "\\\\", "\n", "\n\n", " ", "    ", "`", "```", "~~~\n", "$", "> ", "- ", "|"),
        *("<", "</", "<!--", "-->", "<!", "<?", ">", "&lt;", "&#60;", "i", "x"),
        *("<img src='http://a'>", "<script>", "</script>", "<http://a>", "<b\n", "<![CDATA["),
        *("!", "[", "]", "![", "![x](http://a)", "![r]", "[r]: http://a\n", "(http://a)"),
    ]
)
markdown = st.lists(pieces, max_size=12).map("".join)


def kinds(text: str) -> set[str]:
    """What an HTML-enabled CommonMark renderer finds in a text."""

    def below(tokens: Sequence[Token]) -> Iterator[str]:
        for token in tokens:
            yield token.type
            yield from below(token.children or ())

    return set(below(MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)))


class Tags(HTMLParser):
    """The elements in a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)


@pytest.mark.parametrize("text", ATTACKS)
def test_nothing_a_model_writes_is_loaded(text: str) -> None:
    """Images and HTML become visible text, escaped or not: an address could carry data out."""
    shown = harmless_markdown(text)
    assert not kinds(shown) & LIVE
    assert not Tags(markdown2html(shown)).found & {"img", "script"}


@given(markdown)
@settings(deadline=None, max_examples=400)
def test_no_composition_brings_a_tag_back(text: str) -> None:
    """Whatever stands around it, no renderer finds HTML or an image."""
    assert not kinds(harmless_markdown(text)) & LIVE


def test_the_check_sees_what_it_looks_for() -> None:
    """The same texts as the model wrote them are live, or the tests above say nothing."""
    live = [text for text in ATTACKS if kinds(text) & LIVE]
    assert len(live) > len(ATTACKS) // 2
    assert "img" in Tags(markdown2html("\\\\<img src='http://a'>")).found


def test_prose_and_code_stay_readable() -> None:
    """Comparisons, emphasis and code are untouched."""
    for text in (
        "a < b, x <= 3, **bold**, `if a < b:`",
        "Look:\n\n```python\nif a<b: print('<b>')\n```\n",
    ):
        assert harmless_markdown(text) == text
