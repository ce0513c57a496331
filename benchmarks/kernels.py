"""The two kernels that are compared, and the one client that drives both.

Rule: whatever is done to one side is done to the other, by the same lines: same interpreter, same
manager, same client, same poller, no high-water marks.
"""

from __future__ import annotations

import compileall
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

OURS, PEER = "codeact", "ipykernel"
TIMEOUT = 120
"""Seconds that any single request may take."""


@contextmanager
def specs() -> Iterator[None]:
    """Both kernel specs in a folder of their own, first on JUPYTER_PATH."""
    root = Path(__file__).parents[1]
    # As an installer leaves it, and as ipykernel is; an environment may forbid Python to do it.
    compileall.compile_dir(root / "codeact_kernel", quiet=1)
    ours = json.loads((root / "codeact_kernel" / "kernelspec" / "kernel.json").read_text())
    arguments = {OURS: ours["argv"][1:], PEER: ["-m", "ipykernel_launcher", *ours["argv"][-2:]]}
    with TemporaryDirectory(prefix="codeact-benchmark-") as folder:
        for name, rest in arguments.items():
            spec = Path(folder, "kernels", name, "kernel.json")
            spec.parent.mkdir(parents=True)
            base = ours if name == OURS else {"language": "python"}
            spec.write_text(
                json.dumps({**base, "argv": [sys.executable, *rest], "display_name": name})
            )
        os.environ["JUPYTER_PATH"] = folder
        os.environ["PYTHONPATH"] = str(root)
        os.environ["CODEACT_STANDBY"] = "false"  # but where it is what is measured
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A request that was answered: seconds until reply and idle, and what was published meanwhile."""

    seconds: float
    reply: dict[str, Any]
    published: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A running kernel with a connected client."""

    name: str
    manager: KernelManager
    client: BlockingKernelClient

    @property
    def pid(self) -> int:
        """The process that was launched."""
        provisioner: Any = self.manager.provisioner
        return int(provisioner.process.pid)

    def finish(self, code: str) -> Done:
        """Run `code` and wait for its reply, whatever that is, and its idle. Raises TimeoutError."""
        started = time.perf_counter()
        return self._wait(self.client.execute(code), started)

    def execute(self, code: str) -> Done:
        """`finish`, for code that has to work. Raises TimeoutError, RuntimeError."""
        done = self.finish(code)
        if done.reply["status"] != "ok":
            raise RuntimeError(f"{self.name}: {done.reply.get('evalue', done.reply['status'])}")
        return done

    def _wait(self, request: str, started: float) -> Done:
        shell, iopub = self.client.shell_channel.socket, self.client.iopub_channel.socket
        poller = zmq.Poller()
        poller.register(shell, zmq.POLLIN)
        poller.register(iopub, zmq.POLLIN)
        reply: dict[str, Any] | None = None
        idle = False
        published: list[dict[str, Any]] = []
        while reply is None or not idle:
            ready = dict(poller.poll(TIMEOUT * 1000))
            if not ready:
                raise TimeoutError(f"{self.name} said nothing for {TIMEOUT} s")
            if shell in ready and (message := _receive(self.client, shell, request)):
                reply = message["content"]
            if iopub in ready and (message := _receive(self.client, iopub, request)):
                published.append(message)
                idle = message["content"].get("execution_state") == "idle"
        seconds = time.perf_counter() - started
        return Done(seconds=seconds, reply=reply, published=tuple(published))

    def reply(self, request: str) -> dict[str, Any]:
        """Wait for the reply on shell alone: before a subscriber is connected, idle may be missed."""
        shell = self.client.shell_channel.socket
        for _ in range(TIMEOUT):
            if shell.poll(1000) and (message := _receive(self.client, shell, request)):
                content: dict[str, Any] = message["content"]
                return content
            if not self.manager.is_alive():
                raise RuntimeError(f"{self.name} ended before it answered")
        raise TimeoutError(f"{self.name} did not answer within {TIMEOUT} s")


def _receive(client: BlockingKernelClient, socket: Any, request: str) -> dict[str, Any] | None:
    _, message = client.session.recv(socket, copy=False)
    if message is None or message["parent_header"].get("msg_id") != request:
        return None
    answer: dict[str, Any] = message
    return answer


@contextmanager
def launched(name: str, folder: str | None = None) -> Iterator[Kernel]:
    """Start a kernel in a folder (None: here) and connect to it, without waiting for it. Ends it afterwards."""
    context = zmq.Context()
    context.sndhwm = context.rcvhwm = 0
    context.reconnect_ivl = 5  # ms; by default 100, which would be measured too
    manager = KernelManager(kernel_name=name, context=context)
    manager.start_kernel(stderr=subprocess.DEVNULL, cwd=folder)
    client = manager.client(context=context)  # by itself it would make one of its own
    client.start_channels(stdin=False, hb=False)
    try:
        yield Kernel(name=name, manager=manager, client=client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)
        manager.cleanup_resources()
        context.destroy(linger=0)


@contextmanager
def ready(name: str, folder: str | None = None) -> Iterator[Kernel]:
    """A kernel that has run its first cell, imports and all."""
    with launched(name, folder) as kernel:
        kernel.client.wait_for_ready(timeout=TIMEOUT)
        for _ in range(3):
            kernel.execute("1 + 1")
        yield kernel


@contextmanager
def both() -> Iterator[tuple[Kernel, Kernel]]:
    """This kernel and plain ipykernel, running side by side."""
    with ready(OURS) as ours, ready(PEER) as peer:
        yield ours, peer
