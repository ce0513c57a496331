"""A little of what `scripts/soak` does at length: nothing grows, nothing gets lost."""

from __future__ import annotations

from pathlib import Path

from tests.soak.soak import SHORT, soak


def test_a_kernel_that_is_used_does_not_grow(tmp_path: Path) -> None:
    """Memory, descriptors, processes, files and control groups stay within the bounds; seconds are not judged."""
    rows = list(soak(tmp_path, SHORT))
    assert [str(row) for row in rows if not row.fits and row.unit != "s"] == []
