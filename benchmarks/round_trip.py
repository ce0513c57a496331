"""`1+1`: from sending the request to reply and idle, through the whole kernel.

Twice: cells that follow each other, as when a notebook is run, and each one after a cell of the other
kernel, which is as if the machine had done something else in between.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.kernels import both
from benchmarks.rows import Row, alternate, in_blocks

_BUDGET = 0.6
_BLOCK = 20


def rows(quick: bool) -> Iterator[Row]:
    """Two rows."""
    with both() as (ours, peer):

        def our_cell() -> float:
            return ours.execute("1 + 1").seconds

        def peer_cell() -> float:
            return peer.execute("1 + 1").seconds

        first, second = in_blocks(our_cell, peer_cell, 1 if quick else 15, _BLOCK)
        yield Row(name="1+1 round trip", ours=first, peer=second, budget=_BUDGET)
        first, second = alternate(our_cell, peer_cell, 20 if quick else 300)
        yield Row(name="1+1, after the other kernel's", ours=first, peer=second, budget=_BUDGET)
