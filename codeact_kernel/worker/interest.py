"""Which descriptors a loop listens on: a thin layer over epoll.

Rule: a descriptor is forgotten before it is closed. Epoll drops a closed one by itself, and the next
one that is opened gets its number.
"""

from __future__ import annotations

import select
import selectors
from collections.abc import Mapping

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_MASKS = {
    0: 0,
    READ: select.EPOLLIN,
    WRITE: select.EPOLLOUT,
    READ | WRITE: select.EPOLLIN | select.EPOLLOUT,
}


class Interest:
    """Says who is ready. `want` is called before each `wait`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._events: dict[int, int] = {}
        self._wanted: Mapping[int, int] = {}

    def want(self, wanted: Mapping[int, int]) -> None:
        """Listen for exactly these from now on: {descriptor: READ | WRITE}; 0 is nothing."""
        if wanted == self._wanted:
            return
        for fd in [fd for fd in self._events if not wanted.get(fd)]:
            self.forget(fd)
        for fd, events in wanted.items():
            before = self._events.get(fd, 0)
            if events == before:
                continue
            if before:
                self._epoll.modify(fd, _MASKS[events])
            else:
                self._epoll.register(fd, _MASKS[events])
            self._events[fd] = events
        self._wanted = wanted

    def forget(self, fd: int) -> None:
        """It is about to be closed."""
        self._wanted = {}
        if self._events.pop(fd, 0):
            self._epoll.unregister(fd)

    def wait(self, seconds: float | None) -> dict[int, int]:
        """Those that are ready, and for what. One that has hung up is ready for whatever is wanted."""
        found = self._epoll.poll(-1 if seconds is None else seconds)
        return {
            fd: (READ if events & ~select.EPOLLOUT else 0)
            | (WRITE if events & ~select.EPOLLIN else 0)
            for fd, events in found
        }
