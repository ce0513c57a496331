"""What a measurement gives: one row, two medians and their ratio, or one figure with its own bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Samples of both sides in seconds, taken alternately. `budget`: the ratio aimed at."""

    name: str
    ours: Sequence[float]
    peer: Sequence[float]
    budget: float
    note: str = ""

    @property
    def ratio(self) -> float:
        return median(self.ours) / median(self.peer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Samples in `unit`. `budget` is in the same unit; `peer`, where there is one, for comparison."""

    name: str
    ours: Sequence[float]
    budget: float
    unit: str
    peer: Sequence[float] = ()
    note: str = ""


def alternate(
    ours: Callable[[], float], peer: Callable[[], float], times: int
) -> tuple[list[float], list[float]]:
    """Both measurements, `times` each, in turn, so that a busy moment of the machine meets both."""
    pairs = [(ours(), peer()) for _ in range(times)]
    return [first for first, _ in pairs], [second for _, second in pairs]


def in_blocks(
    ours: Callable[[], float], peer: Callable[[], float], blocks: int, size: int
) -> tuple[list[float], list[float]]:
    """As `alternate`, but `size` measurements of one follow each other, as cells of one notebook do.

    In turn each one is made with the caches of the processor full of the other.
    """
    pairs = [([ours() for _ in range(size)], [peer() for _ in range(size)]) for _ in range(blocks)]
    return [each for first, _ in pairs for each in first], [
        each for _, second in pairs for each in second
    ]


def line(row: Row | Figure) -> str:
    """The row as a line of the table."""
    if isinstance(row, Row):
        first, second = milliseconds(row.ours), milliseconds(row.peer)
        rest = f"{row.ratio:>7.2f} ×  {row.budget:>5.2f} ×"
    else:
        first, second = (_figure(samples, row.unit) for samples in (row.ours, row.peer))
        rest = f"{'':>7}    {row.budget:>5,.0f} {row.unit}"
    note = f"  {row.note}" if row.note else ""
    return f"{row.name:<38} {first:>14} {second:>11} {rest}{note}"


def milliseconds(samples: Sequence[float]) -> str:
    return f"{median(samples) * 1000:.2f} ms"


def _figure(samples: Sequence[float], unit: str) -> str:
    if not samples:
        return "–"
    value = median(samples)
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.1f} {unit}"


HEAD = f"{'median of':<38} {'codeact':>14} {'ipykernel':>11} {'ratio':>9}  {'budget':>7}"
