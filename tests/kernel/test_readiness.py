"""What a first question takes seconds for begins while the task is being written."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from codeact_kernel.kernel.run.readiness import Readiness
from tests.kernel.boxes import obedient
from tests.kernel.conftest import started
from tests.kernel.test_panel import example, opens, told
from tests.kernel.test_panel_requests import asks


def loads(configured: str, *typed: str) -> int:
    """How often these texts of cells begin it."""
    begun: list[None] = []
    readiness = Readiness(configured, lambda: begun.append(None))
    for code in typed:
        readiness.typed(code)
    return len(begun)


@pytest.mark.parametrize(
    ("configured", "code", "begins"),
    [
        ("openai/one", "%%agent", True),
        ("openai/one", "\n%agent --steps 3 count", True),
        ("", "%%agent --model openai/one\ncount", True),
        ("", "%%agent count", False),
        ("openai/one", "# %%agent", False),
        ("openai/one", "%%agents", False),
        ("openai/one", "%%agent --model replay/a.ipynb\ncount", False),
        ("replay/a.ipynb", "%%agent", False),
    ],
)
def test_only_a_task_for_a_provider_begins_it(configured: str, code: str, begins: bool) -> None:
    """Ordinary cells and replays need none of it."""
    assert bool(loads(configured, code)) is begins


def test_it_begins_once() -> None:
    """However much is typed."""
    assert loads("openai/one", "%%agent c", "%%agent co", "%%agent cou") == 1


async def test_typing_and_the_panel_begin_it(tmp_path: Path) -> None:
    """A completion in the middle of a task is enough, and so is the request of a front end."""
    begun = threading.Event()
    for way in ("typing", "asking"):
        begun.clear()
        folder = tmp_path / way
        folder.mkdir()
        async with started(folder, script=obedient, load_provider=begun.set) as front:
            opens(front, "c", overrides={"model": "openai/one"})
            await told(front, "c")
            if way == "typing":
                front.client.complete("%%agent --model openai/one\ncount the li", 38)
            else:
                asks(front, "c", example("request_prepare"))
            assert await asyncio.to_thread(begun.wait, 10)
