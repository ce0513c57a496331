"""Memory of an idle kernel after a first cell that imported nothing: all its processes together."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.kernels import OURS, PEER, ready
from benchmarks.processes import memory
from benchmarks.rows import Figure, alternate

_MIB = 1024 * 1024
_SETTLE_SECONDS = 1.0


def rows(quick: bool) -> Iterator[Figure]:
    """One row. Without the sandbox that stands by, which has a bound of its own."""
    times = 1 if quick else 3
    ours, peer = alternate(lambda: _idle(OURS), lambda: _idle(PEER), times)
    yield Figure(name="idle memory, nothing imported", ours=ours, peer=peer, budget=70, unit="MiB")


def _idle(name: str) -> float:
    with ready(name) as kernel:
        time.sleep(_SETTLE_SECONDS)
        return memory(kernel.pid) / _MIB
