"""A small outer kernel for tests: one worker process at the other end of a socket pair."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from codeact_kernel.wire import Bytes, Decoder, Frame, encode

TIMEOUT = 30.0


@dataclass
class Ran:
    """Everything a request brought: its frames in order, and its reply."""

    frames: list[Frame] = field(default_factory=list)
    reply: dict[str, Any] = field(default_factory=dict)

    def stream(self, name: str = "stdout") -> str:
        """All text of one stream."""
        return b"".join(
            f.parts[0] for f in self.frames if f.type == "stream" and f.head["name"] == name
        ).decode()

    def published(self, kind: str) -> list[dict[str, Any]]:
        """The contents of all published messages of one type."""
        return [
            json.loads(f.parts[1])
            for f in self.frames
            if f.type == "publish" and f.head["type"] == kind
        ]

    @property
    def result(self) -> str:
        """The text of the execute_result."""
        (content,) = self.published("execute_result")
        text = content["data"]["text/plain"]
        assert isinstance(text, str)
        return text

    @property
    def order(self) -> list[str]:
        """Types of the frames, published ones by their message type."""
        return [f.head["type"] if f.type == "publish" else f.type for f in self.frames]


class Worker:
    """A running worker. `send` and `receive` speak frames; `run` executes a cell."""

    def __init__(self, **config: Any) -> None:
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "codeact_kernel.worker",
                str(theirs.fileno()),
                json.dumps(config),
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "MPLBACKEND": ""},
        )
        theirs.close()
        self._decoder = Decoder()
        self._frames: deque[Frame] = deque()
        self._number = 0
        self.on_frame: Callable[[Frame], None] | None = None
        self.ready = self.until(lambda f: f.type == "ready")[-1]

    def close(self) -> None:
        """Close the stream; the worker ends by itself, or is killed."""
        self.socket.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    # -- frames -----------------------------------------------------------------------------

    def send(self, head: dict[str, Any], parts: Sequence[Bytes] = ()) -> None:
        for piece in encode(head, parts):
            self.socket.sendall(piece)

    def receive(self, timeout: float = TIMEOUT) -> Frame | None:
        """The next frame; None when the worker closed the stream. Raises TimeoutError."""
        end = time.monotonic() + timeout
        while not self._frames:
            ready, _, _ = select.select([self.socket], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError("the worker said nothing")
            data = self.socket.recv(1 << 20)
            if not data:
                return None
            self._frames.extend(self._decoder.feed(data))
        return self._frames.popleft()

    def until(self, wanted: Callable[[Frame], bool], timeout: float = TIMEOUT) -> list[Frame]:
        """All frames up to the first wanted one."""
        frames: list[Frame] = []
        end = time.monotonic() + timeout
        while True:
            frame = self.receive(max(0.0, end - time.monotonic()))
            assert frame is not None, f"the worker ended after {frames[-3:]}"
            frames.append(frame)
            if self.on_frame is not None:
                self.on_frame(frame)
            if wanted(frame):
                return frames

    # -- requests ---------------------------------------------------------------------------

    def request(
        self,
        kind: str,
        content: dict[str, Any],
        *,
        channel: str = "shell",
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[Bytes] = (),
        header: dict[str, Any] | None = None,
        **head: Any,
    ) -> str:
        """Send a request; its id."""
        self._number += 1
        name = f"m{self._number}"
        top = {"msg_id": name, "msg_type": kind, "session": "s", "username": "u", "version": "5.3"}
        parts = [
            json.dumps(part).encode()
            for part in ({**top, **(header or {})}, metadata or {}, content)
        ]
        self.send(
            {"t": "request", "channel": channel, "type": kind, "id": name, **head},
            [*parts, *buffers],
        )
        return name

    def execute(self, code: str, *, metadata: dict[str, Any] | None = None, **content: Any) -> str:
        """Send an execute_request; its id."""
        return self.request(
            "execute_request", {"code": code, "allow_stdin": True, **content}, metadata=metadata
        )

    def finish(self, name: str, timeout: float = TIMEOUT) -> Ran:
        """Everything up to the idle of a request; frames of other requests are dropped."""
        ran = Ran()
        for frame in self.until(lambda f: is_idle(f, name), timeout):
            if frame.head.get("parent") != name:
                continue
            ran.frames.append(frame)
            if frame.type == "reply":
                ran.reply = json.loads(frame.parts[1])
        return ran

    def run(self, code: str, timeout: float = TIMEOUT, **more: Any) -> Ran:
        """Execute a cell and wait for its end."""
        return self.finish(self.execute(code, **more), timeout)

    def ask(self, kind: str, content: dict[str, Any], **more: Any) -> Ran:
        """Any other request, to its end."""
        return self.finish(self.request(kind, content, **more))

    def query(self, name: str, arguments: dict[str, Any] | None = None) -> Any:
        """One of our own questions; its value."""
        return self._answer({"t": "query", "name": name}, [json.dumps(arguments or {}).encode()])

    # -- checkpoints ------------------------------------------------------------------------

    def order(self, kind: str, **head: Any) -> Any:
        """`checkpoint`, `rewind` or `weigh`; the value of its answer. Raises LookupError."""
        return self._answer({"t": kind, **head})

    def _answer(self, head: dict[str, Any], parts: Sequence[Bytes] = ()) -> Any:
        self._number += 1
        key = f"q{self._number}"
        self.send({"id": key, **head}, parts)
        answer = self.until(lambda f: f.type == "answer" and f.head["id"] == key)[-1]
        value = json.loads(answer.parts[0])
        if not answer.head["ok"]:
            raise LookupError(value)
        return value


def is_idle(frame: Frame, name: str) -> bool:
    """Whether this frame ends a request."""
    return (
        frame.type == "publish"
        and frame.head["type"] == "status"
        and frame.head["parent"] == name
        and json.loads(frame.parts[1])["execution_state"] == "idle"
    )
