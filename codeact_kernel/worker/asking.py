"""Questions that can be answered while a cell runs: given to the kernel one at a time.

Rule: a question is asked once, by its frame on the link; when a cell runs, a signal says that there
is one, and a fork of the kernel (beside.py) answers on a line of its own. One that is not answered
in time is given up; the outer kernel has its own clock and declines it.
"""

from __future__ import annotations

import signal
import socket
import time
from collections import deque
from collections.abc import Callable

from codeact_kernel.wire import BadFrame, Decoder, Raw, head_of

NUDGE = signal.SIGURG
"""Ignored where code has taken our handler away."""
PATIENCE = 2.0
"""Seconds for one question; its fork ends before."""
MOST = 64
"""Questions that wait; the oldest is nobody's concern any more."""
_PACKET = 512 * 1024
_MAY_SAY = frozenset({"publish", "reply"})


def pair() -> tuple[socket.socket, int]:
    """(the supervisor's end, the descriptor for every kernel): packets, so that no frame is cut."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _PACKET)
    ours.setblocking(False)
    return ours, theirs.detach()


class Asking:
    """Owner of the question that is asked and of those that wait.

    `send` queues a frame for the live kernel and writes it, `nudge` signals that it is there.
    """

    def __init__(
        self, line: socket.socket, send: Callable[[Raw], None], nudge: Callable[[], None]
    ) -> None:
        self._line = line
        self.fd = line.fileno()
        """Readable when there is an answer."""
        self._send = send
        self._nudge = nudge
        self._waiting: deque[tuple[str, float, Raw]] = deque(maxlen=MOST)
        self._asked = ""
        self._until = 0.0

    @property
    def deadline(self) -> float | None:
        """When `overdue` has to be called."""
        return self._until if self._asked else None

    def ask(self, name: str, raw: Raw) -> None:
        """Ask now, or when those before it are done."""
        self._waiting.append((name, time.monotonic() + PATIENCE, raw))
        self._next()

    def answered(self, name: object) -> None:
        """A reply to this request has gone out, whoever gave it."""
        if self._asked and name == self._asked:
            self._asked = ""
            self._next()

    def overdue(self) -> None:
        """Give up a question whose time is over."""
        if self._asked and time.monotonic() > self._until:
            self._asked = ""
            self._next()

    def read(self) -> list[Raw]:
        """The frames of an answer. What is not one is nothing: the line is open to code inside."""
        try:
            frames = Decoder().split(self._line.recv(_PACKET))
            heads = [head_of(raw) for raw in frames]
        except (OSError, BadFrame):
            return []
        for head in heads:
            if head["t"] == "reply":
                self.answered(head.get("parent"))
        return [raw for raw, head in zip(frames, heads, strict=True) if head["t"] in _MAY_SAY]

    def _next(self) -> None:
        while self._waiting and not self._asked:
            name, until, raw = self._waiting.popleft()
            if time.monotonic() < until:
                self._asked, self._until = name, time.monotonic() + PATIENCE
                self._send(raw)
                self._nudge()
