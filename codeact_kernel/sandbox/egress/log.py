"""What went out: a `NetworkRequest` for each request, with how much went and came.

Rule: told when it ends, is refused, or when somebody asks (`flush`) while it still goes on; then
the rest is told later, so that the sums are right. Never a header, a query or a body.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from codeact_kernel.trace.values import NetworkRequest


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

    def take(self) -> NetworkRequest:
        """What there is to tell, of no step yet; counts begin anew."""
        now = time.monotonic()
        told = NetworkRequest(
            step=0,
            method=self.method,
            host=self.host,
            port=self.port,
            path=self.path,
            address=self.address,
            problem=self.problem,
            sent=self.sent,
            received=self.received,
            seconds=round(now - self.began, 3),
        )
        self.sent = self.received = 0
        self.began = now
        return told


class Log:
    """The requests under way, the bytes in all, and who is told."""

    def __init__(self, told: Callable[[NetworkRequest], None], bytes_in_all: int) -> None:
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
                self._told(request.take())
