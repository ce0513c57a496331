"""The parked forks of the live kernel, and the orders of the outer that are about them.

Rules:
- The outer owns numbers, order and what is kept; here is only which process answers to a number.
- One order to fork is under way at a time. It has a time limit and is always answered; a parked
  process that ends, or never comes to its place, is reported as lost.
- A process is believed to be the fork when the system says that it is a child of ours, whoever may
  have told it to report.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from codeact_kernel.wire import Bytes, encode
from codeact_kernel.worker import process, tether
from codeact_kernel.worker.interest import READ
from codeact_kernel.worker.live import Ends, Live

PATIENCE = 10.0
"""Seconds a fork may take, whatever the load and the size of the heap."""
MOST = 64
"""Parked processes there can be; the outer keeps far fewer."""
ORDERS = frozenset({"checkpoint", "rewind", "discard", "weigh"})


@dataclass(slots=True)
class _Parked:
    """One process that waits. `pid` is 0 until it has come to its place; then `deadline` is of no
    meaning any more. `weight` is what it said last, None while it is asked."""

    number: int
    line: socket.socket
    deadline: float
    pid: int = 0
    weight: int | None = 0


@dataclass(slots=True)
class _Fork:
    """A fork under way: `line` is the new process's tether, `ends` are ours of one that wakes."""

    id: str
    number: int
    line: socket.socket
    ends: dict[str, int] = field(default_factory=dict)
    deadline: float = field(default_factory=lambda: time.monotonic() + PATIENCE)

    @property
    def wakes(self) -> bool:
        return bool(self.ends)


class Checkpoints:
    """Owner of the table.

    `live` gives the live kernel, `say` queues a frame for the outer, `swap` takes the kernel that has
    woken, `forget` is told of a descriptor before it is closed.
    """

    def __init__(
        self,
        live: Callable[[], Live],
        say: Callable[[list[Bytes]], None],
        swap: Callable[[Ends], None],
        forget: Callable[[int], None],
    ) -> None:
        self._live = live
        self._say = say
        self._swap = swap
        self._forget = forget
        self._table: dict[int, _Parked] = {}
        self._fork: _Fork | None = None
        self._weighing: tuple[str, float] | None = None
        self._rewind: tuple[str, int] | None = None

    # -- the loop's side --------------------------------------------------------------------

    @property
    def waking(self) -> bool:
        """Whether another kernel is about to be the live one."""
        return self._rewind is not None or (self._fork is not None and self._fork.wakes)

    @property
    def pids(self) -> frozenset[int] | None:
        """The parked processes; None while not all are known, or one is being made."""
        pids = frozenset(each.pid for each in self._table.values())
        return None if 0 in pids or self._fork is not None else pids

    @property
    def deadline(self) -> float | None:
        """When `overdue` should be called."""
        times = [each.deadline for each in self._table.values() if not each.pid]
        times += [self._fork.deadline] if self._fork else []
        times += [self._weighing[1]] if self._weighing else []
        return min(times, default=None)

    def wanted(self) -> dict[int, int]:
        """The lines to listen on."""
        lines = [each.line for each in self._table.values()]
        lines += [self._fork.line] if self.waking and self._fork else []
        return {line.fileno(): READ for line in lines}

    def read(self, ready: Mapping[int, int]) -> None:
        """Take the reports that have come."""
        fork = self._fork
        if fork is not None and fork.wakes and fork.line.fileno() in ready:
            self._report_of_fork(fork)
        for parked in list(self._table.values()):
            if parked.line.fileno() in ready:
                self._report_of(parked)

    def overdue(self) -> None:
        """Answer what took too long."""
        now = time.monotonic()
        if self._fork is not None and now > self._fork.deadline:
            waking, number = self._fork.wakes, self._fork.number
            self._fail(f"it took longer than {PATIENCE:g} s")
            if waking:
                self._lose(number)
        for parked in [each for each in self._table.values() if not each.pid]:
            if now > parked.deadline:
                self._lose(parked.number)
        if self._weighing is not None and now > self._weighing[1]:
            self._answer_weights()

    def ended(self, pids: Mapping[int, int]) -> None:
        """These processes have ended."""
        for parked in [each for each in self._table.values() if each.pid in pids]:
            self._lose(parked.number)

    # -- orders of the outer ----------------------------------------------------------------

    def order(self, head: Mapping[str, Any]) -> None:
        """One frame of the outer whose type is in ORDERS."""
        name = str(head.get("id", ""))
        number = head.get("number")
        if head["t"] == "weigh":
            self._weigh(name)
        elif head["t"] == "discard":
            for each in head.get("numbers") or ():
                self._discard(each)
        elif self._fork is not None or self._rewind is not None:
            self._answer(name, False, "another checkpoint is being made or woken")
        elif type(number) is not int:
            self._answer(name, False, "an order without a number")
        elif head["t"] == "checkpoint":
            self._park(name, number)
        else:
            self._rewind = (name, number)
            self._wake_when_all_are_parked()

    def _park(self, name: str, number: int) -> None:
        if number in self._table or len(self._table) >= MOST:
            self._answer(name, False, "there are too many, or one of that number")
            return
        live = self._live()
        ours, theirs = tether.pair()
        self._fork = _Fork(name, number, ours)
        try:
            tether.order(live.tether, f"park {number}", [theirs.fileno()])
        except OSError:
            self._fail("the live kernel does not take orders")
        else:
            live.send(encode({"t": "fork", "number": number}))
        finally:
            theirs.close()

    def word_of_kernel(self, head: Mapping[str, Any]) -> None:
        """The live kernel says that it has forked, or why it has not: a `forked` frame."""
        fork = self._fork
        if fork is None or fork.wakes or head.get("number") != fork.number:
            return
        taken = head.get("ok") is True
        if taken:
            self._fork = None
            self._table[fork.number] = _Parked(fork.number, fork.line, fork.deadline)
        else:
            self._give_up(fork)
        told = {"taken": taken, "reasons": head.get("reasons"), "size": head.get("size")}
        self._answer(fork.id, True, told)

    def _wake_when_all_are_parked(self) -> None:
        """The kernel that is left is ended with its group, which a copy on its way is still in."""
        if self._rewind is not None and all(each.pid for each in self._table.values()):
            order, self._rewind = self._rewind, None
            self._wake(*order)

    def _wake(self, name: str, number: int) -> None:
        parked = self._table.get(number)
        if parked is None:
            self._answer(name, False, "it is gone")
            return
        ours, theirs = tether.pair()
        link, their_link = socket.socketpair()
        stdout, stderr = process.wide_pipe(), process.wide_pipe()
        ends = {"link": link.detach(), "stdout": stdout[0], "stderr": stderr[0]}
        given = [theirs.detach(), their_link.detach(), stdout[1], stderr[1]]
        self._fork = _Fork(name, number, ours, ends)
        try:
            tether.order(parked.line, "wake", given)
        except OSError:
            self._lose(number)
        finally:
            for fd in given:
                os.close(fd)

    def _discard(self, number: object) -> None:
        parked = self._table.pop(number, None) if type(number) is int else None
        if parked is not None:
            self._end(parked)
            if self._fork is not None and self._fork.number == number:
                self._fail("it was given up")
            self._wake_when_all_are_parked()

    def _weigh(self, name: str) -> None:
        for parked in list(self._table.values()):
            parked.weight = None
            try:
                tether.order(parked.line, "weigh")
            except BlockingIOError:
                parked.weight = 0
            except OSError:
                self._lose(parked.number)
        self._weighing = (name, time.monotonic() + 1.0)
        self._weighed()

    # -- reports ----------------------------------------------------------------------------

    def _report_of_fork(self, fork: _Fork) -> None:
        """Of one that wakes: one that is to be parked is heard when the kernel has said it is made."""
        report = tether.next_report(fork.line)
        if report is None:
            return
        if report.word == "awake" and self._ours(report.pid):
            self._awake(fork, report.pid)
        elif report.word == "failed":
            self._fail("there is no room for another process: a limit is reached")
        else:
            self._fail("its process ended at once")

    def _ours(self, pid: int) -> bool:
        return (
            process.is_child(pid)
            and pid != self._live().pid
            and all(pid != each.pid for each in self._table.values())
        )

    def _awake(self, fork: _Fork, pid: int) -> None:
        self._fork = None
        self._swap(Ends(pid=pid, tether=fork.line, **fork.ends))
        self._answer(fork.id, True, {})

    def _report_of(self, parked: _Parked) -> None:
        report = tether.next_report(parked.line)
        if report is None:
            return
        if report.word == "parked" and not parked.pid and self._ours(report.pid):
            parked.pid = report.pid
            self._wake_when_all_are_parked()
        elif report.word == "weighs" and parked.pid:
            parked.weight = report.number
            self._weighed()
        else:
            self._lose(parked.number)

    def _weighed(self) -> None:
        if self._weighing and all(each.weight is not None for each in self._table.values()):
            self._answer_weights()

    def _answer_weights(self) -> None:
        if self._weighing is not None:
            name, self._weighing = self._weighing[0], None
            sizes = {str(each.number): each.weight or 0 for each in self._table.values()}
            self._answer(name, True, sizes)

    # -- the end of one ---------------------------------------------------------------------

    def _lose(self, number: int) -> None:
        parked = self._table.pop(number, None)
        if parked is not None:
            self._end(parked)
            self._say(encode({"t": "lost", "number": number}))
            if self._fork is not None and self._fork.wakes and self._fork.number == number:
                self._fail("it is gone")
            self._weighed()
            self._wake_when_all_are_parked()

    def _fail(self, why: str) -> None:
        """Answer the fork under way: there is none."""
        if self._fork is not None:
            fork = self._fork
            self._give_up(fork)
            self._answer(fork.id, False, why)

    def _give_up(self, fork: _Fork) -> None:
        """Its process, if there is one, finds its tether closed."""
        self._fork = None
        self._close(fork.line)
        for fd in fork.ends.values():
            os.close(fd)

    def _end(self, parked: _Parked) -> None:
        self._close(parked.line)
        _kill(parked.pid)

    def _close(self, line: socket.socket) -> None:
        self._forget(line.fileno())
        line.close()

    def _answer(self, name: str, ok: bool, value: object) -> None:
        self._say(encode({"t": "answer", "id": name, "ok": ok}, [json.dumps(value).encode()]))


def _kill(pid: int) -> None:
    """A child that has ended and was reaped is not there any more, and its pid may be another's."""
    if process.is_child(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
