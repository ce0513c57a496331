"""The orders of the outer that are about checkpoints, carried out one at a time.

Rules:
- The outer owns numbers, order and what is kept; who answers to a number is parked_table.py.
- One order to fork or to go back is under way at a time. It has a time limit and is always answered.
- Who goes back leaves a kernel behind. That waits under a number of its own, as it is and with no
  copy made, or it is ended.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from codeact_kernel.wire import Bytes, encode
from codeact_kernel.worker import process, tether
from codeact_kernel.worker.interest import READ
from codeact_kernel.worker.live import Ends, Live
from codeact_kernel.worker.parked_table import ParkedTable

PATIENCE = 10.0
"""Seconds an order may take, whatever the load and the size of the heap."""
ORDERS = frozenset({"checkpoint", "rewind", "discard", "weigh"})


@dataclass(slots=True, kw_only=True)
class _Copy:
    """A checkpoint under way: `line` is the new process's tether."""

    id: str
    number: int
    line: socket.socket
    deadline: float


class _Stage(Enum):
    """What a rewind waits for: every process in its place, the live kernel aside, the other awake."""

    GATHERING = auto()
    LEAVING = auto()
    WAKING = auto()


@dataclass(slots=True, kw_only=True)
class _Rewind:
    """A rewind under way. `keep` is the number that the live kernel waits under, None for none;
    `line` and `ends` are ours of the kernel that wakes."""

    id: str
    number: int
    keep: int | None
    deadline: float
    stage: _Stage = _Stage.GATHERING
    line: socket.socket | None = None
    ends: dict[str, int] = field(default_factory=dict)


class Checkpoints:
    """Owner of the order that is under way.

    `live` gives the live kernel, `say` queues a frame for the outer, `swap` takes the kernel that has
    woken and whether the one before it ends, `forget` is told of a descriptor before it is closed.
    """

    def __init__(
        self,
        live: Callable[[], Live],
        say: Callable[[list[Bytes]], None],
        swap: Callable[[Ends, bool], None],
        forget: Callable[[int], None],
    ) -> None:
        self._live = live
        self._say = say
        self._swap = swap
        self._forget = forget
        self._table = ParkedTable(lambda: live().pid, say, forget)
        self._order: _Copy | _Rewind | None = None

    # -- the loop's side --------------------------------------------------------------------

    @property
    def waking(self) -> bool:
        """Whether another kernel is about to be the live one."""
        return isinstance(self._order, _Rewind)

    @property
    def pids(self) -> frozenset[int] | None:
        """The parked processes; None while not all are known, or one is being made."""
        return self._table.pids if self._order is None else None

    @property
    def idle(self) -> bool:
        """Whether there is nobody to listen to, and nothing that could take too long."""
        return self._order is None and self._table.idle

    @property
    def deadline(self) -> float | None:
        """When `overdue` should be called."""
        times = [self._table.deadline, self._order.deadline if self._order else None]
        return min((each for each in times if each is not None), default=None)

    def wanted(self) -> dict[int, int]:
        """The lines to listen on."""
        line = self._order.line if isinstance(self._order, _Rewind) else None
        return {**self._table.wanted(), **({line.fileno(): READ} if line else {})}

    def read(self, ready: Mapping[int, int]) -> None:
        """Take the reports that have come."""
        order = self._order
        if isinstance(order, _Rewind) and order.line and order.line.fileno() in ready:
            self._report_of_woken(order, order.line)
        self._table.read(ready)
        self._go_on()

    def overdue(self) -> None:
        """Answer what took too long."""
        order = self._order
        if order is not None and time.monotonic() > order.deadline:
            self._fail(f"it took longer than {PATIENCE:g} s")
            if isinstance(order, _Rewind) and order.stage is _Stage.WAKING:
                self._table.lose(order.number)
        self._table.overdue()
        self._go_on()

    def ended(self, pids: Mapping[int, int]) -> None:
        """These processes have ended."""
        self._table.ended(pids)
        self._go_on()

    # -- orders of the outer ----------------------------------------------------------------

    def order(self, head: Mapping[str, Any]) -> None:
        """One frame of the outer whose type is in ORDERS."""
        name = str(head.get("id", ""))
        number = head.get("number")
        if head["t"] == "weigh":
            self._table.weigh(name)
        elif head["t"] == "discard":
            for each in head.get("numbers") or ():
                self._table.discard(each)
        elif self._order is not None:
            self._answer(name, False, "another checkpoint is being made or woken")
        elif type(number) is not int:
            self._answer(name, False, "an order without a number")
        elif head["t"] == "checkpoint":
            self._copy(name, number)
        else:
            self._rewind(name, number, head.get("keep"))
        self._go_on()

    def word_of_kernel(self, head: Mapping[str, Any]) -> None:
        """The live kernel says that it has done as told, or why not: `forked` or `leaves`."""
        order, ok = self._order, head.get("ok") is True
        if isinstance(order, _Copy):
            if (head["t"], head.get("number")) == ("forked", order.number):
                self._forked(order, ok, head)
        elif order is not None and order.stage is _Stage.LEAVING:
            if (head["t"], head.get("number")) != ("leaves", order.keep):
                return
            if ok:
                self._wake(order)
            else:
                self._fail("the state that it would leave cannot be kept any more")

    # -- a copy -----------------------------------------------------------------------------

    def _copy(self, name: str, number: int) -> None:
        if not self._is_free(number):
            self._answer(name, False, "there are too many, or one of that number")
            return
        live = self._live()
        ours, theirs = tether.pair()
        deadline = time.monotonic() + PATIENCE
        self._order = _Copy(id=name, number=number, line=ours, deadline=deadline)
        try:
            tether.order(live.tether, f"park {number}", [theirs.fileno()])
        except OSError:
            self._fail("the live kernel does not take orders")
        else:
            live.send(encode({"t": "fork", "number": number}))
        finally:
            theirs.close()

    def _is_free(self, number: int) -> bool:
        return number not in self._table and not self._table.full

    def _forked(self, copy: _Copy, taken: bool, head: Mapping[str, Any]) -> None:
        self._order = None
        if taken:
            self._table.add(copy.number, copy.line, copy.deadline)
        else:
            self._close(copy.line)
        told = {"taken": taken, "reasons": head.get("reasons"), "size": head.get("size")}
        self._answer(copy.id, True, told)

    # -- a rewind ---------------------------------------------------------------------------

    def _rewind(self, name: str, number: int, keep: object) -> None:
        under = keep if type(keep) is int else None
        if keep is not None and (under is None or not self._is_free(under)):
            self._answer(name, False, "there are too many, or one of that number")
            return
        deadline = time.monotonic() + PATIENCE
        self._order = _Rewind(id=name, number=number, keep=under, deadline=deadline)

    def _go_on(self) -> None:
        """A rewind goes on when every copy is in its place: one that is on its way is still in the
        group of the kernel that is left, and would be ended with what that has started."""
        order = self._order
        if not isinstance(order, _Rewind):
            return
        if order.number not in self._table:
            self._fail("it is gone")
        elif order.stage is _Stage.GATHERING and self._table.pids is not None:
            if order.keep is None:
                self._wake(order)
            else:
                order.stage = _Stage.LEAVING
                self._live().send(encode({"t": "leave", "number": order.keep}))

    def _wake(self, order: _Rewind) -> None:
        ours, theirs = tether.pair()
        link, their_link = process.wide_pair()
        stdout, stderr = process.wide_pipe(), process.wide_pipe()
        order.line = ours
        order.ends = {"link": link.detach(), "stdout": stdout[0], "stderr": stderr[0]}
        order.stage = _Stage.WAKING
        given = [theirs.detach(), their_link.detach(), stdout[1], stderr[1]]
        try:
            tether.order(self._table.line(order.number), "wake", given)
        except OSError:
            self._table.lose(order.number)
        finally:
            for fd in given:
                os.close(fd)

    def _report_of_woken(self, order: _Rewind, line: socket.socket) -> None:
        report = tether.next_report(line)
        if report is None:
            return
        if report.word == "awake" and self._table.is_new(report.pid):
            self._awake(order, line, report.pid)
        elif report.word == "failed":
            self._fail("there is no room for another process: a limit is reached")
        else:
            self._fail("its process ended at once")

    def _awake(self, order: _Rewind, line: socket.socket, pid: int) -> None:
        self._order = None
        left = self._live().tether
        self._swap(Ends(pid=pid, tether=line, **order.ends), order.keep is None)
        if order.keep is None:
            self._close(left)
        else:
            self._table.add(order.keep, left, time.monotonic() + PATIENCE)
            self._tell(left, f"leave {order.keep}")
        self._answer(order.id, True, {})

    # -- the end of an order ----------------------------------------------------------------

    def _fail(self, why: str) -> None:
        """Answer the order under way: all is as it was. A process that was made for it finds its
        tether closed, a live kernel that stands aside goes on."""
        order, self._order = self._order, None
        if order is None:
            return
        if order.line is not None:
            self._close(order.line)
        if isinstance(order, _Rewind):
            for fd in order.ends.values():
                os.close(fd)
            if order.stage is not _Stage.GATHERING and order.keep is not None:
                self._tell(self._live().tether, f"stay {order.keep}")
        self._answer(order.id, False, why)

    def _tell(self, line: socket.socket, word: str) -> None:
        """One that cannot be told has ended, or will find its link closed; the table sees to that."""
        try:
            tether.order(line, word)
        except OSError as error:
            self._say(encode({"t": "log", "level": "warning"}, [f"{word}: {error}".encode()]))

    def _close(self, line: socket.socket) -> None:
        self._forget(line.fileno())
        line.close()

    def _answer(self, name: str, ok: bool, value: object) -> None:
        self._say(encode({"t": "answer", "id": name, "ok": ok}, [json.dumps(value).encode()]))
