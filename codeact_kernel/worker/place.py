"""What connects a live kernel to its supervisor.

Rule: a value. The supervisor makes what is in it; every kernel that follows, woken from a checkpoint,
finds what connects it at the same descriptors.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Descriptors, and the pid of the supervisor."""

    link: int
    stdout: int
    stderr: int
    tether: int
    answers: int
    """One line for all kernels of a sandbox: see asking.py."""
    supervisor: int

    @property
    def descriptors(self) -> frozenset[int]:
        """Those that are ours and not the notebook's."""
        return frozenset((self.link, self.stdout, self.stderr, self.tether, self.answers))
