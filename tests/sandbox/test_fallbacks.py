"""Where bubblewrap fails: the same walls by our own hand; where no namespaces can be had: Landlock."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from codeact_kernel.errors import SandboxRefused
from codeact_kernel.sandbox.ended import Cause
from codeact_kernel.sandbox.layers.processes import descendants
from codeact_kernel.sandbox.policy import MIB, Policy
from codeact_kernel.sandbox.process import launch
from tests.sandbox.conftest import UID, Start, break_bwrap, ran, ran_as_ordinary
from tests.sandbox.test_end import DAEMON, alive, left_of, until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workspace: Path) -> Policy:
    """A policy that leads to namespaces of our own."""
    monkeypatch.setenv("PATH", break_bwrap(tmp_path / "bin"))
    return replace(
        Policy.strict(workspace),
        isolation="namespaces",
        workspace_mode="rw",
        tmp_size=8 * MIB,
        scratch_size=16 * MIB,
        memory=256 * MIB,
    )


async def test_our_own_namespaces_hold(start: Start, own: Policy, workspace: Path) -> None:
    """The grade, bubblewrap's own words, and each wall tried by code inside."""
    inside = await start(own)
    report = inside.sandbox.report
    assert (report.backend, inside.sandbox.grade) == ("namespaces", "namespaces")
    assert any("No permissions" in note for note in report.notes)
    seen = await inside.run(
        f"""
        import os, socket, multiprocessing, pty
        def tried(attempt):
            try:
                return attempt() or "done"
            except OSError as error:
                return type(error).__name__
        answer = {{
            "host": tried(lambda: open("/etc/hostname").read()),
            "tests": tried(lambda: os.listdir({str(workspace.parent)!r}) == ["work"]),
            "socket": tried(socket.socket),
            "processes": [name for name in os.listdir("/proc") if name.isdigit()],
            "root": tried(lambda: open("/new", "x")),
            "usr": tried(lambda: open("/usr/new", "x")),
            "sysctl": tried(lambda: open("/proc/sys/kernel/hostname", "w")),
            "device": tried(lambda: open("/dev/kmsg")),
            "secret": tried(lambda: open(".env").read()),
            "notebook": tried(lambda: open("notebook.ipynb", "a")),
            "data": tried(lambda: open("data.csv").read()),
            "write": tried(lambda: open("new", "x").close()),
            "name": os.uname().nodename,
            "lock": tried(lambda: multiprocessing.Lock().acquire()),
            "terminal": tried(lambda: [os.close(end) for end in os.openpty()] and "done"),
            "user": tried(lambda: open("/etc/passwd").read().partition(":")[0]),
        }}
        for place in ("/tmp", "/dev/shm", "/scratch"):
            answer[place] = tried(lambda: open(place + "/big", "wb").write(bytes(20 << 20)))
        """
    )
    assert seen == {
        "host": "FileNotFoundError",
        "tests": True,
        "socket": "OSError",
        "processes": ["1"],
        "root": "OSError",
        "usr": "OSError",
        "sysctl": "OSError",
        "device": "FileNotFoundError",
        "secret": "PermissionError",
        "notebook": "OSError",
        "data": "a,b\n1,2\n",
        "write": "done",
        "name": "sandbox",
        "lock": True,
        "terminal": "done",
        "user": "sandbox",
        "/tmp": "OSError",  # noqa: S108 - the one inside
        "/dev/shm": "OSError",  # noqa: S108
        "/scratch": "OSError",
    }
    assert (workspace / "new").stat().st_uid == os.getuid()


def gone(pids: list[int]) -> bool:
    """Does none of them run?"""
    return not any(map(alive, pids))


def crowded(pid: int) -> bool:
    """Do the daemons run?"""
    return len(descendants(pid)) > 3


async def test_nothing_is_left_of_our_own(start: Start, own: Policy, tmp_path: Path) -> None:
    """Killed with daemons in it, or ended by itself: no process and no folder remains."""
    for program in (DAEMON, DAEMON + "os._exit(3)"):
        inside = await start(replace(own, runtime=tmp_path))
        first = descendants(inside.sandbox.pid)
        if "_exit" in program.splitlines()[-1]:
            inside.tell(program)
            await inside.ended
            assert inside.cause is Cause.CLOSED
        else:
            await inside.run(program)
            await until(partial(crowded, inside.sandbox.pid))
            first = descendants(inside.sandbox.pid)
            inside.sandbox.kill()
        await until(partial(gone, first))
        assert left_of(tmp_path) == []


def test_our_own_namespaces_hold_for_an_ordinary_user(place: Path) -> None:
    """Without root and without bubblewrap: the same grade, the same walls."""
    path = f"{place}/broken:/usr/bin"
    seen = ran_as_ordinary(place, "ordinary.py", "namespaces", place / "home/work", PATH=path)
    assert (seen["backend"], seen["grade"]) == ("namespaces", "namespaces")
    assert seen["uid"] == UID
    assert seen["memory"].startswith("MemoryError")
    assert "OSError" in seen["socket"]
    assert seen["passwd"].startswith("sandbox:")
    assert "Error" in seen["host"]
    assert "PermissionError" in seen["env"]
    assert seen["data"] == "a\n"
    assert seen["beside"] == "done"


FORBIDDEN = """
for kind in user mnt pid net; do echo 0 > /proc/sys/user/max_${kind}_namespaces || exit 9; done
exec "$0" "$@"
"""


@pytest.fixture
def forbidden() -> list[str]:
    """The beginning of a command line: the rest of it runs where no namespaces can be made."""
    unshare = shutil.which("unshare")
    command = [unshare or "", "--user", "--map-root-user", "sh", "-c", FORBIDDEN]
    if unshare is None or subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip("namespaces cannot be forbidden here")
    return command


def test_without_namespaces_it_is_landlock(forbidden: list[str], tmp_path: Path) -> None:
    """The doctor tries both ways to namespaces, says why they fail, and names the grade that holds."""
    program = (
        "import json, sys; from pathlib import Path\n"
        "from codeact_kernel.sandbox.doctor import doctor\n"
        "from codeact_kernel.sandbox.policy import Policy\n"
        "print(json.dumps(doctor(Policy.strict(Path(sys.argv[1]))).to_json()))"
    )
    seen = ran([*forbidden, sys.executable, "-c", program, tmp_path], cwd=ROOT)
    assert seen["grade"] == "landlock"
    refused, held = seen["attempts"]
    assert refused["report"] is None
    assert "bubblewrap" in refused["refused"]
    assert "namespaces" in refused["refused"]
    assert held["report"]["landlock_abi"] > 0
    assert seen["gaps"][0]["remedy"]


async def test_a_refusal_is_one_line(tmp_path: Path) -> None:
    """A folder for sandboxes that is not there: refused in one line, whatever else might be tried."""
    policy = replace(Policy.strict(), isolation="namespaces", runtime=tmp_path / "none")
    with pytest.raises(SandboxRefused, match=r"nothing was run") as refused:
        await launch(policy, {})
    assert "\n" not in str(refused.value)
