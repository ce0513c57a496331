"""Output text gathered into few messages, in order.

Rule: a person sees the first line at once and a flood as few messages. Without this a front end's
rate limiter drops thousands of lines, and with them messages of other kinds.

The first chunk goes out at once when it ends a line (`print` is two writes: text, then newline; a
chunk that does not end a line is held for `HOLD`). What follows is gathered for `WINDOW`, or until
`FULL` characters are there. Whoever publishes anything else flushes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

WINDOW = 0.030
HOLD = 0.010
FULL = 200_000
_IN_ORDER = 40
"""So many alternations of stdout and stderr keep their order; beyond, one message for each name."""

Send = Callable[[bytes, str, str], None]


class Coalescer:
    """Gathers (parent, name, text) and calls `send(parent, name, text)`; lives on one loop."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._segments: list[tuple[tuple[bytes, str], list[str]]] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, parent: bytes, name: str, text: str) -> None:
        """Take a chunk."""
        if self._timer is None:
            if text.endswith("\n"):
                self._send(parent, name, text)
                self._wait(WINDOW)
                return
            self._wait(HOLD)
        self._chunks((parent, name)).append(text)
        self._size += len(text)
        if self._size >= FULL:
            self.flush()

    def _chunks(self, key: tuple[bytes, str]) -> list[str]:
        segments = self._segments
        if segments and segments[-1][0] == key:
            return segments[-1][1]
        if len(segments) >= _IN_ORDER:
            for known, chunks in reversed(segments):
                if known == key:
                    return chunks
        segments.append((key, []))
        return segments[-1][1]

    def _wait(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._segments:
            self.flush()
            self._wait(WINDOW)

    def flush(self) -> None:
        """Send what is held, now. The window goes on."""
        if not self._segments:
            return
        segments, self._segments, self._size = self._segments, [], 0
        for (parent, name), chunks in segments:
            self._send(parent, name, "".join(chunks))
