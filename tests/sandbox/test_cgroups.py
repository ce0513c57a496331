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
