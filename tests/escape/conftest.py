"""One outer process for each user and grade, shared by all programs that do not need their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.escape.outside import Outside, refuse_ordinary

PLACES = ("namespaces", "landlock", "user-namespaces", "user-landlock")


@pytest.fixture(scope="session", params=PLACES)
def outside(request: pytest.FixtureRequest) -> Iterator[Outside]:
    """Who runs the tests, and somebody ordinary; on each grade."""
    user, _, isolation = request.param.rpartition("-")
    if user:
        refuse_ordinary()
    made = Outside(isolation, bool(user))
    yield made
    made.close()


@pytest.fixture(scope="session")
def wall_less() -> Iterator[Outside]:
    """No walls at all: the control run."""
    made = Outside("none", False)
    yield made
    made.close()
