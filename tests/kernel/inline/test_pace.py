"""How often is drawn."""

from __future__ import annotations

import asyncio

from codeact_kernel.kernel.inline.pace import Pace


async def test_the_first_and_the_last_are_drawn() -> None:
    """A burst is drawn once at its beginning and once behind it, whatever its size."""
    wishes = 0
    drawn: list[int] = []
    twice = asyncio.Event()

    def draw() -> None:
        drawn.append(wishes)
        if len(drawn) == 2:
            twice.set()

    pace = Pace(draw, seconds=0.05)
    for wishes in range(100):  # noqa: B007 -- it is what is drawn
        pace.wish()
    assert drawn == [0]
    await asyncio.wait_for(twice.wait(), 5)
    assert drawn == [0, 99]
    pace.stop()
    pace.wish()
    assert drawn == [0, 99]


async def test_it_beats_by_itself() -> None:
    """A clock goes on when nothing else happens."""
    left = 3
    enough = asyncio.Event()

    def draw() -> None:
        nonlocal left
        left -= 1
        if not left:
            enough.set()

    pace = Pace(draw, seconds=0.01, beat=0.02)
    pace.wish()
    await asyncio.wait_for(enough.wait(), 5)
    pace.stop()
