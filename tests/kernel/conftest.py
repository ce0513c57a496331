"""A kernel in this process, with a sandbox that the test plays and a real Jupyter client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import write_connection_file

from codeact_kernel.agent.ports import Model
from codeact_kernel.errors import SandboxRefused
from codeact_kernel.kernel.app import Kernel
from codeact_kernel.kernel.channels.connection import read_connection_file
from codeact_kernel.kernel.relay.link import Link
from codeact_kernel.kernel.run.model_choice import Models
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.settings import Settings
from tests.kernel.boxes import FakeBox, Script

SECONDS = 10.0


class Front:
    """A client, the kernel it talks to, and the boxes that kernel has started."""

    def __init__(
        self, client: AsyncKernelClient, kernel: Kernel, boxes: list[FakeBox], journals: Path
    ) -> None:
        self.client = client
        self.journals = journals
        self.kernel = kernel
        self.boxes = boxes

    @property
    def box(self) -> FakeBox:
        return self.boxes[-1]

    async def until_idle(self, msg_id: str) -> list[dict[str, Any]]:
        """Every iopub message of one request, the idle included."""
        return await until_idle(self.client, msg_id)

    async def reply(self, msg_id: str) -> dict[str, Any]:
        """The reply to a shell request."""
        async with asyncio.timeout(SECONDS):
            while True:
                message: dict[str, Any] = await self.client.get_shell_msg()
                if message["parent_header"].get("msg_id") == msg_id:
                    return message


async def until_idle(client: AsyncKernelClient, msg_id: str) -> list[dict[str, Any]]:
    """Every iopub message of one request, the idle included."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(SECONDS):
        while True:
            message: dict[str, Any] = await client.get_iopub_msg()
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            found.append(message)
            if message["content"].get("execution_state") == "idle":
                return found


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    """A started kernel with a client; the box does nothing by itself."""
    async with started(tmp_path) as front:
        yield front


@asynccontextmanager
async def started(
    tmp_path: Path,
    refusal: str = "",
    model: Model | None = None,
    ready: bool = True,
    script: Script | None = None,
    load_provider: Callable[[], None] = lambda: None,
) -> AsyncIterator[Front]:
    """A kernel in this process whose sandboxes are FakeBoxes with this script, or refused."""
    name, info = write_connection_file(str(tmp_path / "connection.json"), key=b"a key")
    boxes: list[FakeBox] = []

    async def launch(first: bool) -> FakeBox:
        if refusal:
            raise SandboxRefused(refusal)
        boxes.append(FakeBox(ready))
        boxes[-1].script = script
        return boxes[-1]

    file = read_connection_file(Path(name))
    kernel = Kernel(
        file,
        Settings(),
        Policy.notebook(tmp_path),
        Link(launch),
        choose_model=Models(tmp_path).choose if model is None else lambda settings: model,
        load_provider=load_provider,
        journals=tmp_path / "runs",
    )
    serving = asyncio.create_task(kernel.serve())
    client = AsyncKernelClient()
    client.load_connection_info(info)
    client.start_channels(hb=False)
    async with asyncio.timeout(SECONDS):
        await client.get_iopub_msg()
    yield Front(client, kernel, boxes, tmp_path / "runs")
    kernel.stop(None, False)
    async with asyncio.timeout(SECONDS):
        await serving
    client.stop_channels()
