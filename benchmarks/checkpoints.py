"""Going back: what a checkpoint costs, and how soon after a rewind there is a result.

Rule: the heap is 300 MB, written by the cell, and each time something of it is changed in between. The
peer of a rewind is what people do without one: running the cell again, in plain ipykernel.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.kernels import Kernel, both
from benchmarks.rows import Figure, Row

_HEAP = """
import numpy as np
heap = np.random.default_rng(1).random(37_500_000)
table = {n: str(n) for n in range(100_000)}
"""
_CHANGE = "heap[:1_000_000] = 0; table.pop(next(iter(table)))"


def rows(quick: bool) -> Iterator[Row | Figure]:
    """A checkpoint beyond what an agent cell takes by itself, and a rewind with the cell after it."""
    times = 3 if quick else 30
    with both() as (ours, peer):
        again = [peer.execute(_HEAP).seconds for _ in range(1 if quick else 3)]
        ours.execute(_HEAP)
        made, back, first = [], [], []
        for _ in range(times):
            ours.execute(_CHANGE)
            nothing = ours.execute("%agent help").seconds
            made.append(max(0.0, ours.execute("%agent checkpoint here").seconds - nothing) * 1000)
            ours.execute(_CHANGE)
            back.append(_rewound(ours))
            first.append(back[-1] * 1000)
    yield Figure(name="checkpoint, 300 MB heap", ours=made, budget=10, unit="ms")
    yield Figure(
        name="rewind → first result, 300 MB heap",
        ours=first,
        budget=50,
        unit="ms",
        peer=[seconds * 1000 for seconds in again],
        note="peer: running the cell again",
    )
    yield Row(name="rewind instead of running again", ours=back, peer=again, budget=0.5)


def _rewound(kernel: Kernel) -> float:
    """Seconds for the rewind and one cell after it."""
    return kernel.execute("%agent rewind here").seconds + kernel.execute("len(table)").seconds
