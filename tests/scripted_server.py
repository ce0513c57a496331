"""An OpenAI-compatible server that says what a test wants: reply k answers a request with k assistant messages.

A reply is a text or a Reply with the way it goes wrong: an error status for the first so many
attempts, a cut in the middle of the stream, a stall. The last reply repeats. Standard library only.
"""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

_PIECE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One reply, and what happens before it: `refusals` are the statuses of the first attempts.

    The next `cuts` attempts break off in the middle of the stream. `stall` waits so many seconds (or
    until the server closes) before the first piece, `pause` before each of the others.
    """

    text: str = ""
    refusals: tuple[int, ...] = ()
    retry_after: float = 0.05
    cuts: int = 0
    stall: float = 0.0
    pause: float = 0.0
    usage: tuple[int, int, int] = (100, 10, 0)
    """Tokens that came in, went out, and of those that came in the cached ones."""


def step(code: str, thought: str = "I go on.") -> str:
    """A reply with code."""
    return f"{thought}\n\n<execute>\n{code}\n</execute>"


def agent(url: str, task: str = "Do it.", options: str = "") -> str:
    """An agent cell that asks the server at `url`."""
    return f"%%agent --model openai/scripted --api-base {url} {options}\n{task}"


class Replies(Protocol):
    """Who knows what to say."""

    def next(self, body: dict[str, Any]) -> tuple[Reply, int]:
        """The reply to this request, and which attempt this is, from 0."""


class ScriptedReplies:
    """The replies of one model, and how often each was asked for."""

    def __init__(self, replies: Sequence[str | Reply]) -> None:
        self._replies = [Reply(text=r) if isinstance(r, str) else r for r in replies]
        self._attempts: dict[int, int] = {}

    def next(self, body: dict[str, Any]) -> tuple[Reply, int]:
        """The reply to this request, and which attempt this is, from 0."""
        said = sum(message["role"] == "assistant" for message in body["messages"])
        place = min(said, len(self._replies) - 1)
        attempt = self._attempts.get(place, 0)
        self._attempts[place] = attempt + 1
        return self._replies[place], attempt


class Recorded:
    """The replies of recorded runs, each a text its first message begins with and what was said.

    A conversation that begins plays the next run with its beginning. `count` counts the tokens of a
    text; those of the request before are taken for cached.
    """

    def __init__(
        self, runs: Sequence[tuple[str, Sequence[str]]], count: Callable[[str], int]
    ) -> None:
        self._runs = list(runs)
        self._count = count
        self._left: list[str] = []
        self._cached = 0

    def next(self, body: dict[str, Any]) -> tuple[Reply, int]:
        """The reply to this request."""
        messages = body["messages"]
        if not any(message["role"] == "assistant" for message in messages):
            asked = next(str(m["content"]) for m in messages if m["role"] == "user")
            place = next((n for n, run in enumerate(self._runs) if asked.startswith(run[0])), 0)
            self._left = list(self._runs.pop(place)[1]) if self._runs else []
            self._cached = 0
        if not self._left:
            return Reply(refusals=(400,) * 100), 0
        text = self._left.pop(0)
        asked_for = sum(self._count(str(message["content"])) for message in messages)
        usage, self._cached = (asked_for, self._count(text), self._cached), asked_for
        return Reply(text=text, usage=usage), 0


def _free_port() -> int:
    """A port below those that are given out for connections."""
    while True:
        port = random.randrange(20_000, 30_000)  # noqa: S311 -- no secret
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port


_PORT = _free_port()
USUAL = f"http://127.0.0.1:{_PORT}/v1"
"""The address of every server of this process that is the only one: kernels are configured for it."""


def _listening(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    try:
        return ThreadingHTTPServer(("127.0.0.1", _PORT), handler)
    except OSError:
        return ThreadingHTTPServer(("127.0.0.1", 0), handler)


class ScriptedServer:
    """`url` goes into --api-base; `requests` are the bodies that came, in order."""

    def __init__(self, replies: Sequence[str | Reply]) -> None:
        self.replies: Replies = ScriptedReplies(replies)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.closing = threading.Event()
        self._http = _listening(_handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=10)

    def next_reply(self, body: dict[str, Any]) -> tuple[Reply, int]:
        """The reply to this request, and which attempt this is, from 0."""
        self.requests.append(body)
        return self.replies.next(body)


@contextmanager
def serving(*replies: str | Reply) -> Iterator[ScriptedServer]:
    """A server for the length of a test."""
    server = ScriptedServer(replies)
    server.start()
    try:
        yield server
    finally:
        server.close()


class _Several(ScriptedServer):
    """Answers each model with its own replies."""

    def __init__(self, models: Mapping[str, Sequence[str | Reply]]) -> None:
        super().__init__(())
        self._models = {name: ScriptedReplies(replies) for name, replies in models.items()}

    def next_reply(self, body: dict[str, Any]) -> tuple[Reply, int]:
        self.requests.append(body)
        return self._models[body["model"]].next(body)


@contextmanager
def several(models: Mapping[str, Sequence[str | Reply]]) -> Iterator[ScriptedServer]:
    """A server with the replies of several models, by name."""
    server = _Several(models)
    server.start()
    try:
        yield server
    finally:
        server.close()


def _handler(server: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length))
            server.keys.append(self.headers.get("Authorization", ""))
            reply, attempt = server.next_reply(body)
            if attempt < len(reply.refusals):
                self._refuse(reply.refusals[attempt], reply.retry_after)
            else:
                server.closing.wait(reply.stall)
                cut = attempt < len(reply.refusals) + reply.cuts
                self._stream(reply, str(body["model"]), cut=cut)

        def _refuse(self, status: int, retry_after: float) -> None:
            error = {"message": f"scripted {status}", "type": "scripted", "code": str(status)}
            self._send(status, "application/json", {"retry-after": str(retry_after)})
            self.wfile.write(json.dumps({"error": error}).encode())

        def _stream(self, reply: Reply, model: str, *, cut: bool) -> None:
            self._send(200, "text/event-stream", {})
            pieces = [reply.text[i : i + _PIECE] for i in range(0, len(reply.text), _PIECE)]
            for piece in pieces[: len(pieces) // 2] if cut else pieces:
                self._chunk(model, {"content": piece})
                server.closing.wait(reply.pause)
            if not cut:
                self._chunk(model, {}, finish="stop")
                self._chunk(model, None, usage=reply.usage)
                self.wfile.write(b"data: [DONE]\n\n")

        def _chunk(
            self,
            model: str,
            delta: dict[str, str] | None,
            finish: str | None = None,
            usage: tuple[int, int, int] | None = None,
        ) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            data: dict[str, Any] = {
                "id": "scripted",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": model,
                "choices": [] if delta is None else [choice],
            }
            if usage is not None:
                data["usage"] = {
                    "prompt_tokens": usage[0],
                    "completion_tokens": usage[1],
                    "total_tokens": usage[0] + usage[1],
                    "prompt_tokens_details": {"cached_tokens": usage[2]},
                }
            self.wfile.write(f"data: {json.dumps(data)}\n\n".encode())
            self.wfile.flush()

        def _send(self, status: int, kind: str, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"content-type": kind, "connection": "close", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            """Tests are quiet."""

        def handle(self) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):  # some tests want it to go away
                super().handle()

    return Handler
