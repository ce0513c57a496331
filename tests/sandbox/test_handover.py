"""A sandbox that stood by goes from one kernel to the next, once, and to nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from codeact_kernel.sandbox import cgroups, handover, usage
from codeact_kernel.sandbox.ended import Cause
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.process import launch
from codeact_kernel.sandbox.spawn import Kind, Spawned
from codeact_kernel.sandbox.warm import warm_up
from tests.e2e.conftest import gone
from tests.sandbox.conftest import SYSTEM_PYTHON, UID, Inside

CONFIG: dict[str, object] = {"preload": []}
ASK = """
import socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as channel:
    channel.connect(sys.argv[1].encode().decode("unicode_escape"))
    print(channel.recv(10))
"""
TAKE = """
import os, sys
from pathlib import Path
from codeact_kernel.sandbox import handover
from codeact_kernel.sandbox.policy import Policy
from dataclasses import replace
policy = replace(Policy.strict(), runtime=Path(sys.argv[2]))
print(handover.take(policy, "this", Path(sys.argv[1])) is not None, flush=True)
os.kill(os.getpid(), 9)
"""
Leave = Callable[..., Awaitable[list[int]]]


def exists(note: Path) -> bool:
    """Is there something to be had?"""
    return note.exists()


def left(policy: Policy) -> list[str]:
    """What sandboxes have left of their folders."""
    return os.listdir(policy.runtime)


def asked_by(uid: int, note: Path) -> str:
    """What another user gets who knows the address."""
    address = json.loads(note.read_text())["address"].replace("\0", "\\0")
    return subprocess.run(
        [SYSTEM_PYTHON, "-c", ASK, address],
        user=uid,
        group=uid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def took_and_died(note: Path, runtime: Path) -> str:
    """Has it been taken by a process that is no more?"""
    return subprocess.run(
        [sys.executable, "-c", TAKE, note, runtime], capture_output=True, text=True, check=False
    ).stdout


def is_private(path: Path) -> bool:
    """Can nobody else look at it?"""
    return path.stat().st_mode & 0o077 == 0


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    """Whose sandboxes leave their folders in a place of their own."""
    (tmp_path / "run").mkdir()
    return replace(Policy.strict(), runtime=tmp_path / "run")


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """Where it is said what there is."""
    return tmp_path / "state/standby/kernel-1.json"


@pytest.fixture
def leave(policy: Policy, note: Path) -> Iterator[Leave]:
    """Leaves one, as a kernel does that ends; its processes, the keeper first."""
    ours: list[Spawned] = []

    async def _leave(made: str, seconds: float = 30, isolation: str = "namespaces") -> list[int]:
        kind = Kind("bubblewrap" if isolation == "namespaces" else isolation)
        wanted = replace(policy, isolation=isolation)
        spawned = await warm_up(wanted, CONFIG, kind, 30, module="probe_worker")
        ours.append(spawned)
        processes = usage.tree(spawned.process.pid)
        assert handover.leave(spawned, made, note, seconds)
        while not exists(note):
            assert spawned.process.poll() is None
        return processes

    yield _leave
    for spawned in ours:
        spawned.process.wait(30)


@pytest.mark.parametrize("isolation", ["namespaces", "landlock", "none"])
async def test_the_next_kernel_has_it_whole(
    leave: Leave, policy: Policy, note: Path, isolation: str
) -> None:
    """It is finished, tested and judged as any other; its end and its exit code are seen; nothing is left."""
    processes = await leave("this", isolation=isolation)
    policy = replace(policy, isolation=isolation)
    spawned = handover.take(policy, "this", note)
    assert spawned is not None
    assert not exists(note)
    sandbox = await launch(policy, CONFIG, spawned, module="probe_worker")
    assert sandbox.pid == processes[0]
    guard = "cgroup" if cgroups.parents() else "watchdog"
    assert sandbox.report.memory_guard == ("none" if isolation == "none" else guard)
    assert sandbox.kind.backend == {"namespaces": "bubblewrap"}.get(isolation, isolation)
    inside = Inside(sandbox)
    assert await inside.run("answer = 6 * 7") == 42
    inside.tell("import os; os._exit(3)")
    assert "3" in await inside.ended
    assert gone(processes)
    assert not left(policy)


async def test_another_one_than_is_wanted_is_ended(
    leave: Leave, policy: Policy, note: Path
) -> None:
    """What it was made for is compared to the letter; nothing is left of one that does not fit."""
    processes = await leave("this")
    assert handover.take(policy, "that", note) is None
    assert gone(processes)
    assert not left(policy)
    assert not exists(note)


async def test_it_ends_when_nobody_comes(leave: Leave, policy: Policy, note: Path) -> None:
    """Within the seconds it is kept for, and takes the note away."""
    processes = await leave("this", seconds=0.2)
    assert gone(processes)
    assert not exists(note)
    assert handover.take(policy, "this", note) is None


@pytest.mark.parametrize("note_says", ["", "[]", '{"address": "\\u0000another"}'])
def test_a_note_that_is_none_leads_nowhere(policy: Policy, note: Path, note_says: str) -> None:
    """Whatever lies there in its place: the kernel starts as it would without."""
    note.parent.mkdir(parents=True)
    note.write_text(note_says)
    assert handover.take(policy, "this", note) is None


async def test_it_is_given_once(leave: Leave, policy: Policy, note: Path) -> None:
    """Who comes second finds nothing, and who has it can end it by ending."""
    processes = await leave("this")
    copy = note.with_name("copy")
    os.link(note, copy)
    spawned = handover.take(policy, "this", note)
    assert spawned is not None
    assert handover.take(policy, "this", copy) is None
    spawned.kill()
    assert gone(processes)


async def test_it_ends_with_whoever_took_it(leave: Leave, policy: Policy, note: Path) -> None:
    """However that ends: the keeper sees the line to it close."""
    processes = await leave("this")
    assert took_and_died(note, policy.runtime) == "True\n"
    assert gone(processes)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become somebody else")
async def test_another_user_gets_nothing(leave: Leave, policy: Policy, note: Path) -> None:
    """Whoever knows the address but is somebody else is turned away; the kernel comes in after that."""
    await leave("this")
    assert is_private(note)
    assert is_private(note.parent)
    assert asked_by(UID, note) == "b''\n"
    spawned = handover.take(policy, "this", note)
    assert spawned is not None
    spawned.kill()


async def test_it_ends_with_the_kernel_that_left_nothing(policy: Policy) -> None:
    """One that was killed had no time to say who comes next."""
    spawned = await warm_up(policy, CONFIG, Kind("bubblewrap"), 30, module="probe_worker")
    processes = usage.tree(spawned.process.pid)
    assert spawned.keeper is not None
    spawned.keeper.close()
    assert gone(processes)
    spawned.kill()


async def test_its_keeper_can_be_killed(policy: Policy) -> None:
    """Nothing goes on without it."""
    spawned = await warm_up(policy, CONFIG, Kind("bubblewrap"), 30, module="probe_worker")
    sandbox = await launch(policy, CONFIG, spawned, module="probe_worker")
    inside, processes = Inside(sandbox), usage.tree(sandbox.pid)
    os.kill(sandbox.pid, 9)
    await inside.ended
    assert inside.cause is Cause.KILLED
    assert gone(processes)
