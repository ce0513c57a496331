"""A log for what the sandbox can cause as often as it likes.

Rule: the first `EACH` lines are written; from then on only how many there have been, whenever that
has grown tenfold and when `close_count` is called. So no flood fills a disk, and none stays unsaid.
"""

from __future__ import annotations

import logging

EACH = 20


class BoundedLog:
    """Writes to `log` at `level`; owner of the count."""

    def __init__(self, log: logging.Logger, level: int = logging.WARNING) -> None:
        self._log = log
        self._level = level
        self._count = 0
        self._said = 0
        self._next = 10 * EACH

    def say(self, text: str, *values: object) -> None:
        """One more, with `values` in the places of `text`."""
        self._count += 1
        if self._count <= EACH:
            self._log.log(self._level, text, *values)
            self._said = self._count
        elif self._count >= self._next:
            self._next *= 10
            self.close_count()

    def close_count(self) -> None:
        """Say how many were not written since the last line, if any were."""
        if self._count > self._said:
            more, self._said = self._count - self._said, self._count
            self._log.log(self._level, "... and %s more such lines, not written", f"{more:,}")
