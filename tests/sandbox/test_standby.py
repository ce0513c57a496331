"""The sandbox that stands by: made for exactly what is wanted when it is taken, or thrown away."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from codeact_kernel.sandbox import usage
from codeact_kernel.sandbox.ended import Ended
from codeact_kernel.sandbox.policy import GIB, MIB, Policy
from codeact_kernel.sandbox.process import Sandbox, launch
from codeact_kernel.sandbox.spawn import Kind, Spawned
from codeact_kernel.sandbox.standby import Standby
from codeact_kernel.wire import Frame

KIND = Kind("bubblewrap")
CONFIG = {"preload": ["colorsys"]}
"""Quick to import, and not there without it."""


class Make(Protocol):
    """Makes owners of one."""

    def __call__(self, policy: Policy, budget: int = GIB, preload: str = "colorsys") -> Standby: ...


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Owners of one, all closed in the end; nothing of their sandboxes is left."""
    made: list[Standby] = []

    def _make(policy: Policy, budget: int = GIB, preload: str = "colorsys") -> Standby:
        policy = replace(policy, runtime=tmp_path / "run")
        made.append(Standby(policy, {"preload": [preload]}, budget))
        made[-1].follow(KIND)
        return made[-1]

    (tmp_path / "run").mkdir()
    yield _make
    for standby in made:
        standby.close()
    assert not list((tmp_path / "run").glob("codeact-sandbox-*"))


async def first_frame(sandbox: Sandbox) -> Frame:
    """What the kernel inside says first."""
    heard: asyncio.Queue[Frame] = asyncio.Queue()
    ended: asyncio.Queue[Ended] = asyncio.Queue()
    sandbox.listen(heard.put_nowait, ended.put_nowait)
    return await asyncio.wait_for(heard.get(), 10)


async def taken(standby: Standby) -> Spawned:
    """One that was made and is what is wanted; somebody else may be installing packages meanwhile."""
    for _ in range(3):
        await standby.prepare()
        assert standby.waits
        if (spawned := await standby.take()) is not None:
            return spawned
    raise AssertionError("none is ever what is wanted")


async def test_one_is_made_and_used_once(make: Make, workspace: Path) -> None:
    """It has done its imports and waits; whoever takes it gets it, once, and it passes its self-test."""
    standby = make(Policy.notebook(workspace))
    assert await standby.take() is None
    spawned = await taken(standby)
    sandbox = await launch(spawned.policy, CONFIG, spawned)
    try:
        assert sandbox.pid == spawned.process.pid
        assert sandbox.report.workspace == "rw"
        assert (await first_frame(sandbox)).type == "ready"
        assert await standby.take() is None
        second = await taken(standby)
        assert second.process.pid != sandbox.pid
        second.kill()
    finally:
        sandbox.kill()


@pytest.mark.parametrize(
    "change",
    [
        lambda work, packages: (work / ".envrc").write_text("KEY=secret"),
        lambda work, packages: (work / "another.ipynb").write_text("{}"),
        lambda work, packages: (packages / "installed.py").write_text(""),
    ],
    ids=["a secret more", "a notebook more", "a package more"],
)
async def test_one_that_was_made_for_something_else_is_not_used(
    make: Make,
    workspace: Path,
    tmp_path: Path,
    change: Callable[[Path, Path], object],
) -> None:
    """What has to be hidden or protected now was not when it was made, or it imported what is old.

    When there is time again, one is made for what is wanted now.
    """
    packages = tmp_path / "packages"
    packages.mkdir()
    sys.path.append(str(packages))
    try:
        standby = make(Policy.notebook(workspace))
        await standby.prepare()
        change(workspace, packages)
        assert await standby.take() is None
        assert not standby.waits
        await standby.prepare()
        for path in (packages / "installed.py", workspace / ".envrc", workspace / "another.ipynb"):
            path.unlink(missing_ok=True)
        (await taken(standby)).kill()
    finally:
        sys.path.remove(str(packages))


async def test_one_that_ended_is_not_used(make: Make) -> None:
    """It may have been killed while it waited."""
    standby = make(Policy.strict())
    others = {*usage.tree(os.getpid())}
    await standby.prepare()
    for pid in reversed(usage.tree(os.getpid())):
        if pid not in others:
            with suppress(ProcessLookupError):  # it ended with one of those before
                os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while standby.waits:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.01)
    assert await standby.take() is None


async def test_no_other_is_made_after_one_took_too_much(make: Make) -> None:
    """The budget holds after the imports are done."""
    standby = make(Policy.strict(), budget=MIB)
    for _ in range(2):
        await standby.prepare()
        assert not standby.waits


async def test_what_was_wanted_is_told(make: Make) -> None:
    """Whoever asks in vain, too, has it refilled; one in the making is given up for a new one."""
    standby = make(Policy.strict())
    wanted: list[None] = []
    standby.on_taken = lambda: wanted.append(None)
    making = asyncio.ensure_future(standby.prepare())
    await asyncio.sleep(0)
    assert await standby.take() is None
    await making
    assert not standby.waits
    assert len(wanted) == 1


async def test_nothing_is_left_of_one_that_was_not_finished(make: Make, tmp_path: Path) -> None:
    """Whoever stops waiting for it stops it."""
    making = asyncio.ensure_future(make(Policy.strict()).prepare())
    while not list((tmp_path / "run").glob("codeact-sandbox-*")):  # noqa: ASYNC110 - nobody is told of it
        await asyncio.sleep(0)
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert not list((tmp_path / "run").glob("codeact-sandbox-*"))


async def test_none_is_made_before_it_is_known_what_it_may_replace(make: Make) -> None:
    """It is to be what the one in use is, not more and not less; of another one none is kept."""
    standby = make(Policy.strict())
    standby.follow(Kind("no such backend"))
    await standby.prepare()
    assert not standby.waits
    standby.follow(KIND)
    await standby.prepare()
    assert standby.waits
    standby.follow(Kind("namespaces", ("bubblewrap: it did not hold",)))
    assert not standby.waits


async def test_sources_that_are_being_worked_on_are_imported_anew(
    make: Make, tmp_path: Path
) -> None:
    """A package that is not installed but edited in place would be there as it was before."""
    package = tmp_path / "checkout/edited_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("before = 1")
    sys.path.append(str(package.parent))
    try:
        standby = make(Policy.strict(), preload="edited_package")
        await standby.prepare()
        assert standby.waits
        (package / "part.py").write_text("after = 1")
        assert await standby.take() is None
    finally:
        sys.path.remove(str(package.parent))
