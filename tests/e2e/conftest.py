"""The real kernel as a client starts it: by its kernel spec, in its real sandbox."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from codeact_kernel.sandbox.usage import tree
from tests.scripted_server import USUAL

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "codeact_kernel" / "kernelspec" / "kernel.json"
SECONDS = 60.0
"""After which nothing comes any more, on a busy machine either."""


@pytest.fixture(scope="session", autouse=True)
def sandbox() -> None:
    """Skip, with the reason, where no sandbox can be had."""
    code = (
        "import asyncio; from codeact_kernel.sandbox.policy import Policy\n"
        "from codeact_kernel.sandbox.process import launch\n"
        "async def go():\n    (await launch(Policy.notebook(), {}, module=None)).kill()\n"
        "asyncio.run(go())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "SandboxRefused" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])


@dataclass
class Result:
    """What came of one cell."""

    reply: dict[str, Any]
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Everything on stdout."""
        return self.stream("stdout")

    def stream(self, name: str) -> str:
        """Everything on one stream."""
        return "".join(
            m["content"]["text"] for m in self.of("stream") if m["content"]["name"] == name
        )

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The messages of one type."""
        return [m for m in self.messages if m["msg_type"] == kind]

    @property
    def error(self) -> dict[str, Any]:
        """The one error output."""
        (message,) = self.of("error")
        content: dict[str, Any] = message["content"]
        return content

    @property
    def value(self) -> str:
        """The text of the result."""
        (message,) = self.of("execute_result")
        return str(message["content"]["data"]["text/plain"])

    @property
    def displays(self) -> list[str]:
        """The Markdown, or else text, of every display, updates in place."""
        found: list[str] = []
        places: dict[str, int] = {}
        for message in self.messages:
            content = message["content"]
            display = content.get("transient", {}).get("display_id")
            if message["msg_type"] == "display_data":
                data = content["data"]
                found.append(data.get("text/markdown") or data.get("text/plain", ""))
                if display:
                    places[display] = len(found) - 1
            elif message["msg_type"] == "update_display_data" and display in places:
                data = content["data"]
                found[places[display]] = data.get("text/markdown") or data.get("text/plain", "")
        return found


class Session:
    """A started kernel and a client."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def run(self, code: str, **how: Any) -> Result:
        """Execute and wait for reply and idle."""
        return self.wait(self.client.execute(code, **how))

    def wait(self, msg_id: str, seconds: float = SECONDS) -> Result:
        """What comes of a request that was sent."""
        result, deadline = Result({}), time.monotonic() + seconds
        self.follow(msg_id, lambda m: is_idle(m), result.messages, deadline)
        result.reply = self.reply(msg_id, deadline - time.monotonic())
        return result

    def follow(
        self,
        msg_id: str,
        until: Callable[[dict[str, Any]], bool],
        into: list[dict[str, Any]],
        deadline: float | None = None,
    ) -> None:
        """Collect a request's iopub messages until one of them fits."""
        end = deadline or time.monotonic() + SECONDS
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.01, end - time.monotonic()))
            if message["parent_header"].get("msg_id") == msg_id:
                into.append(message)
                if until(message):
                    return

    def until(self, msg_id: str, until: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """As `follow`, with a list of its own."""
        found: list[dict[str, Any]] = []
        self.follow(msg_id, until, found)
        return found

    def reply(self, msg_id: str, seconds: float = SECONDS) -> dict[str, Any]:
        """The content of the shell reply to a request."""
        end = time.monotonic() + seconds
        while True:
            message = self.client.get_shell_msg(timeout=max(0.01, end - time.monotonic()))
            if message["parent_header"].get("msg_id") == msg_id:
                content: dict[str, Any] = message["content"]
                return content

    def interrupt(self) -> None:
        """As the stop button does it."""
        self.manager.interrupt_kernel()

    @property
    def pid(self) -> int:
        """The outer kernel's process."""
        provisioner: Any = self.manager.provisioner
        return int(provisioner.process.pid)

    def processes(self) -> list[int]:
        """The outer kernel and everything below it."""
        return [self.pid, *below(self.pid)]


def is_idle(message: Mapping[str, Any]) -> bool:
    """Whether it says that its request is over."""
    return bool(message["content"].get("execution_state") == "idle")


def below(pid: int) -> list[int]:
    """The descendants of a process, parents before children."""
    return tree(pid)[1:]


def alive(pids: list[int]) -> list[int]:
    """Those of these processes that have not ended (a zombie has)."""
    left = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                left.append(pid)
    return left


def gone(pids: list[int], seconds: float = 10.0) -> bool:
    """Wait until none of these processes is left."""
    end = time.monotonic() + seconds
    while alive(pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def spec(python: str = sys.executable) -> KernelSpec:
    """Our kernel spec, with this interpreter in place of `python`."""
    data = json.loads(SPEC.read_text())
    return KernelSpec(**{**data, "argv": [python, *data["argv"][1:]]})


def give_fonts(folder: Path) -> None:
    """Matplotlib's font list, made once for all test kernels: each would make its own, a second or two long."""
    made = Path(tempfile.gettempdir(), f"codeact-tests-{os.getuid()}", "codeact", "fonts")
    given = folder / ".state" / "codeact" / "fonts"
    with contextlib.suppress(OSError):  # a full disk is what some tests are about
        for place in (made, given.parent):
            place.mkdir(parents=True, exist_ok=True)
        if not given.exists():
            given.symlink_to(made)


@contextlib.contextmanager
def started(
    folder: Path,
    environ: Mapping[str, str] | None = None,
    ready: bool = True,
    python: str = sys.executable,
) -> Iterator[Session]:
    """A kernel in a folder, shut down afterwards."""
    give_fonts(folder)
    manager = KernelManager()
    manager._kernel_spec = spec(python)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CODEACT_")}
    own = {
        "XDG_STATE_HOME": str(folder / ".state"),
        "XDG_CONFIG_HOME": str(folder / ".config"),
        "PYTHONPATH": str(ROOT),
        "CODEACT_API_BASE": USUAL,
        "CODEACT_STANDBY": "false",  # the processors are for the tests
    }
    manager.start_kernel(cwd=str(folder), env={**clean, **own, **(environ or {})})
    client = manager.client()
    client.start_channels()
    try:
        if ready:
            client.wait_for_ready(timeout=60)
        yield Session(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=not manager.is_alive())
        manager.cleanup_resources()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The spec where clients look for kernels, with this interpreter."""
    share = tmp_path_factory.mktemp("jupyter")
    folder = share / "kernels" / "codeact"
    folder.mkdir(parents=True)
    data = json.loads(SPEC.read_text())
    data["argv"][0] = sys.executable
    data["env"] = {
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(share),
        "CODEACT_API_BASE": USUAL,
        "CODEACT_STANDBY": "false",
    }
    (folder / "kernel.json").write_text(json.dumps(data))
    before = dict(os.environ)
    os.environ["JUPYTER_PATH"] = str(share)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One kernel for the tests of a module that leave it as it was."""
    with started(tmp_path_factory.mktemp("notebook")) as session:
        yield session


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Session]:
    """A kernel of one's own."""
    with started(tmp_path) as session:
        yield session


def drain(session: Session) -> None:
    """Throw away what has come on iopub so far."""
    with contextlib.suppress(queue.Empty):
        while True:
            session.client.get_iopub_msg(timeout=0.05)
