"""A sandbox that a test plays: it keeps what it is sent and says what it is told to say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from codeact_kernel.errors import SandboxDied
from codeact_kernel.sandbox.ended import Cause, Ended
from codeact_kernel.sandbox.gauges import Reading
from codeact_kernel.wire import Bytes, Frame


class FakeBox:
    """Stands in for sandbox.process.Sandbox; `say` is the sandbox's voice."""

    grade = "namespaces"

    def __init__(self, ready: bool = True) -> None:
        self._ready = ready
        self.sent: list[tuple[dict[str, Any], tuple[bytes, ...]]] = []
        self.killed = False
        self.held = False
        self._on_frame: Callable[[Frame], None] = lambda frame: None
        self._on_end: Callable[[Ended], None] = lambda ended: None
        self._closed = asyncio.Event()
        self.script: Script | None = None
        self.reasons: list[dict[str, Any]] = []
        self.weights: dict[str, int] = {}

    def listen(self, on_frame: Callable[[Frame], None], on_end: Callable[[Ended], None]) -> None:
        self._on_frame, self._on_end = on_frame, on_end
        if self._ready:
            self.ready()

    def ready(self) -> None:
        """The kernel inside takes requests."""
        self.say({"t": "ready", "pid": 1, "python": "3.11"}, b"{}")

    def send(self, head: dict[str, Any], parts: Sequence[Bytes] = ()) -> None:
        if self.killed:
            raise SandboxDied("It is gone.")
        self.sent.append((head, tuple(bytes(part) for part in parts)))
        if self.script is not None:
            asyncio.get_running_loop().call_soon(self.script, self, head, self.sent[-1][1])
        if head["t"] == "shutdown":
            self._closed.set()
        if head["t"] in ("checkpoint", "rewind", "weigh"):
            asyncio.get_running_loop().call_soon(self._take_order, head)

    def obstacles(self) -> dict[str, Any]:
        """What a checkpoint would not keep."""
        return {"ok": not any(each["stops"] for each in self.reasons), "reasons": self.reasons}

    def _take_order(self, head: dict[str, Any]) -> None:
        """Checkpoints always succeed, and `reasons` are what they do not keep."""
        values = {
            "checkpoint": {"taken": self.obstacles()["ok"], "reasons": self.reasons},
            "rewind": {},
            "weigh": self.weights,
        }
        value = json.dumps(values[head["t"]]).encode()
        self.say({"t": "answer", "id": head["id"], "ok": True}, value)

    def hold(self, on: bool) -> None:
        self.held = on

    def kill(self) -> None:
        self.killed = True
        self._closed.set()

    async def closed(self) -> None:
        await self._closed.wait()

    def readings(self) -> tuple[Reading, ...]:
        return (Reading(name="memory", used=50 << 20, limit=1 << 30, unit="bytes"),)

    def say(self, head: dict[str, Any], *parts: bytes) -> None:
        """A frame from inside."""
        self._on_frame(Frame(head, parts))

    def publish(self, kind: str, parent: str, content: object, *buffers: bytes) -> None:
        """An iopub message from inside."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.say({"t": "publish", "type": kind, "parent": parent}, b"{}", body, *buffers)

    def reply(self, kind: str, parent: str, content: object) -> None:
        """A reply from inside."""
        self.say(
            {"t": "reply", "type": kind, "parent": parent}, b"{}", json.dumps(content).encode()
        )

    def fate(self, status: int | None) -> Ended:
        return Ended(cause=Cause.CLOSED, what=f"It ended with status {status}.")

    def end(self, sentence: str) -> None:
        """The sandbox is gone."""
        self._on_end(Ended(cause=Cause.MEMORY, what=sentence, remedy="Use less."))


Script = Callable[[FakeBox, dict[str, Any], tuple[bytes, ...]], None]


def obedient(box: FakeBox, head: dict[str, Any], parts: tuple[bytes, ...]) -> None:
    """A script: every request is busy, replied to and idle; code is echoed; queries find nothing."""
    if head["t"] == "query":
        found = box.obstacles() if head["name"] == "obstacles" else {}
        box.say({"t": "answer", "id": head["id"], "ok": True}, json.dumps(found).encode())
    if head["t"] != "request":
        return
    parent, kind = head["id"], head["type"]
    box.publish("status", parent, {"execution_state": "busy"})
    if kind == "execute_request":
        code = json.loads(parts[2])["code"]
        box.publish("execute_input", parent, {"code": code, "execution_count": 1})
        box.say({"t": "stream", "name": "stdout", "parent": parent}, f"{code}\n".encode())
        box.reply("execute_reply", parent, {"status": "ok", "execution_count": 1})
    elif kind.endswith("_request"):
        box.reply(kind.replace("_request", "_reply"), parent, {"status": "ok"})
    box.publish("status", parent, {"execution_state": "idle"})
