"""Why a sandbox ended: a value that travels from whoever noticed to the person and the model.

Rule: `what` is one sentence that says what happened, `remedy` one that says what to do about it.
What was lost is said by who knows it, the kernel, between the two.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum

MIB = 1024 * 1024


class Cause(StrEnum):
    """What ended it."""

    MEMORY = "memory"
    PROCESSES = "processes"
    DISK = "disk"
    TIME = "time"
    STOPPED = "stopped"
    """Somebody asked for it."""
    KILLED = "killed"
    """A signal from outside, or from its own code."""
    CRASHED = "crashed"
    """Its own machine code: a segmentation fault, an abort."""
    WIRE = "wire"
    """It sent what is not a frame."""
    CLOSED = "closed"
    """It ended by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """`str` is all of it."""

    cause: Cause
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".rstrip()


def out_of_memory(limit: int) -> Ended:
    """All processes together needed more than `limit` bytes."""
    return Ended(
        cause=Cause.MEMORY,
        what=f"The sandbox reached its memory limit of {limit // MIB} MB and was ended.",
        remedy="Work on less data at once, or raise the limit with the setting memory_mb.",
    )


def too_many_processes(limit: int) -> Ended:
    """It filled its table of `limit` processes and threads and stayed there."""
    return Ended(
        cause=Cause.PROCESSES,
        what=f"The code started processes until there were {limit}, as many as the sandbox may have, "
        "and was ended.",
        remedy="Start fewer at once, or raise the limit with the setting processes.",
    )


def disk_full(place: str, limit: str) -> Ended:
    """More than `limit` ("64 MB", "50,000 files") was written to `place`."""
    return Ended(
        cause=Cause.DISK,
        what=f"The code wrote more than {limit} to {place}, as much as it may, and was ended.",
        remedy="Look at what it left there; the setting disk_mb raises the limit.",
    )


def exited(status: int | None, who: str = "The sandbox") -> Ended:
    """It ended with an exit code, negative for a signal, as a shell has it from 128 on; None: unknown."""
    if status is None:
        return Ended(cause=Cause.CLOSED, what=f"{who} ended.")
    number = -status if status < 0 else status - 128 if status > 128 else 0
    if not number:
        return Ended(cause=Cause.CLOSED, what=f"{who} ended with status {status}.")
    if number in _CRASHES:
        what = f"{who} crashed ({_CRASHES[number]}, signal {number})."
        remedy = "The fault is in compiled code that was called; a newer version of that library may help."
        return Ended(cause=Cause.CRASHED, what=what, remedy=remedy)
    return Ended(cause=Cause.KILLED, what=f"{who} ended (killed by signal {number}).")


_CRASHES = {
    int(signal.SIGSEGV): "segmentation fault",
    int(signal.SIGABRT): "abort",
    int(signal.SIGBUS): "bus error",
    int(signal.SIGILL): "illegal instruction",
    int(signal.SIGFPE): "arithmetic fault",
}
