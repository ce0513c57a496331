"""What a person without the extension sees of a run, as a renderer reads it."""

from __future__ import annotations

from typing import Any

import pytest
from markdown_it import MarkdownIt

from codeact_kernel.kernel.inline.text import TextView
from codeact_kernel.kernel.run.stages import OwnRequests
from codeact_kernel.kernel.run.views import say
from codeact_kernel.trace.events import CodeProposed, CodeStarted
from codeact_kernel.trace.layout import Layout

NO_STEPS = OwnRequests(lambda msg_id: b"{}")
PICTURE = "<img src='http://a/?secret'>"


class Said:
    """A publisher's ear: keeps the Markdown that is said."""

    def __init__(self) -> None:
        self.markdown: list[str] = []

    def say(self, kind: str, header: bytes, content: dict[str, Any]) -> None:
        if "text/markdown" in content["data"]:
            self.markdown.append(content["data"]["text/markdown"])


@pytest.mark.parametrize("thought", [f"```\n{PICTURE}\n```", "Look:\n```", "~~~", PICTURE, "Look."])
def test_a_thought_cannot_take_the_codes_fence(thought: str) -> None:
    """Neither a block that the label shifts nor one that is left open makes HTML of anything."""
    said = Said()
    view = TextView(said, b"{}", NO_STEPS, None, Layout().run)  # type: ignore[arg-type]  # the one method it uses
    code = f"text = '''\n```\n{PICTURE}\n~~~\n{PICTURE}'''"
    view.event(CodeProposed(run="r", number=1, cell="c", thought=thought, code=code), ())
    view.event(CodeStarted(run="r", number=1, cell="c", code=code), ())
    assert code in said.markdown[-1]
    for shown in said.markdown:
        assert "<img" not in MarkdownIt("commonmark").render(shown)


def test_a_sentence_with_a_block_in_it_stays_a_sentence() -> None:
    """What a provider says in its error cannot leave the quotation as HTML."""
    said = Said()
    say(said, b"{}", f"```\n{PICTURE}\n```")  # type: ignore[arg-type]  # the one method it uses
    assert "<img" not in MarkdownIt("commonmark").render(said.markdown[0])
