"""What went out: one record for each request, with how much went and came.

Rule: told when it ends, is refused, or when somebody asks (`flush`) while it still goes on; then
the rest is told later, so that the sums are right. Never a header, a query or a body.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """`problem` is "" for what was let through, otherwise the sentence the client got.

    `address` is what was connected to, "" when nothing was. Sizes in bytes, as seen on that side.
    """

    method: str
    host: str
    port: int
    path: str = ""
    """Of a plain request, without its query; a tunnel shows none."""
    address: str = ""
    problem: str = ""
    sent: int = 0
    received: int = 0
    seconds: float = 0.0
    open: bool = False
    """It goes on; what follows is told in another record."""


@dataclass(slots=True, kw_only=True, eq=False)
class Request:
    """One on its way; the proxy fills it in."""

    method: str = "?"
    host: str = ""
    port: int = 0
    path: str = ""
    address: str = ""
    problem: str = ""
    sent: int = 0
    received: int = 0
    began: float = field(default_factory=time.monotonic)

    def take(self, *, open_: bool = False) -> Record:
        """What there is to tell; counts begin anew."""
        now = time.monotonic()
        record = Record(
            method=self.method,
            host=self.host,
            port=self.port,
            path=self.path,
            address=self.address,
            problem=self.problem,
            sent=self.sent,
            received=self.received,
            seconds=round(now - self.began, 3),
            open=open_,
        )
        self.sent = self.received = 0
        self.began = now
        return record


class Log:
    """The requests under way, the bytes in all, and who is told."""

    def __init__(self, told: Callable[[Record], None], bytes_in_all: int) -> None:
        self._told = told
        self._open: list[Request] = []
        self.left = bytes_in_all

    @property
    def under_way(self) -> int:
        """How many clients are connected."""
        return len(self._open)

    def begin(self) -> Request:
        """A client has connected."""
        self._open.append(request := Request())
        return request

    def end(self, request: Request) -> None:
        """It is over; idempotent. One that never said anything is not told."""
        if request not in self._open:
            return
        self._open.remove(request)
        if request.method != "?" or request.problem:
            self._told(request.take())

    def flush(self) -> None:
        """Tell of what goes on right now, as far as it has gone."""
        for request in self._open:
            if request.sent or request.received:
                self._told(request.take(open_=True))
