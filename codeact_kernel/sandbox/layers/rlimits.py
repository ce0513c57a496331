"""Resource limits of one process and its children.

Rule: a limit is only ever lowered, soft and hard together, so code inside cannot raise it again.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping


def restrict(limits: Mapping[str, int]) -> None:
    """Set each named limit ("DATA" for RLIMIT_DATA, bytes or a count) to at most its value."""
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(kind, (value, value))


def in_force(names: Mapping[str, int]) -> dict[str, int]:
    """The hard limits as the kernel has them; -1 means none."""
    return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1] for name in names}


def tasks_of(uid: int) -> int:
    """How many tasks (threads) run under `uid`: RLIMIT_NPROC counts them all, not only ours."""
    count = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/status", "rb") as file:
                status = file.read()
        except OSError:
            continue
        fields = dict(line.split(b":", 1) for line in status.splitlines() if b":" in line)
        if int(fields[b"Uid"].split()[0]) == uid:
            count += int(fields.get(b"Threads", b"1"))
    return count
