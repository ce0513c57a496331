"""Where programs are run: an outer process of some user, its sandboxes, the canaries around them."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

import codeact_kernel
from tests.escape.canaries import Canaries
from tests.escape.corpus import HERE, Program

SYSTEM_PYTHON = "/usr/bin/python3"
UID = 50_000 + os.getpid() % 10_000  # another in each test process
SECONDS, ALONE = 6.0, 1.5
"""Programs that run alone often hold on to their output until they are killed."""


class Outside:
    """One user, one isolation. `run` says what a program did to the world; [] is nothing."""

    def __init__(self, isolation: str, ordinary: bool) -> None:
        self.isolation = isolation
        self.grade = isolation
        self.label = f"{'user' if ordinary or os.getuid() else 'root'}-{isolation}"
        self.uid = UID if ordinary else os.getuid()
        self._canaries = Canaries(self.uid)
        self._library = Path(tempfile.mkdtemp(prefix="codeact-escape-")) if ordinary else None
        self._outer = self._start_outer()
        self._running = ""
        self.said = ""
        self.ended = ""

    def _start_outer(self) -> subprocess.Popen[str]:
        python, path, user = sys.executable, [str(HERE.parents[1]), str(HERE / "inside")], None
        if self._library is not None:
            python, user = SYSTEM_PYTHON, self.uid
            path = _copy(self._library)
        return subprocess.Popen(
            [python, "-B", f"{path[-1]}/outer.py", self._canaries.secrets["outer"]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                "PYTHONPATH": os.pathsep.join(path),
                "OUTER_SECRET": self._canaries.secrets["environ"],
                "PATH": "/usr/local/bin:/usr/bin:/bin",
            },
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )

    def run(self, program: Program) -> list[str]:
        """What it tripped. It runs beside the others of its kind, or alone."""
        wanted = "small" if program.alone else "large"
        if program.alone or self._running != wanted:
            self._start(wanted)
        names = self._canaries.given(self._outer.pid)
        answer = self._do(
            "run", code=program.code, names=names, seconds=ALONE if program.alone else SECONDS
        )
        self.said, self.ended = answer["said"], answer["ended"]
        if program.kind == "signals":
            time.sleep(0.1)  # whoever caught one says so in its own time
        found = self._canaries.tripped(self.said)
        if program.alone or self.ended:
            self.stop()
            found += self._canaries.tripped("") + self._left_running()
        if found:
            self._canaries.restore()
        return found

    def later(self, seconds: float = 5.0) -> list[str]:
        """What the last program tripped after all, as soon as it is seen: who is signalled may be slow."""
        deadline = time.monotonic() + seconds
        while not (found := self._canaries.tripped("")) and time.monotonic() < deadline:
            time.sleep(0.02)
        if found:
            self._canaries.restore()
        return found

    def _start(self, size: str) -> None:
        self.stop()
        workspace = str(self._canaries.work)
        answer = self._do("start", isolation=self.isolation, workspace=workspace, limits=size)
        assert answer["grade"] == self.grade
        self._running = size

    def stop(self) -> None:
        """End the sandbox."""
        if self._running:
            self._do("stop")
        self._running = ""

    def _left_running(self) -> list[str]:
        deadline = time.monotonic() + 3
        while left := self._canaries.left_running():
            if time.monotonic() > deadline:
                return [f"{len(left)} processes go on"]
            time.sleep(0.02)
        return []

    def _do(self, what: str, **how: Any) -> dict[str, Any]:
        assert self._outer.stdin is not None
        assert self._outer.stdout is not None
        self._outer.stdin.write(json.dumps({"do": what, **how}) + "\n")
        self._outer.stdin.flush()
        ready, _, _ = select.select([self._outer.stdout], [], [], 60)
        answer = self._outer.stdout.readline() if ready else ""
        assert answer, "the outer process has ended, or says nothing"
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        """End everything, take the folders away."""
        assert self._outer.stdin is not None
        self._outer.stdin.close()
        try:
            self._outer.wait(20)
        finally:
            self._outer.kill()
            self._outer.wait()
            assert self._outer.stdout is not None
            self._outer.stdout.close()
            self._canaries.remove()
            if self._library is not None:
                shutil.rmtree(self._library)


def _copy(to: Path) -> list[str]:
    """The package and the programs where everybody can read them; the import path for them."""
    to.chmod(0o755)
    package = Path(codeact_kernel.__file__).parent
    (to / "lib/codeact_kernel").mkdir(parents=True)
    for part in ("__init__.py", "errors.py", "wire.py"):
        shutil.copy(package / part, to / "lib/codeact_kernel" / part)
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package / "sandbox", to / "lib/codeact_kernel/sandbox", ignore=without)
    shutil.copytree(HERE / "inside", to / "inside", ignore=without)
    return [str(to / "lib"), str(to / "inside")]


def refuse_ordinary() -> None:
    """Skip where nobody else can be become, or there is no Python that everybody can read."""
    if os.getuid() != 0 or not os.access(SYSTEM_PYTHON, os.X_OK):
        pytest.skip("needs root, to become somebody else, and the system's Python")
