"""How a sandbox ends: by order, by itself, by what it sends; and that nothing of it is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codeact_kernel.errors import SandboxDied, SandboxRefused
from codeact_kernel.sandbox import folder as folders
from codeact_kernel.sandbox.ended import Cause
from codeact_kernel.sandbox.layers.processes import descendants
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.process import Sandbox, launch
from codeact_kernel.sandbox.spawn import Kind, Spawned, spawn
from codeact_kernel.wire import Decoder, Frame, encode
from tests.sandbox.conftest import PROGRAMS, Start

DAEMON = """
import os, signal, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            os.setsid()
            while True:
                time.sleep(1)
        os._exit(0)
while os.waitpid(-1, 0) == 0: pass
answer = "started"
"""


def left_of(path: Path) -> list[str]:
    """The folders of sandboxes below `path`."""
    return [name for name in os.listdir(path) if name.startswith("codeact-sandbox-")]


def mounted() -> str:
    """The mounts of this process."""
    return Path("/proc/self/mounts").read_text()


async def until(true: Callable[[], object], seconds: float = 10) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "still not so"
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Does the process run, zombies aside?"""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


async def test_kill_leaves_nothing(start: Start, strict: Policy, tmp_path: Path) -> None:
    """Daemons that ignore SIGTERM, the private folder, the mounts: all gone when kill returns."""
    inside = await start(replace(strict, runtime=tmp_path))
    mounts = mounted()
    await inside.run(DAEMON)
    pids = [inside.sandbox.pid, *descendants(inside.sandbox.pid)]
    assert len(pids) > 3
    assert left_of(tmp_path)
    inside.sandbox.kill()
    inside.sandbox.kill()
    assert not any(map(alive, pids))
    assert left_of(tmp_path) == []
    assert mounted() == mounts
    assert (await inside.sandbox.closed()).cause is Cause.STOPPED


async def test_daemons_do_not_outlive_their_sandbox(start: Start, strict: Policy) -> None:
    """When the worker ends by itself, what it left running ends with it."""
    inside = await start(strict)
    await inside.run(DAEMON)
    pids = [inside.sandbox.pid, *descendants(inside.sandbox.pid)]
    inside.tell("import os; os._exit(3)")
    assert "ended" in await asyncio.wait_for(inside.ended, 10)
    await until(lambda: not any(map(alive, pids)))


async def test_a_killed_worker_is_noticed_at_once(start: Start, strict: Policy) -> None:
    """The sentence names the signal, within a fraction of a second."""
    inside = await start(strict)
    (worker, *_) = reversed(descendants(inside.sandbox.pid))
    before = time.monotonic()
    os.kill(worker, signal.SIGKILL)
    reason = await asyncio.wait_for(inside.ended, 10)
    assert time.monotonic() - before < 1
    assert "signal 9" in reason


@pytest.mark.parametrize("isolation", ["landlock", "none"])
@pytest.mark.parametrize("guardian", [0, 1], ids=["upper", "lower"])
async def test_a_killed_guardian_frees_nobody(start: Start, isolation: str, guardian: int) -> None:
    """Where no process namespace holds daemons, SIGKILL to either guardian, and its group, ends all."""
    inside = await start(replace(Policy.strict(), isolation=isolation))
    await inside.run(DAEMON)
    pids = [inside.sandbox.pid, *descendants(inside.sandbox.pid)]
    assert len(pids) > 4
    os.killpg(pids[guardian], signal.SIGKILL)
    await asyncio.wait_for(inside.ended, 10)
    await until(lambda: not any(map(alive, pids)))


@pytest.mark.parametrize("isolation", ["namespaces", "landlock", "none"])
async def test_nothing_outlives_the_one_who_started_it(isolation: str, tmp_path: Path) -> None:
    """After SIGKILL of the outer process the whole tree goes, and the next start sweeps its folder."""
    outer = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(PROGRAMS) / "starter.py"),
        isolation,
        str(tmp_path),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert outer.stdout is not None
    line = await asyncio.wait_for(outer.stdout.readline(), 30)
    pids = json.loads(line)
    assert len(pids) > 1
    os.kill(outer.pid, signal.SIGKILL)
    await outer.wait()
    await until(lambda: not any(map(alive, pids)))
    assert left_of(tmp_path)
    folders.sweep(tmp_path)
    assert left_of(tmp_path) == []


def test_the_sweep_spares_what_lives(tmp_path: Path) -> None:
    """A folder whose lock is held, and one that is not ours, stay."""
    held = folders.make(tmp_path, os.getuid(), os.getgid())
    (tmp_path / "codeact-sandbox-foreign").mkdir()
    folders.sweep(tmp_path)
    assert len(left_of(tmp_path)) == 2
    held.remove()
    assert left_of(tmp_path) == ["codeact-sandbox-foreign"]


def test_a_folder_full_of_traps_is_deleted_without_following_them(tmp_path: Path) -> None:
    """Links, forbidden folders and a very deep tree in scratch; what the links point to stays."""
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o500)
    (tmp_path / "runtime").mkdir()
    made = folders.make(tmp_path / "runtime", os.getuid(), os.getgid())
    os.symlink(kept, f"{made.scratch}/link")
    os.makedirs(f"{made.scratch}/a/b")
    os.chmod(f"{made.scratch}/a/b", 0)
    os.chmod(f"{made.scratch}/a", 0)
    top = os.open(made.scratch, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=top)
        below = os.open("d", os.O_RDONLY, dir_fd=top)
        os.close(top)
        top = below
    os.close(top)
    made.remove()
    assert left_of(tmp_path / "runtime") == []
    assert kept.stat().st_mode & 0o777 == 0o500


async def test_bytes_that_are_no_frame_end_it(start: Start) -> None:
    """What follows a malformed frame is not read: the sandbox is given up, with the reason."""
    inside = await start(Policy.strict())
    inside.tell("wire.sendall(b'\\xff' * 64)")
    assert "not a frame" in await asyncio.wait_for(inside.ended, 10)
    with pytest.raises(SandboxDied, match="not a frame"):
        inside.sandbox.send({"t": "run"})


async def test_many_and_large_frames_arrive_whole_and_in_order(start: Start) -> None:
    """Sending never blocks, whatever the sandbox is doing meanwhile."""
    inside = await start(Policy.notebook())
    inside.tell("import time; time.sleep(0.3); seen = []; answer = 'slept'")
    for number in range(200):
        inside.tell(f"seen.append({number})")
    inside.tell(f"big = {'x' * 3_000_000!r}")
    inside.tell("answer = [len(seen), seen == sorted(seen), len(big)]")
    assert [await inside.answer() for _ in range(203)][-1] == [200, True, 3_000_000]


async def test_frames_before_listening_are_not_lost() -> None:
    """What the worker says between the self-test and `listen` is delivered first."""
    sandbox = await launch(Policy.strict(), {}, module="early_worker")
    await asyncio.sleep(0.3)
    said: list[str] = []
    ended = asyncio.get_running_loop().create_future()
    sandbox.listen(lambda frame: said.append(frame.type), ended.set_result)
    await asyncio.wait_for(ended, 10)
    assert said == [f"early{number}" for number in range(5)]


async def test_an_early_sandbox_is_used(start: Start) -> None:
    """`launch` takes over what `spawn` started, and judges it all the same."""
    policy = Policy.strict()
    early = spawn(policy, {}, module="early_worker")
    sandbox = await launch(policy, {}, early, module="early_worker")
    assert sandbox.pid == early.process.pid
    assert sandbox.grade == "namespaces"
    sandbox.kill()


async def test_a_sandbox_that_cannot_start_is_refused_with_its_words(tmp_path: Path) -> None:
    """No module, no folder, no backend: one sentence, nothing left running or lying about."""
    with pytest.raises(SandboxRefused, match="cannot be made"):
        await launch(replace(Policy.strict(), runtime=tmp_path / "missing"), {})
    policy = replace(Policy.strict(), isolation="namespaces", runtime=tmp_path, uid=2**31)
    with contextlib.suppress(SandboxRefused):
        (await launch(policy, {}, module=None)).kill()
    assert left_of(tmp_path) == []


def sleeping() -> subprocess.Popen[bytes]:
    """A process that does nothing."""
    return subprocess.Popen(["sleep", "60"])


async def test_who_goes_on_writing_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """The process is gone, somebody else has its end of the wire and writes faster than is read."""
    real = await launch(Policy.strict(), {}, module="probe_worker")
    real.kill()
    process = sleeping()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    folder = folders.make(tmp_path, os.getuid(), os.getgid())
    policy = replace(Policy.strict(), isolation="none")
    report = replace(real.report, memory_guard="none")
    sandbox = Sandbox(Spawned(process, ours, Kind("none"), policy, folder), report, Decoder(), ())
    line = b"".join(bytes(piece) for piece in encode({"t": "flood"}, [bytes(100_000)]))
    seen = 0

    def write_on(_: Frame) -> None:
        nonlocal seen
        seen += 1
        if seen < 1000:
            theirs.send(line)

    ended = asyncio.get_running_loop().create_future()
    theirs.send(line)
    process.kill()
    process.wait()
    sandbox.listen(write_on, ended.set_result)
    assert "signal 9" in str(await asyncio.wait_for(ended, 10))
    assert seen < 1000
    theirs.close()
