"""Which parked process answers to a number, and what each weighs: the supervisor's side.

Rule: one that ends, or never comes to its place, is reported as lost. A process is believed to be
the parked one when the system says that it is a child of ours, whoever may have told it to report.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from codeact_kernel.wire import Bytes, encode
from codeact_kernel.worker import process, tether
from codeact_kernel.worker.interest import READ

MOST = 64
"""Parked processes there can be; the outer keeps far fewer."""
_WEIGHING = 1.0
"""Seconds until those that have not said what they weigh count as nothing."""


@dataclass(slots=True)
class _Parked:
    """One process that waits. `pid` is 0 until it has come to its place; then `deadline` is of no
    meaning any more. `weight` is what it said last, None while it is asked."""

    number: int
    line: socket.socket
    deadline: float
    pid: int = 0
    weight: int | None = 0


class ParkedTable:
    """Owner of the parked processes. `live` is the pid of the live kernel, `say` queues a frame for
    the outer, `forget` is told of a descriptor before it is closed."""

    def __init__(
        self,
        live: Callable[[], int],
        say: Callable[[list[Bytes]], None],
        forget: Callable[[int], None],
    ) -> None:
        self._live = live
        self._say = say
        self._forget = forget
        self._rows: dict[int, _Parked] = {}
        self._weighing: tuple[str, float] | None = None

    def __contains__(self, number: object) -> bool:
        return number in self._rows

    @property
    def full(self) -> bool:
        """Whether there can be no more."""
        return len(self._rows) >= MOST

    @property
    def pids(self) -> frozenset[int] | None:
        """All of them; None while not all have come to their place."""
        pids = frozenset(row.pid for row in self._rows.values())
        return None if 0 in pids else pids

    @property
    def idle(self) -> bool:
        """Whether nobody is parked and nothing is asked."""
        return not self._rows and self._weighing is None

    @property
    def deadline(self) -> float | None:
        """When `overdue` should be called."""
        times = [row.deadline for row in self._rows.values() if not row.pid]
        times += [self._weighing[1]] if self._weighing else []
        return min(times, default=None)

    def wanted(self) -> dict[int, int]:
        """The lines to listen on."""
        return {row.line.fileno(): READ for row in self._rows.values()}

    def add(self, number: int, line: socket.socket, deadline: float) -> None:
        """A process is on its way to this place."""
        self._rows[number] = _Parked(number, line, deadline)

    def line(self, number: int) -> socket.socket:
        """Where this one takes orders."""
        return self._rows[number].line

    def discard(self, number: object) -> None:
        """End this one."""
        if type(number) is int and (row := self._rows.pop(number, None)) is not None:
            self._end(row)
            self._weighed()

    def lose(self, number: int) -> None:
        """It has ended, or is not what it should be."""
        if number in self._rows:
            self.discard(number)
            self._say(encode({"t": "lost", "number": number}))

    # -- what becomes of them ---------------------------------------------------------------

    def read(self, ready: Mapping[int, int]) -> None:
        """Take the reports that have come."""
        for row in list(self._rows.values()):
            if row.line.fileno() in ready:
                self._report_of(row)

    def overdue(self) -> None:
        """Give up who took too long."""
        now = time.monotonic()
        for row in [row for row in self._rows.values() if not row.pid]:
            if now > row.deadline:
                self.lose(row.number)
        if self._weighing is not None and now > self._weighing[1]:
            self._answer_weights()

    def ended(self, pids: Mapping[int, int]) -> None:
        """These processes have ended."""
        for row in [row for row in self._rows.values() if row.pid in pids]:
            self.lose(row.number)

    def is_new(self, pid: int) -> bool:
        """Whether a child of ours, and no other that is known."""
        known = {self._live(), *(row.pid for row in self._rows.values())}
        return process.is_child(pid) and pid not in known

    def _report_of(self, row: _Parked) -> None:
        report = tether.next_report(row.line)
        if report is None:
            return
        if report.word == "parked" and not row.pid and self.is_new(report.pid):
            row.pid = report.pid
        elif report.word == "weighs" and row.pid:
            row.weight = report.number
            self._weighed()
        else:
            self.lose(row.number)

    def _end(self, row: _Parked) -> None:
        self._forget(row.line.fileno())
        row.line.close()
        if process.is_child(row.pid):  # else it was reaped, and its pid may be another's
            with contextlib.suppress(ProcessLookupError):
                os.kill(row.pid, signal.SIGKILL)

    # -- weights ----------------------------------------------------------------------------

    def weigh(self, order: str) -> None:
        """Ask each what it holds, and answer this order when all have said so."""
        for row in list(self._rows.values()):
            row.weight = None
            try:
                tether.order(row.line, "weigh")
            except BlockingIOError:
                row.weight = 0
            except OSError:
                self.lose(row.number)
        self._weighing = (order, time.monotonic() + _WEIGHING)
        self._weighed()

    def _weighed(self) -> None:
        if self._weighing and all(row.weight is not None for row in self._rows.values()):
            self._answer_weights()

    def _answer_weights(self) -> None:
        if self._weighing is not None:
            order, self._weighing = self._weighing[0], None
            sizes = {str(row.number): row.weight or 0 for row in self._rows.values()}
            self._say(
                encode({"t": "answer", "id": order, "ok": True}, [json.dumps(sizes).encode()])
            )
