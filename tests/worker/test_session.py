"""Large displays are written another way, and read the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codeact_kernel.worker.session import dump, dump_content

SIZE = 1_200_000
TEXTS = {
    "plain": "x" * SIZE,
    "Base64": "QUJD+/=" * (SIZE // 7),
    "a quotation mark": "x" * SIZE + '"',
    "a backslash": "\\" + "x" * SIZE,
    "lines": "x\n" * SIZE,
    "a tab": "x" * SIZE + "\t",
    "a control character at the end": "x" * SIZE + "\x1b",
    "the last control character": "\x1f" + "x" * SIZE,
    "DEL": "x" * SIZE + "\x7f",
    "no ASCII": "ä" * SIZE,
    "half of a character": "x" * SIZE + "\ud800",
}


def joined(content: dict[str, Any]) -> bytes:
    """The bytes of a content."""
    part = dump_content(content)
    return b"".join(part) if isinstance(part, tuple) else bytes(part)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_large_text_is_written_as_the_encoder_writes_it(text: str) -> None:
    """Whatever is in it, wherever it stands in the bundle."""
    for data in ({"a/b": text}, {"text/plain": "'", "a/b": text, "c/d": {"e": [1]}}):
        content = {"data": data, "metadata": {"a": None}, "transient": {}}
        assert joined(content) == dump(content)


def test_two_large_texts_and_what_json_cannot_say() -> None:
    """Each value of a content is written by itself; so is what is written out for want of a word."""
    data = {"a/b": "x" * SIZE, "c/d": "y" * SIZE, "e/f": float("nan")}
    value = json.loads(joined({"data": data, "execution_count": 3}))
    assert value == {"data": {**data, "e/f": "nan"}, "execution_count": 3}


@pytest.mark.parametrize("content", [{}, {"data": None}, {"data": []}, {"data": {}}, {"text": "x"}])
def test_other_contents_are_written_as_ever(content: dict[str, Any]) -> None:
    """Only displays are looked at."""
    assert joined(content) == dump(content)
