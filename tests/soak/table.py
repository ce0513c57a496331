"""What a soak finds: rows of a figure before, after, and the bound it is held to."""

from __future__ import annotations

from dataclasses import dataclass

HEAD = f"{'':<44} {'before':>10} {'after':>10} {'bound':>12}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How much more there is of something; `bound` is how much more there may be."""

    name: str
    before: float
    after: float
    bound: float
    unit: str = ""

    @property
    def fits(self) -> bool:
        return self.after - self.before <= self.bound

    def __str__(self) -> str:
        figures = f"{self.before:>10,.0f} {self.after:>10,.0f} {f'+{self.bound:,.0f}':>12}"
        return f"{self.name:<44} {figures} {self.unit}{_mark(self.fits)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Something that was measured once; seconds depend on what else the machine does."""

    name: str
    value: float
    bound: float
    unit: str

    @property
    def fits(self) -> bool:
        return self.value <= self.bound

    def __str__(self) -> str:
        figures = f"{'':>10} {self.value:>10,.2f} {f'≤ {self.bound:,.2f}':>12}"
        return f"{self.name:<44} {figures} {self.unit}{_mark(self.fits)}"


def _mark(fits: bool) -> str:
    return "" if fits else "   <-- beyond the bound"
