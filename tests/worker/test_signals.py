"""An interrupt ends one cell: the one that runs, or the first that waits."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from codeact_kernel.worker.signals import Interrupts


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    """As in a kernel between requests."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    handler = signal.getsignal(signal.SIGINT)
    interrupts = Interrupts()
    interrupts.settle()
    yield interrupts
    interrupts.forget()
    signal.signal(signal.SIGINT, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def interrupt() -> None:
    """Signal this thread, as the supervisor does: another one of the process has it not blocked."""
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_frame_and_the_signal_are_one_interrupt(interrupts: Interrupts, when: str) -> None:
    """The signal may come before the first cell begins or when that has ended: the second cell runs."""
    for name in "ab":
        interrupts.wait(name)
    interrupts.hit_waiting()
    if when == "before":
        interrupt()
    with pytest.raises(KeyboardInterrupt):
        interrupts.on("a")
    interrupts.off("a")
    if when == "after":
        interrupt()
    interrupts.on("b")
    interrupts.off("b")


def test_each_interrupt_counts(interrupts: Interrupts) -> None:
    """One for a cell that is ended by the frame does not spare the cell after the next."""
    interrupts.wait("a")
    interrupts.hit_waiting()
    with pytest.raises(KeyboardInterrupt):
        interrupts.on("a")
    interrupts.off("a")
    interrupts.on("b")
    with pytest.raises(KeyboardInterrupt):
        interrupt()
    interrupts.off("b")
