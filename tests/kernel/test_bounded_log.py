"""What the sandbox can cause in the log."""

from __future__ import annotations

import logging

import pytest

from codeact_kernel.kernel.relay.bounded_log import EACH, BoundedLog

log = logging.getLogger("test_bounded_log")


def test_a_flood_is_counted_and_not_written(caplog: pytest.LogCaptureFixture) -> None:
    """A million lines become a few dozen, which say how many there were."""
    lines = BoundedLog(log)
    for number in range(1_000_000):
        lines.say("dropped %s", number)
    lines.close_count()
    lines.close_count()
    assert len(caplog.messages) <= EACH + 7
    assert caplog.messages[: EACH + 1] == [
        *(f"dropped {number}" for number in range(EACH)),
        f"... and {9 * EACH} more such lines, not written",
    ]
    more = [int(m.split()[2].replace(",", "")) for m in caplog.messages[EACH:]]
    assert EACH + sum(more) == 1_000_000


def test_a_few_are_all_written(caplog: pytest.LogCaptureFixture) -> None:
    """And nothing is said of more."""
    lines = BoundedLog(log)
    for number in range(EACH):
        lines.say("dropped %s", number)
    lines.close_count()
    assert len(caplog.messages) == EACH
