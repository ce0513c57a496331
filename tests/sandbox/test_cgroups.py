"""Control groups: made for each sandbox, joined by all of it, gone with it whatever happens."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from codeact_kernel.sandbox import cgroups
from codeact_kernel.sandbox.cgroups import Group
from codeact_kernel.sandbox.policy import MIB, Policy
from tests.sandbox.conftest import PROGRAMS, Start
from tests.sandbox.test_end import until


@pytest.fixture
def group() -> Iterator[Group]:
    """One with the limits of a small policy."""
    made = cgroups.make(replace(Policy.strict(), memory=128 * MIB, processes=20, cpus=0.5))
    if made is None:
        pytest.skip("no control group can be made here")
    yield made
    made.remove()


def groups_of(pid: int) -> list[str]:
    """The groups of ours that a process is in."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return [line for line in lines if "codeact-sandbox-" in line]


def folders_like(name: str) -> list[Path]:
    """The group's folders, in every hierarchy."""
    return [path for _, _, folder in cgroups.parents() if (path := Path(folder, name)).is_dir()]


def test_a_group_has_the_policys_limits(group: Group) -> None:
    """Memory and processes always, processors when asked for; its locks keep a sweep away."""
    assert group.memory_kills() == 0
    assert group.tasks() in (0, None)
    assert not group.is_joined()
    cgroups.sweep()
    assert all(map(os.path.isdir, group.folders.values()))
    if group.version == 1:
        memory, pids, cpu = (group.folders[name] for name in ("memory", "pids", "cpu"))
        assert Path(memory, "memory.limit_in_bytes").read_text() == f"{128 * MIB}\n"
        assert Path(pids, "pids.max").read_text() == "20\n"
        assert Path(cpu, "cpu.cfs_quota_us").read_text() == "50000\n"
    group.remove()
    group.remove()
    assert not any(map(os.path.isdir, group.folders.values()))


def delegated(folder: Path) -> str:
    """A version 2 hierarchy made of plain files, as systemd hands one on; what /proc says of us in it."""
    for path, controllers in (
        ("a", "cpu memory pids"),
        ("a/slice", "memory pids"),
        ("a/slice/we", ""),
    ):
        (folder / path).mkdir()
        (folder / path / "cgroup.procs").touch()
        (folder / path / "cgroup.subtree_control").write_text(f"{controllers}\n")
    about = folder / "about"
    about.mkdir()
    (about / "cgroup").write_text("0::/a/slice/we\n")
    (about / "mountinfo").write_text(f"30 23 0:26 / {folder} rw,nosuid - cgroup2 cgroup2 rw\n")
    return str(about)


def test_version_2_beside_us_where_it_is_handed_on(tmp_path: Path) -> None:
    """The nearest group above ours that hands on memory; its limits, and what is read back from it."""
    rows = next(cgroups.version_2(delegated(tmp_path)))
    assert rows == tuple((2, name, f"{tmp_path}/a/slice") for name in ("memory", "pids"))
    group = cgroups.make_in(rows, replace(Policy.strict(), memory=128 * MIB, processes=20))
    assert group is not None
    place = Path(group.folders["memory"])
    assert place.parent == tmp_path / "a/slice"
    written = {path.name: path.read_text() for path in place.iterdir()}
    assert written == {
        "memory.max": str(128 * MIB),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "20",
    }
    for name, text in {
        "memory.events": "low 0\nmax 7\noom 1\noom_kill 2\n",
        "memory.current": "4096\n",
        "pids.current": "3\n",
        "cgroup.procs": "17\n",
    }.items():
        (place / name).write_text(text)
    assert (group.memory_kills(), group.memory(), group.tasks()) == (2, 4096, 3)
    assert group.is_joined()


def test_nothing_is_made_where_version_2_hands_on_no_memory(tmp_path: Path) -> None:
    """As on most machines that are no systemd session: the watchdog stands in."""
    about = delegated(tmp_path)
    for path in ("a", "a/slice"):
        (tmp_path / path / "cgroup.subtree_control").write_text("pids\n")
    assert list(cgroups.version_2(about)) == []


def test_version_2_is_entered_and_killed_as_a_whole() -> None:
    """In this machine's own hierarchy, whatever controllers it has: a daemon in it ends with it."""
    lines = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    roots = [line[1] for line in lines if line[2] == "cgroup2" and os.access(line[1], os.W_OK)]
    if not roots:
        pytest.skip("no writable hierarchy of version 2")
    place = Path(roots[0], f"codeact-sandbox-{os.urandom(8).hex()}")
    try:
        place.mkdir()
    except OSError as error:
        pytest.skip(f"no group of version 2 can be made here: {error}")
    group = Group(2, {"memory": str(place)})
    with group.doors() as (door,):
        program = (
            f"import os, time; os.write({door}, b'0'); os.fork(); os.setsid(); time.sleep(1000)"
        )
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", program], pass_fds=(door,), start_new_session=True
        )
        while len((place / "cgroup.procs").read_text().split()) < 2:
            assert child.poll() is None
    assert group.is_joined()
    group.remove()
    assert child.wait(10) == -signal.SIGKILL
    assert not place.exists()


async def test_all_of_a_sandbox_is_in_it_and_it_goes_with_it(start: Start, strict: Policy) -> None:
    """Seen from inside and from outside; after the end no folder of it is left."""
    inside = await start(strict)
    if inside.sandbox.report.memory_guard != "cgroup":
        pytest.skip("no control group can be made here")
    names = await inside.run("answer = open('/proc/self/cgroup').read().split()")
    (name, *_) = {Path(line).name for line in names if "codeact-sandbox-" in line}
    assert folders_like(name)
    inside.sandbox.kill()
    assert folders_like(name) == []


async def test_what_a_killed_kernel_left_is_swept(tmp_path: Path) -> None:
    """After SIGKILL of the outer process the group is empty, and the next start takes it away."""
    outer = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(PROGRAMS) / "starter.py"),
        "namespaces",
        str(tmp_path),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert outer.stdout is not None
    pids = json.loads(await asyncio.wait_for(outer.stdout.readline(), 30))
    joined = groups_of(pids[-1])
    os.kill(outer.pid, signal.SIGKILL)
    await outer.wait()
    if not joined:
        pytest.skip("no control group can be made here")
    name = Path(joined[0]).name
    assert folders_like(name)

    def swept() -> bool:
        cgroups.sweep()
        return not folders_like(name)

    await until(swept)
