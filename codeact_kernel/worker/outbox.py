"""Bytes that wait for a file descriptor to take them. Never blocks, never reorders.

Rule: who fills an outbox looks at `size` and stops reading his source when it is too large; the
outbox itself refuses nothing.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable

from codeact_kernel.wire import Bytes

_AT_ONCE = 64  # pieces in one writev


class Outbox:
    """A queue of bytes in front of one non-blocking file descriptor."""

    __slots__ = ("_fd", "_pieces", "size")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pieces: deque[memoryview] = deque()
        self.size = 0
        """Bytes that wait."""

    def push(self, pieces: Iterable[Bytes]) -> None:
        """Queue; call `flush` to write."""
        for piece in pieces:
            view = memoryview(piece).cast("B")
            if view.nbytes:
                self._pieces.append(view)
                self.size += view.nbytes

    def flush(self) -> None:
        """Write what the descriptor takes now. Raises OSError when the other end is gone."""
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
