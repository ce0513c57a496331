"""Bytes in front of a descriptor: what is followed may wait, and never long."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator

import pytest

from codeact_kernel.worker.outbox import Outbox


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    os.set_blocking(ends[1], False)
    yield ends
    for fd in ends:
        os.close(fd)


def test_what_is_followed_goes_out_with_what_follows(pipe: tuple[int, int]) -> None:
    """One write for both; what nothing is said of goes out at once."""
    outbox = Outbox(pipe[1])
    outbox.push([b"a"], followed=True)
    outbox.flush()
    assert not outbox.due
    assert outbox.deadline is not None
    outbox.push([b"b"])
    outbox.flush()
    assert os.read(pipe[0], 10) == b"ab"
    assert outbox.size == 0
    assert outbox.deadline is None


def test_what_nothing_follows_waits_until_its_deadline(pipe: tuple[int, int]) -> None:
    """A flood of such things waits no longer than the first of them."""
    outbox = Outbox(pipe[1])
    outbox.push([b"a"], followed=True)
    first = outbox.deadline
    outbox.push([b"b"], followed=True)
    assert outbox.deadline == first is not None
    while not select.select([pipe[0]], [], [], max(0.0, first - time.monotonic()))[0]:
        outbox.flush()
    assert os.read(pipe[0], 10) == b"ab"


def test_much_does_not_wait(pipe: tuple[int, int]) -> None:
    """What is large is written while more of it comes."""
    outbox = Outbox(pipe[1])
    outbox.push([bytes(100_000)], followed=True)
    assert outbox.due
