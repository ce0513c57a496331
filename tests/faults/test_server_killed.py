"""A real Jupyter server with a kernel: the kernel is killed, then the server is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.e2e.conftest import ROOT, Session, below
from tests.faults.conftest import until
from tests.faults.holdings import of_kernel, parent, processes_that_name

FLOOD = "while True:\n    print('x' * 100)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running one: its process, its address, the folder of its connection files."""

    pid: int
    url: str
    runtime: Path

    def ask(self, path: str, content: object = None) -> Any:
        """The answer to GET, or to POST when there is content."""
        data = None if content is None else json.dumps(content).encode()
        url = f"{self.url}api/{path}"  # of a server that this test has started
        request = urllib.request.Request(url, data=data)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def listens(self) -> bool:
        """Whether it answers by now."""
        try:
            self.ask("status")
        except OSError:
            return False
        return True

    def kernel_pid(self) -> int:
        """The one kernel's process, the server's only child; 0 while there is none."""
        children = [pid for pid in below(self.pid) if parent(pid) == self.pid]
        return children[0] if len(children) == 1 else 0

    @contextmanager
    def session(self, kernel: str) -> Iterator[Session]:
        """A client of its own to a kernel of the server's."""
        client = BlockingKernelClient()
        client.load_connection_file(str(self.runtime / f"kernel-{kernel}.json"))
        client.start_channels()
        until(lambda: _is_ready(client))
        yield Session(KernelManager(), client)
        client.stop_channels()


def _is_ready(client: BlockingKernelClient) -> bool:
    """A kernel that is being started again has no heartbeat for a moment."""
    try:
        client.wait_for_ready(timeout=20)
    except RuntimeError:
        return False
    return True


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """jupyter_server with this checkout's kernel and folders of its own."""
    (tmp_path / "share" / "kernels").mkdir(parents=True)
    (tmp_path / "share" / "kernels" / "codeact").symlink_to(ROOT / "codeact_kernel" / "kernelspec")
    (tmp_path / "work").mkdir()
    environ = {
        **{name: text for name, text in os.environ.items() if not name.startswith("CODEACT_")},
        "JUPYTER_PATH": str(tmp_path / "share"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "XDG_STATE_HOME": str(tmp_path / ".state"),
        "XDG_CONFIG_HOME": str(tmp_path / ".config"),
        "PYTHONPATH": str(ROOT),
    }
    options = ["--no-browser", "--allow-root", "--port=0", "--IdentityProvider.token="]
    options += [f"--ServerApp.root_dir={tmp_path / 'work'}", "--ServerApp.disable_check_xsrf=True"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *options],
            env=environ,
            cwd=tmp_path / "work",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    about = tmp_path / "runtime" / f"jpserver-{process.pid}.json"
    try:
        until(lambda: about.is_file() and about.read_text().endswith("}"), 60)
        url = json.loads(about.read_text())["url"]
        found = Server(pid=process.pid, url=url, runtime=tmp_path / "runtime")
        until(found.listens)  # that file comes first
        yield found
    finally:
        process.kill()
        process.wait()


def test_the_server_starts_a_killed_kernel_anew_and_takes_it_along(
    server: Server, tmp_path: Path
) -> None:
    """A killed kernel is back by itself, with nothing of the old one left; a killed server leaves nothing."""
    kernel = server.ask("kernels", {"name": "codeact"})["id"]
    with server.session(kernel) as session:
        session.run("x = 1")
        old = of_kernel(server.kernel_pid())
        os.kill(old.processes[0], signal.SIGKILL)
        until(lambda: server.kernel_pid() not in (0, old.processes[0]))
    with server.session(kernel) as session:
        assert session.run("'x' in globals()").value == "False"
        assert old.gone() == []
        msg_id = session.client.execute(FLOOD)
        session.until(msg_id, lambda m: bool(m["msg_type"] == "stream"))
        held = of_kernel(server.kernel_pid())
        os.kill(server.pid, signal.SIGKILL)
        assert held.gone() == []
    until(lambda: not processes_that_name(str(tmp_path)))
