"""Gathering output: the first line at once, a flood in few messages, nothing lost or reordered."""

from __future__ import annotations

import asyncio

import pytest

from codeact_kernel.kernel.channels.streams import Coalescer

pytestmark = pytest.mark.virtual_time

Sent = list[tuple[bytes, str, str]]


def collector() -> tuple[Coalescer, Sent]:
    """A coalescer and the list of what it sent."""
    sent: Sent = []
    return Coalescer(lambda parent, name, text: sent.append((parent, name, text))), sent


async def test_a_line_goes_out_at_once() -> None:
    """The first chunk that ends a line does not wait."""
    streams, sent = collector()
    streams.add(b"p", "stdout", "hello\n")
    assert sent == [(b"p", "stdout", "hello\n")]


async def test_print_is_one_message() -> None:
    """The two writes of `print` come out as one message, without anybody flushing."""
    streams, sent = collector()
    streams.add(b"p", "stdout", "hello")
    streams.add(b"p", "stdout", "\n")
    assert sent == []
    await asyncio.sleep(0.03)
    assert sent == [(b"p", "stdout", "hello\n")]


async def test_a_flood_is_few_messages_and_complete() -> None:
    """5,000 lines are gathered in a handful of messages and none is lost."""
    streams, sent = collector()
    for number in range(5000):
        streams.add(b"p", "stdout", f"{number}\n")
    streams.flush()
    assert len(sent) <= 3
    assert "".join(text for _, _, text in sent).split() == [str(n) for n in range(5000)]


async def test_what_is_large_does_not_wait() -> None:
    """Beyond 200,000 characters text goes out without waiting for the window."""
    streams, sent = collector()
    for _ in range(5):
        streams.add(b"p", "stdout", "x" * 100_000 + "\n")
    assert sum(len(text) for _, _, text in sent) >= 300_000


async def test_order_of_stdout_and_stderr_is_kept() -> None:
    """Alternating streams come out in the order they were written."""
    streams, sent = collector()
    for number in range(10):
        streams.add(b"p", "stdout" if number % 2 else "stderr", f"{number}\n")
    streams.flush()
    assert [text for _, _, text in sent] == [f"{n}\n" for n in range(10)]


async def test_endless_alternation_stays_few_messages() -> None:
    """A thousand alternations do not become a thousand messages; each stream keeps its order."""
    streams, sent = collector()
    for number in range(1000):
        streams.add(b"p", "stdout" if number % 2 else "stderr", f"{number}\n")
    streams.flush()
    assert len(sent) < 60
    text = "".join(text for _, name, text in sent if name == "stdout").split()
    assert text == [str(n) for n in range(1, 1000, 2)]


async def test_parents_are_kept_apart() -> None:
    """Text of two cells is never joined."""
    streams, sent = collector()
    streams.add(b"a", "stdout", "1")
    streams.add(b"b", "stdout", "2")
    streams.flush()
    assert sent == [(b"a", "stdout", "1"), (b"b", "stdout", "2")]
