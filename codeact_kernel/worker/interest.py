"""Which descriptors a loop listens on: a thin layer over epoll.

Rule: a descriptor is forgotten before it is closed. Epoll drops a closed one by itself, and the next
one that is opened gets its number.
"""

from __future__ import annotations

import selectors
from collections.abc import Mapping

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Interest:
    """Says who is ready. `want` is called before each `wait`."""

    def __init__(self) -> None:
        self._selector = selectors.EpollSelector()
        self._events: dict[int, int] = {}

    def want(self, wanted: Mapping[int, int]) -> None:
        """Listen for exactly these from now on: {descriptor: READ | WRITE}; 0 is nothing."""
        for fd in [fd for fd in self._events if not wanted.get(fd)]:
            self.forget(fd)
        for fd, events in wanted.items():
            before = self._events.get(fd, 0)
            if events == before:
                continue
            if before:
                self._selector.modify(fd, events)
            else:
                self._selector.register(fd, events)
            self._events[fd] = events

    def forget(self, fd: int) -> None:
        """It is about to be closed."""
        if self._events.pop(fd, 0):
            self._selector.unregister(fd)

    def wait(self, seconds: float | None) -> dict[int, int]:
        """Those that are ready, and for what."""
        return {key.fd: mask for key, mask in self._selector.select(seconds)}
