"""Process 1 of the sandbox: preloads, forks the live kernel, passes frames, sees it die.

Rules:
- Single-threaded; its own loop uses the standard library only and looks at no more than the head
  of a frame.
- It reads the outer kernel first, always, so that an interrupt is never behind output.
- It blocks on nobody. When the outer does not read it stops reading the kernel; when the kernel
  does not read and very much waits for it, it stops reading the outer.

What it says to a live kernel and hears from it is live.py; the kernels that are parked are
checkpoints.py. Between supervisor and kernel there are eight frames more. `parent` {id}: what
descriptors 1 and 2 say from here on belongs to this request. `mark`: sent back behind all requests
that have arrived. `interrupt`, when the kernel seems idle: it ends the cells that are on their way,
for which the signal came too early. `fork` {number} and its answer `forked` {number, ok, reasons,
size}; `leave` {number} and `leaves`, the same: the kernel stands aside for another one. `drain`: it
waits until all text that descriptors 1 and 2 took has been read.
Questions beside a running cell go in with a signal (asking.py) and are answered on their own line.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from typing import Any

from codeact_kernel.wire import BadFrame, Decoder, Raw, encode, head_of
from codeact_kernel.worker import process
from codeact_kernel.worker.asking import NUDGE, Asking
from codeact_kernel.worker.checkpoints import ORDERS, Checkpoints
from codeact_kernel.worker.interest import READ, WRITE, Interest
from codeact_kernel.worker.live import HIGH, Ends, Live, read
from codeact_kernel.worker.outbox import Outbox

DEEP = 256 * 1024 * 1024
"""Bytes that wait for the kernel above which the outer is no longer read."""
POLITE, PATIENT = 1.0, 3.0
"""Seconds after `shutdown` until an interrupt, until SIGKILL."""
_READ = process.WIDE
_RESERVED = frozenset({"selftest", "died", "lost"})
_INNER = frozenset({"mark", "parent", "fork", "leave"})
_FOLLOWED = ("execute_input", "execute_result")  # no set: what a head holds may not fit into one
"""What a kernel publishes just before it says something else; when its code takes longer, not much later."""


class Supervisor:
    """The relay between the outer kernel and one live kernel, which a rewind replaces."""

    def __init__(self, outer: int, kernel: Ends, line: socket.socket) -> None:
        self._outer_fd = outer
        self._outer = Outbox(outer)
        self._live = Live(kernel, self._outer, self._take)
        self._interest = Interest()
        self._checkpoints = Checkpoints(
            lambda: self._live, self._outer.push, self._swap, self._interest.forget
        )
        self._asking = Asking(line, self._send_now, self._nudge)
        self._abandoned: set[int] = set()
        self._orphaned = False
        self._held: list[Raw] = []
        self._from_outer = Decoder()
        self._status: int | None = None
        self._shutdown_at: float | None = None
        self._interrupted = False
        self._lost = False
        self._buffer = bytearray(_READ)
        self._signals = _watch_children()

    # -- the loop ---------------------------------------------------------------------------

    def run(self) -> None:
        """Until the kernel ends or the outer closes the stream."""
        while self._status is None and not self._lost:
            self._interest.want(self._wanted())
            self._turn(self._interest.wait(self._timeout()))
        if not self._lost:
            self._say_farewell()
        process.kill_all(self._live.pid)

    def _turn(self, ready: dict[int, int]) -> None:
        if ready.get(self._outer_fd, 0) & READ:
            self._read_outer()
        live = self._live
        live.read(ready)
        if live.broken:
            self._log("error", f"the kernel sent a malformed frame and was ended: {live.broken}")
            process.kill_all(live.pid)
            self._status = -int(signal.SIGKILL)
            return
        if not self._checkpoints.idle:
            self._checkpoints.read(ready)
            self._checkpoints.overdue()
        if self._asking.fd in ready:
            for raw in self._asking.read():
                self._outer.push([raw])
        self._asking.overdue()
        if self._signals in ready or live.pidfd in ready:
            self._reap()
        self._let_go()
        self._flush()
        self._end_orphans()
        self._shut_down()

    def _wanted(self) -> dict[int, int]:
        """What we want to hear now: the two bounds of the module's docstring."""
        room = self._outer.size < HIGH
        wanted = self._live.wanted(room)
        wanted[self._signals] = READ
        wanted[self._asking.fd] = READ if room else 0
        wanted[self._outer_fd] = (READ if self._live.waiting < DEEP else 0) | (
            WRITE if self._outer.due else 0
        )
        if not self._checkpoints.idle:
            wanted.update(self._checkpoints.wanted())
        return wanted

    def _timeout(self) -> float | None:
        if self._shutdown_at is not None:
            return 0.05
        times = [self._live.deadline, self._outer.deadline, self._asking.deadline]
        if not self._checkpoints.idle:
            times.append(self._checkpoints.deadline)
        soonest = min((at for at in times if at is not None), default=None)
        return None if soonest is None else max(0.0, soonest - time.monotonic())

    # -- outer → kernel ---------------------------------------------------------------------

    def _read_outer(self) -> None:
        """Until there is no more, or the kernel has more than enough."""
        while self._live.waiting < DEEP and not self._lost:
            data = read(self._outer_fd, self._buffer)
            if data is None:
                return
            try:
                for raw in self._from_outer.split(data):
                    self._from_outer_frame(raw)
            except BadFrame:
                self._lost = True
            if not data:
                self._lost = True

    def _from_outer_frame(self, raw: Raw) -> None:
        head = head_of(raw)
        kind = head["t"]
        if kind == "interrupt":
            self._interrupt(raw)
        elif kind in ORDERS:
            self._checkpoints.order(head)
        elif kind not in _INNER:
            if kind == "shutdown":
                self._shutdown_at = time.monotonic()
            if self._checkpoints.waking:
                self._held.append(raw)
            elif head.get("queued") is False:
                self._asking.ask(str(head.get("id")), raw)
            else:
                self._live.send(raw)

    def _send_now(self, raw: Raw) -> None:
        self._live.send(raw)
        self._flush()

    def _nudge(self) -> None:
        """Between cells its loop reads without being told."""
        if self._live.busy:
            process.nudge(self._live.pid, NUDGE)

    def _interrupt(self, raw: Raw) -> None:
        """The frame before the signal: who finds the signal too early finds the frame in time."""
        if not self._live.busy:
            self._send_now(raw)
        process.interrupt(self._live.pid)

    # -- kernel → outer ---------------------------------------------------------------------

    def _take(self, head: dict[str, Any], raw: Raw) -> None:
        kind = head["t"]
        if kind == "mark":
            self._read_outer()
            self._live.send(raw)
        elif kind in ("forked", "leaves"):
            self._checkpoints.word_of_kernel(head)
        elif kind not in _RESERVED:
            self._outer.push([raw], followed=head.get("type") in _FOLLOWED)
            if kind == "reply":
                self._asking.answered(head.get("parent"))

    # -- another kernel ---------------------------------------------------------------------

    def _swap(self, ends: Ends, ends_before: bool) -> None:
        """A parked kernel has woken up and is the live one from here on; the one before it waits
        itself from now on, or ends."""
        before = self._live
        before.last_words()
        if ends_before:
            process.end_group(before.pid)
            self._abandoned.add(before.pid)
        before.close(self._interest.forget)
        self._orphaned = True
        self._live = Live(ends, self._outer, self._take)

    def _end_orphans(self) -> None:
        """Nothing is left of what the code of a kernel that was replaced had started."""
        if not self._orphaned or self._abandoned:
            return
        parked = self._checkpoints.pids
        if parked is not None:
            self._orphaned = False
            process.end_orphans(self._live.pid, parked)

    def _let_go(self) -> None:
        """What came while a kernel woke is for whoever is the live one now."""
        if self._held and not self._checkpoints.waking:
            held, self._held = self._held, []
            for raw in held:
                self._live.send(raw)

    # -- the end ----------------------------------------------------------------------------

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._signals, 4096)
        ended = process.reap()
        if self._live.pid in ended:
            self._status = ended[self._live.pid]
        self._checkpoints.ended(ended)
        self._abandoned -= ended.keys()

    def _shut_down(self) -> None:
        if self._shutdown_at is None or self._status is not None:
            return
        waited = time.monotonic() - self._shutdown_at
        if waited > PATIENT:
            process.kill_all(self._live.pid)
            self._status = -int(signal.SIGKILL)
        elif waited > POLITE and not self._interrupted:
            self._interrupted = True
            process.interrupt(self._live.pid)

    def _say_farewell(self) -> None:
        """What the kernel still said, then `died`, unless its end was asked for."""
        self._live.last_words()
        if self._shutdown_at is None:
            self._outer.push(encode({"t": "died", "status": self._status}))
        self._outer.deadline = None
        with contextlib.suppress(OSError):
            os.set_blocking(self._outer_fd, True)
            self._outer.flush()

    # -- small things -----------------------------------------------------------------------

    def _flush(self) -> None:
        try:
            self._outer.flush()
        except OSError:
            self._lost = True
        self._live.flush()

    def _log(self, level: str, text: str) -> None:
        self._outer.push(encode({"t": "log", "level": level}, [text.encode()]))


def _watch_children() -> int:
    """A descriptor that becomes readable when a child ends."""
    ours, theirs = os.pipe()
    for fd in (ours, theirs):
        os.set_blocking(fd, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    return ours
