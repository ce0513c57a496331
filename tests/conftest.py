"""Shared by all rooms: what pytest needs to know. Fixtures live in each room's own conftest.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from tests.virtual_time import VirtualTime


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests marked `virtual_time` have its loop, all others the usual one."""
    marked = item.get_closest_marker("virtual_time") is not None
    return {"loop": VirtualTime if marked else asyncio.new_event_loop}
