"""What cells have shown is kept for those who come later, within bounds."""

from __future__ import annotations

from codeact_kernel.kernel.run.feeds import Feed, Feeds


def shown(text: str, *, over: bool = True) -> Feed:
    """The feed of a cell that printed this."""
    feed = Feed.of([{"output_type": "stream", "name": "stdout", "text": text}])
    if not over:
        feed.reply = None
    return feed


def cells(feeds: Feeds) -> list[str]:
    """Those something is known of."""
    return [cell for cell, _ in feeds.items()]


def test_the_oldest_are_let_go_when_all_take_too_much() -> None:
    """By number and by bytes; who is let go is told, and what is left out makes no hole."""
    feeds = Feeds(cells=3, size=100)
    for cell in "abcd":
        gone = feeds.keep(cell, shown("x" * 10))
    assert [cell for cell, _ in gone] == ["a"]
    assert cells(feeds) == ["b", "c", "d"]
    assert [cell for cell, _ in feeds.keep("e", shown("x" * 85))] == ["c", "b"]
    assert cells(feeds) == ["d", "e"]


def test_a_cell_that_goes_on_is_never_let_go() -> None:
    """However much it has shown: somebody may be looking at it."""
    feeds = Feeds(cells=1, size=10)
    feeds.keep("goes on", shown("x" * 1000, over=False))
    feeds.keep("new", shown("y" * 1000, over=False))
    assert cells(feeds) == ["goes on", "new"]


def test_a_cell_that_runs_again_has_one_feed() -> None:
    """The earlier one is let go, unless it still goes on."""
    feeds = Feeds()
    first, second = shown("1"), shown("2", over=False)
    feeds.keep("a", first)
    assert feeds.keep("a", second) == [("a", first)]
    assert feeds.keep("a", shown("3")) == []
