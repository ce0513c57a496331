"""What a measurement gives: one row, two medians and their ratio."""

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


def alternate(
    ours: Callable[[], float], peer: Callable[[], float], times: int
) -> tuple[list[float], list[float]]:
    """Both measurements, `times` each, in turn, so that a busy moment of the machine meets both."""
    pairs = [(ours(), peer()) for _ in range(times)]
    return [first for first, _ in pairs], [second for _, second in pairs]


def line(row: Row) -> str:
    """The row as a line of the table."""
    note = f"  {row.note}" if row.note else ""
    return (
        f"{row.name:<34} {milliseconds(row.ours):>10} {milliseconds(row.peer):>10}"
        f" {row.ratio:>7.2f} ×  {row.budget:>5.2f} ×{note}"
    )


def milliseconds(samples: Sequence[float]) -> str:
    return f"{median(samples) * 1000:.2f} ms"


HEAD = f"{'median of':<34} {'codeact':>10} {'ipykernel':>10} {'ratio':>9}  {'budget':>7}"
