"""Who mounts the staging layer of a sandbox that stands by: a process that waits with the right to.

Rule: it shares the sandbox's mounts and nothing else: no wire, no code but this file's. It does one
thing, when it is told to from outside, and ends. Whoever waits for its word goes on only when it
has ended, so that nobody with privileges is there beside code.
"""

from __future__ import annotations

import errno
import itertools
import os
import select
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codeact_kernel.sandbox.layers import capabilities, overlay

_LONGEST_WORD = 100


@dataclass(frozen=True, slots=True)
class Mounter:
    """`word` is where it says how it went, `end` a descriptor that is readable when it has ended."""

    pid: int
    word: int
    end: int

    def wait(self) -> str:
        """What `overlay.stage` gave, once it has ended. Raises OSError when it could not say."""
        word = os.read(self.word, _LONGEST_WORD).decode()
        select.select([self.end], [], [])
        if not word:
            raise OSError(errno.ESTALE, "the folder could not be mounted, or nobody wanted it")
        return word

    def close(self) -> None:
        """Hear no more of it."""
        os.close(self.word)
        os.close(self.end)


def leave_behind(stage: Mapping[str, Any], bell: int) -> Mounter:
    """Fork it; `bell` is its alone from now on: one byte on it, and it mounts. Raises OSError."""
    overlay.keep_mounts_apart(stage)
    word, ours = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            capabilities.die_with_parent()
            if os.getppid() == parent:
                _wait(stage, bell, ours)
        finally:
            os._exit(1)
    os.close(ours)
    os.close(bell)
    return Mounter(pid, word, os.pidfd_open(pid))


def _wait(stage: Mapping[str, Any], bell: int, word: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for first, last in _between(bell, word):
        os.closerange(first, last)
    if os.read(bell, 1):
        os.write(word, overlay.stage(stage).encode())
        os._exit(0)


def _between(*kept: int) -> list[tuple[int, int]]:
    """The ranges of descriptors that leave these alone."""
    edges = [-1, *sorted(kept), 4096]
    return [(low + 1, high) for low, high in itertools.pairwise(edges)]
