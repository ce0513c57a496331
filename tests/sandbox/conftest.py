"""Programs run in real sandboxes: `start` launches one, `Inside.run` gives it a program."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import codeact_kernel
from codeact_kernel.sandbox.ended import Cause, Ended
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.process import Sandbox, launch
from codeact_kernel.sandbox.spawn import Kind
from codeact_kernel.sandbox.warm import warm_up
from codeact_kernel.wire import Frame

PROGRAMS = str(Path(__file__).parent / "inside")
if PROGRAMS not in sys.path:
    sys.path.append(PROGRAMS)  # as an entry of sys.path it is shown and importable inside

ISOLATIONS = ("namespaces", "landlock")
WAYS = ("at once", "from standby")
SYSTEM_PYTHON = "/usr/bin/python3"
UID = 20_000 + os.getpid() % 30_000
"""An interpreter that everybody can read, and somebody who is not root; another in each test process."""


class Inside:
    """A sandbox that runs `probe_worker`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.cause: Cause | None = None
        self._answers: asyncio.Queue[Frame] = asyncio.Queue()
        sandbox.listen(self._answers.put_nowait, self._end)

    def _end(self, ended: Ended) -> None:
        self.cause = ended.cause
        self.ended.set_result(str(ended))

    def tell(self, program: str) -> None:
        """Start a program without waiting for its answer."""
        self.sandbox.send({"t": "run"}, (textwrap.dedent(program).encode(),))

    async def run(self, program: str, seconds: float = 30) -> Any:
        """The value the program left in `answer`, or "Type: text" of its exception."""
        self.tell(program)
        return await self.answer(seconds)

    async def answer(self, seconds: float = 30) -> Any:
        """The next answer, of the programs in the order they were told."""
        frame = await asyncio.wait_for(self._answers.get(), seconds)
        reply = json.loads(frame.parts[0])
        return reply.get("error", reply.get("answer"))


Start = Callable[[Policy], Awaitable[Inside]]


@pytest.fixture
def way() -> str:
    """How sandboxes come to be: started when they are wanted. A file may override it; see WAYS."""
    return "at once"


@pytest.fixture
async def start(way: str) -> AsyncIterator[Start]:
    """Launch sandboxes that are gone when the test ends."""
    running: list[Inside] = []

    async def _start(policy: Policy) -> Inside:
        config: dict[str, Any] = {"preload": []}
        early = None
        if way == "from standby":
            kind = Kind("landlock" if policy.isolation == "landlock" else "bubblewrap")
            early = await warm_up(policy, config, kind, 30, module="probe_worker")
        sandbox = await launch(policy, config, early, module="probe_worker")
        staged = sandbox.report.staging in ("", "done")
        assert early is None or not staged or sandbox.pid == early.process.pid
        running.append(Inside(sandbox))
        return running[-1]

    yield _start
    for inside in running:
        inside.sandbox.kill()


@pytest.fixture(params=ISOLATIONS)
def strict(request: pytest.FixtureRequest) -> Policy:
    """The strict profile on each grade there is."""
    return replace(Policy.strict(), isolation=request.param)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A notebook's folder as people have them: data, a notebook, git, secrets, links outside."""
    outside = tmp_path / "outside.txt"
    outside.write_text("outside")
    folder = tmp_path / "work"
    for name in (".git/hooks", "sub/deeper", ".ssh", "plain"):
        (folder / name).mkdir(parents=True)
    for name, text in {
        "data.csv": "a,b\n1,2\n",
        "notebook.ipynb": "{}",
        ".env": "KEY=secret",
        ".gitignore": "*.pyc",
        ".git/config": "[core]",
        ".ssh/id_ed25519": "secret",
        "sub/deeper/.env.production": "KEY=secret",
        "sub/data.csv": "a\n",
    }.items():
        (folder / name).write_text(text)
    (folder / "link.txt").symlink_to(outside)
    (folder / ".netrc").symlink_to(outside)
    return folder


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """The package and a notebook's folder where another user can reach them."""
    if os.getuid() != 0 or not os.access(SYSTEM_PYTHON, os.X_OK):
        pytest.skip("needs root, to become somebody else, and the system's Python")
    folder = Path(tempfile.mkdtemp(prefix="codeact-ordinary-"))
    folder.chmod(0o755)
    package = Path(codeact_kernel.__file__).parent
    for part in ("__init__.py", "errors.py", "wire.py", "sandbox", "trace"):
        copy = shutil.copytree if (package / part).is_dir() else shutil.copy
        (folder / "lib/codeact_kernel").mkdir(parents=True, exist_ok=True)
        copy(package / part, folder / "lib/codeact_kernel" / part)
    shutil.copytree(PROGRAMS, folder / "programs")
    break_bwrap(folder / "broken")
    work = folder / "home/work"
    (work / "plain").mkdir(parents=True)
    for name, text in {"data.csv": "a\n", ".env": "KEY=secret", "notebook.ipynb": "{}"}.items():
        (work / name).write_text(text)
    for path in (folder / "home", *(folder / "home").rglob("*")):
        os.chown(path, UID, UID)
    yield folder
    shutil.rmtree(folder)


def ran(command: Sequence[str | Path], **options: Any) -> Any:
    """The JSON a program printed."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=False, **options
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ran_as_ordinary(place: Path, program: str, *arguments: str | Path, **environ: str) -> Any:
    """The JSON that a program of `inside/` printed, run by somebody who is not root.

    The files `new` that one before it made are gone.
    """
    for new in place.glob("home/work/**/new"):
        new.unlink()
    return ran(
        [SYSTEM_PYTHON, "-B", place / "programs" / program, *arguments],
        env={"PYTHONPATH": f"{place}/lib:{place}/programs", **environ},
        user=UID,
        group=UID,
        extra_groups=[],
    )


def break_bwrap(folder: Path) -> str:
    """A PATH on which bwrap fails as it does where namespaces are forbidden."""
    program = folder / "bwrap"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n"
    )
    for path in (program, program.parent):
        path.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"
