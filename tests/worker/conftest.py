"""A running worker for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.worker.client import Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A fresh worker process."""
    worker = Worker()
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Worker]:
    """One worker for all tests of a file, for those that leave it as they found it."""
    worker = Worker()
    yield worker
    worker.close()
