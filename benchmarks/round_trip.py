"""`1+1`: from sending the request to reply and idle, through the whole kernel."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.kernels import both
from benchmarks.rows import Row, alternate


def rows(quick: bool) -> Iterator[Row]:
    """One row."""
    with both() as (ours, peer):
        first, second = alternate(
            lambda: ours.execute("1 + 1").seconds,
            lambda: peer.execute("1 + 1").seconds,
            20 if quick else 300,
        )
    yield Row(name="1+1 round trip", ours=first, peer=second, budget=0.6)
