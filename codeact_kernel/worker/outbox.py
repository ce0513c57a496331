"""Bytes that wait for a file descriptor to take them. Never blocks, never reorders.

Rules:
- Who fills an outbox looks at `size` and stops reading his source when it is too large; the outbox
  itself refuses nothing.
- What somebody says to be followed soon may wait a moment, so that who reads is woken once for both.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable

from codeact_kernel.wire import Bytes

_AT_ONCE = 64  # pieces in one writev
_MOMENT = 0.005  # seconds
_LITTLE = 65536  # bytes; more is on its way while more comes


class Outbox:
    """A queue of bytes in front of one non-blocking file descriptor."""

    __slots__ = ("_fd", "_pieces", "deadline", "size")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pieces: deque[memoryview] = deque()
        self.size = 0
        """Bytes that wait."""
        self.deadline: float | None = None
        """Until when they may wait for what follows, by the monotonic clock; None: they may not."""

    def push(self, pieces: Iterable[Bytes], *, followed: bool = False) -> None:
        """Queue; call `flush` to write. `followed`: as good as certainly, and at once."""
        if followed and not self.size:
            self.deadline = time.monotonic() + _MOMENT
        for piece in pieces:
            view = memoryview(piece).cast("B")
            if view.nbytes:
                self._pieces.append(view)
                self.size += view.nbytes
        if not followed or self.size > _LITTLE:
            self.deadline = None

    @property
    def due(self) -> bool:
        """Whether there is something to write now."""
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self.deadline = None
        return self.size > 0 and self.deadline is None

    def flush(self) -> None:
        """Write what is due and the descriptor takes. Raises OSError when the other end is gone."""
        if not self.due:
            return
        while self._pieces:
            batch = [self._pieces[i] for i in range(min(len(self._pieces), _AT_ONCE))]
            try:
                written = os.writev(self._fd, batch)
            except BlockingIOError:
                return
            self.size -= written
            while written:
                first = self._pieces[0]
                if first.nbytes > written:
                    self._pieces[0] = first[written:]
                    break
                written -= first.nbytes
                self._pieces.popleft()
