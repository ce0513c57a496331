"""Output: many small pieces and one large one, until reply and idle; what got lost is counted."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.kernels import Done, both
from benchmarks.rows import Row

LINES, DISPLAY = 5_000, 20_000_000
PRINT = f"for i in range({LINES}): print(i, flush=True)"
SHOW = f"display({{'text/plain': 'x' * {DISPLAY}}}, raw=True)"


def rows(quick: bool) -> Iterator[Row]:
    """Two rows."""
    times = 2 if quick else 7
    with both() as (ours, peer):
        yield row(
            "5,000 flushed lines",
            0.3,
            [(lines(ours.execute(PRINT)), lines(peer.execute(PRINT))) for _ in range(times)],
        )
        yield row(
            "20 MB display",
            1.1,
            [(display(ours.execute(SHOW)), display(peer.execute(SHOW))) for _ in range(times)],
        )


def row(name: str, budget: float, pairs: list[tuple[tuple[float, int], tuple[float, int]]]) -> Row:
    """The seconds of both sides; what either lost goes into the note."""
    lost = [sum(pair[side][1] for pair in pairs) for side in (0, 1)]
    return Row(
        name=name,
        ours=[ours[0] for ours, _ in pairs],
        peer=[peer[0] for _, peer in pairs],
        budget=budget,
        note=f"lost: codeact {lost[0]}, ipykernel {lost[1]}" if any(lost) else "",
    )


def lines(done: Done) -> tuple[float, int]:
    """Seconds, and how many lines did not arrive."""
    text = "".join(m["content"]["text"] for m in done.published if m["msg_type"] == "stream")
    return done.seconds, LINES - text.count("\n")


def display(done: Done) -> tuple[float, int]:
    """Seconds, and how many bytes did not arrive."""
    shown = [m["content"]["data"] for m in done.published if m["msg_type"] == "display_data"]
    return done.seconds, DISPLAY - sum(len(data["text/plain"]) for data in shown)
