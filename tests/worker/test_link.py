"""The kernel's end of the stream: frames that belong together go out together."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from codeact_kernel.wire import Decoder
from codeact_kernel.worker.link import Link


@dataclass
class Line:
    """A link, and the supervisor's end of it."""

    link: Link
    far: socket.socket
    pipe: int

    def say(self, *kinds: str) -> None:
        for kind in kinds:
            self.link.send({"t": kind})

    def heard(self) -> list[str]:
        """The types of the frames of one read."""
        try:
            data = self.far.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        return [frame.type for frame in Decoder().feed(data)]


@pytest.fixture
def line() -> Iterator[Line]:
    ours, theirs = socket.socketpair()
    read, write = os.pipe()
    link = Link()
    link.open(ours, (write,))
    yield Line(link, theirs, write)
    for sock in (ours, theirs):
        sock.close()
    for fd in (read, write):
        os.close(fd)


def test_frames_behind_a_cork_go_out_as_one(line: Line) -> None:
    """Nothing is sent until the cork is out; then everything, in order."""
    line.link.cork()
    line.say("a", "b", "c")
    assert line.heard() == []
    line.link.uncork()
    assert line.heard() == ["a", "b", "c"]
    line.say("d")
    assert line.heard() == ["d"]


def test_a_cork_holds_one_thread(line: Line) -> None:
    """What another thread sends meanwhile is nobody's to hold."""
    line.link.cork()
    line.say("ours")
    thread = threading.Thread(target=line.say, args=("theirs",))
    thread.start()
    thread.join()
    assert line.heard() == ["theirs"]
    line.link.uncork()
    assert line.heard() == ["ours"]


def test_pulling_the_cork_can_be_broken_off(line: Line) -> None:
    """A signal that raises while text is waited for loses no frame, and changes no order."""

    def break_off(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, break_off)
    try:
        os.write(line.pipe, b"text that nobody reads")
        line.link.cork()
        line.say("a")
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with contextlib.suppress(KeyboardInterrupt):
            line.link.uncork()
            pytest.fail("it was not broken off")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    line.say("b")
    line.link.uncork()
    heard = line.heard()
    assert [kind for kind in heard if kind != "drain"] == ["a", "b"]
