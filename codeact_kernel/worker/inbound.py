"""Frames that come to the kernel: answers to who waits for them, the rest to the event loop.

Rules:
- One thread reads at a time. Whoever waits for an answer reads for all meanwhile.
- What is not an answer goes to `inbox`, and the event loop is woken.
- A wait may be broken off by a signal handler at any point without leaving the turn taken.
"""

from __future__ import annotations

import _thread
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from codeact_kernel.wire import BadFrame, Decoder, Frame
from codeact_kernel.worker.signals import undisturbed

_READ = 256 * 1024
_ANSWERS = frozenset({"result", "input"})
_A_MOMENT = 0.01  # seconds


class LinkClosed(ConnectionError):
    """The supervisor is gone, or a frame was cut; nothing can be sent any more."""


class Waiter:
    """One open question and, later, the frame that answers it."""

    __slots__ = ("_signal", "answer", "done")

    def __init__(self) -> None:
        self.answer: Frame | None = None
        self.done = False
        self._signal = _thread.allocate_lock()  # held; whoever has news lets go of it
        self._signal.acquire()

    def wait(self) -> None:
        """Until there may be news."""
        self._signal.acquire(timeout=0.2)

    def poke(self) -> None:
        if self._signal.locked():
            self._signal.release()


class Inbound:
    """The reading half of the link. Owned by `Link`, which gives it the socket."""

    def __init__(self) -> None:
        self.inbox: deque[Frame] = deque()
        """Frames nobody waits for, in order; the event loop takes them."""
        self.wake: Callable[[], object] = lambda: None
        """Called from any thread when `inbox` got something behind the event loop's back."""
        self.on_dap: Callable[[Frame], None] | None = None
        """Takes `dap` frames, called in whichever thread reads, while a debugger is attached."""
        self.socket: socket.socket | None = None
        self._poll = select.poll()
        self._decoder = Decoder()
        self._lock = threading.Lock()
        self._reader = 0
        self._waiters: dict[tuple[str, str], Waiter] = {}

    def open(self, sock: socket.socket) -> None:
        """Read from there."""
        self.socket = sock
        self._poll.register(sock, select.POLLIN)

    @property
    def has_more(self) -> bool:
        """Whether there is something to read, or the end of it."""
        return bool(self._poll.poll(0))

    def pump(self) -> bool:
        """Read what is there; False when the supervisor is gone. For the event loop.

        Does nothing while another thread waits for an answer: that thread reads.
        """
        me = threading.get_ident()
        if not undisturbed(lambda: self._take_turn(me, stale=True)):
            return True
        try:
            return undisturbed(self._read)
        finally:
            undisturbed(lambda: self._hand_over(me))

    def pick(self, wanted: Callable[[Frame], bool]) -> list[Frame]:
        """Take what is wanted out of the inbox. For a signal handler of the main thread.

        Another thread may be reading: what the signal is about is then there in a moment.
        """
        me = threading.get_ident()
        if self._reader == me:  # in the middle of a wait, between two reads
            undisturbed(self._read)
        elif undisturbed(lambda: self._take_turn(me, stale=False)):
            try:
                undisturbed(self._read)
            finally:
                undisturbed(lambda: self._hand_over(me))
        else:
            time.sleep(_A_MOMENT)
        frames = list(self.inbox)
        found = [frame for frame in frames if wanted(frame)]
        for frame in found:
            self.inbox.remove(frame)
        if len(found) < len(frames):
            self.wake()
        return found

    def reset(self) -> None:
        """Nothing has been read yet, and nobody waits."""
        self.inbox.clear()
        self._decoder = Decoder()
        self._reader = 0
        self._waiters.clear()

    def expect(self, kind: str, key: str) -> None:
        """Announce that `wait` will be called for the frame `kind` with this key."""
        self._waiters[kind, key] = Waiter()

    def forget(self, kind: str, key: str) -> None:
        """Nobody waits any more; a late answer is dropped."""
        self._waiters.pop((kind, key), None)

    def wait(self, kind: str, key: str) -> Frame:
        """Block this thread until the expected frame came. Raises LinkClosed; interruptible."""
        waiter = self._waiters[kind, key]
        me = threading.get_ident()
        try:
            while not waiter.done:
                if undisturbed(lambda: self._take_turn(me, stale=False)):
                    self._read_for(waiter)
                    undisturbed(lambda: self._hand_over(me))
                else:
                    waiter.wait()
        finally:
            undisturbed(lambda: self._hand_over(me))
            self.forget(kind, key)
        if waiter.answer is None:
            raise LinkClosed("the supervisor is gone")
        return waiter.answer

    def _take_turn(self, me: int, *, stale: bool) -> bool:
        """`stale`: the caller does not wait for anything, a turn in its name is a left-over."""
        with self._lock:
            if self._reader and not (stale and self._reader == me):
                return False
            self._reader = me
            return True

    def _hand_over(self, me: int) -> None:
        with self._lock:
            if self._reader != me:
                return
            self._reader = 0
        for waiter in list(self._waiters.values()):
            waiter.poke()

    def _read_for(self, waiter: Waiter) -> None:
        if self.socket is None:
            raise LinkClosed("the link is closed")
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        while not waiter.done:
            poll.poll()
            alive = undisturbed(self._read)
            if self.inbox or not alive:
                self.wake()
            if not alive:
                return

    def _read(self) -> bool:
        if self.socket is None:
            return False
        try:
            data = self.socket.recv(_READ, socket.MSG_DONTWAIT)
            frames = self._decoder.feed(data)
        except BlockingIOError:
            return True
        except (OSError, BadFrame):
            data, frames = b"", []
        for frame in frames:
            self._sort(frame)
        if not data:
            for waiter in list(self._waiters.values()):
                waiter.done = True
                waiter.poke()
        return bool(data)

    def _sort(self, frame: Frame) -> None:
        if frame.type == "dap":
            take = self.on_dap
            if take is not None:
                take(frame)
            return
        if frame.type not in _ANSWERS:
            self.inbox.append(frame)
            return
        waiter = self._waiters.get((frame.type, str(frame.head.get("id", ""))))
        if waiter is not None:
            waiter.answer = frame
            waiter.done = True
            waiter.poke()
