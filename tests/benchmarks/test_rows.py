"""The benchmarks measure what they say. No figure is tested here: a loaded machine would fail it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rows import Figure, Row, alternate, line

ROOT = Path(__file__).parents[2]


def test_a_ratio_is_of_the_medians() -> None:
    """One slow sample on either side does not move the ratio."""
    row = Row(name="x", ours=[1.0, 1.0, 9.0], peer=[2.0, 90.0, 2.0], budget=0.6)
    assert row.ratio == 0.5
    assert "0.50 ×" in line(row)


def test_a_figure_has_a_bound_of_its_own() -> None:
    """In its own unit; a peer is shown where there is one, and there is no ratio."""
    assert line(Figure(name="x", ours=[3.0, 1.0, 2.0], budget=70, unit="MiB")).split() == [
        *("x", "2.0", "MiB", "–", "70", "MiB")
    ]


def test_both_sides_are_measured_in_turn() -> None:
    """Ours, peer, ours, peer: a busy moment of the machine meets both."""
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return 1.0

    assert alternate(lambda: side("ours"), lambda: side("peer"), 2) == ([1.0, 1.0], [1.0, 1.0])
    assert order == ["ours", "peer", "ours", "peer"]


@pytest.mark.timeout(300)
def test_quick_run_prints_a_ratio_for_every_row() -> None:
    """`python -m benchmarks --quick` starts both kernels, and every row ends in two ratios."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    for name in ("standby → result with libraries", "idle memory, nothing imported"):
        assert re.search(rf"^{re.escape(name)} .* \d+ (ms|MiB)$", done.stdout, re.MULTILINE), name
    names = ["1+1 round trip", "start → kernel_info reply", "start → first result"]
    for name in [*names, "5,000 flushed lines", "20 MB display"]:
        assert re.search(rf"^{re.escape(name)} .* \d+\.\d\d × ", done.stdout, re.MULTILINE), name
