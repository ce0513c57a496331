"""A kernel that says what a test wants it to say: manager and client as nbclient uses them.

`script(kernel, msg_id, code)` is called for each execute_request and publishes with `say`, `comm`
and `reply`; it may be a coroutine function. Nothing runs anywhere.
"""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import Awaitable, Callable
from queue import Empty
from typing import Any

Script = Callable[["FakeKernel", str, str], Awaitable[None] | None]


class _Channel:
    def __init__(self, sent: Callable[[dict[str, Any]], None]) -> None:
        self.queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.send = sent

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:  # noqa: ASYNC109 — nbclient's
        try:
            return await asyncio.wait_for(self.queue.get(), timeout)
        except TimeoutError:
            raise Empty from None


class _Session:
    def msg(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        return {"msg_type": kind, "header": {"msg_id": uuid.uuid4().hex}, "content": content}


class FakeKernel:
    """The manager, the client and the kernel in one; `interrupts` counts, `alive` can be taken away."""

    ipykernel = False
    has_kernel = True

    def __init__(self, script: Script) -> None:
        self.script = script
        self.session = _Session()
        self.shell_channel = _Channel(self._sent)
        self.iopub_channel = _Channel(self._sent)
        self.comms: list[dict[str, Any]] = []
        self.started: dict[str, Any] = {}
        self.on_interrupt: Callable[[], None] = lambda: None
        self.interrupts = 0
        self.alive = True
        self.allow_stdin = True
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # ── what the script says ─────────────────────────────────────────────────────────────────────

    def say(self, parent: str, kind: str, **content: Any) -> None:
        """An iopub message."""
        header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "date": "2026-01-01T00:00:00Z"}
        self.iopub_channel.queue.put_nowait(
            {
                "header": header,
                "msg_type": kind,
                "msg_id": header["msg_id"],
                "parent_header": {"msg_id": parent},
                "metadata": {},
                "content": content,
                "buffers": [],
            }
        )

    def hello(self, **fields: Any) -> None:
        """The answer to the comm that was opened."""
        self._comm({"kind": "hello", "protocol": 1, **fields})

    def edit(self, op: str, **fields: Any) -> None:
        """A notebook edit over the comm that was opened."""
        self._comm({"kind": "edit", "seq": 0, "edit": {"op": op, **fields}})

    def event(self, type: str, **fields: Any) -> None:
        """An event over the comm that was opened."""
        self._comm({"kind": "event", "seq": 0, "event": {"type": type, **fields}})

    def reply(self, parent: str, **content: Any) -> None:
        """The execute_reply and the idle behind it."""
        answer = {"status": "ok", "execution_count": self._count, **content}
        self.shell_channel.queue.put_nowait(
            {
                "header": {"date": "2026-01-01T00:00:00Z"},
                "parent_header": {"msg_id": parent},
                "msg_type": "execute_reply",
                "content": answer,
            }
        )
        self.say(parent, "status", execution_state="idle")

    def begin(self, parent: str, code: str) -> None:
        """Busy and the next count."""
        self._count += 1
        self.say(parent, "status", execution_state="busy")
        self.say(parent, "execute_input", code=code, execution_count=self._count)

    # ── the manager ──────────────────────────────────────────────────────────────────────────────

    def client(self) -> FakeKernel:
        return self

    async def start_kernel(self, **options: Any) -> None:
        self.started = options

    async def is_alive(self) -> bool:
        return self.alive

    async def interrupt_kernel(self) -> None:
        self.interrupts += 1
        self.on_interrupt()

    async def shutdown_kernel(self, now: bool = False) -> None:
        self.alive = False

    async def cleanup_resources(self) -> None:
        for task in self._tasks:
            task.cancel()

    # ── the client ───────────────────────────────────────────────────────────────────────────────

    def start_channels(self) -> None:
        pass

    def stop_channels(self) -> None:
        pass

    async def wait_for_ready(self, **options: Any) -> None:
        pass

    def kernel_info(self) -> str:
        msg_id = uuid.uuid4().hex
        self.reply(msg_id, language_info={"name": "python"})
        return msg_id

    def execute(self, code: str, **options: Any) -> str:
        msg_id = uuid.uuid4().hex
        went = self.script(self, msg_id, code)
        if inspect.isawaitable(went):
            self._tasks.add(asyncio.ensure_future(went))
        return msg_id

    def _sent(self, message: dict[str, Any]) -> None:
        if message["msg_type"] == "comm_open":
            self.comms.append(message["content"])

    def _comm(self, data: dict[str, Any]) -> None:
        self.say("", "comm_msg", comm_id=self.comms[0]["comm_id"], data=data)
