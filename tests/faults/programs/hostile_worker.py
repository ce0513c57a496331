"""A worker for tests that does with a cell what its code names, and never what it is asked to.

Its argument `mode` says how it begins: "ready", "silent" (never ready) or "ends".
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

from codeact_kernel.wire import Decoder, encode


class Hostile:
    """The stream, and what it does with each code."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream

    def say(self, head: dict[str, Any], *parts: bytes) -> None:
        """One frame."""
        self._stream.sendall(b"".join(bytes(piece) for piece in encode(head, parts)))

    def publish(self, parent: str, kind: str, content: object) -> None:
        """An iopub message."""
        head = {"t": "publish", "type": kind, "parent": parent}
        self.say(head, b"{}", json.dumps(content).encode())

    def run(self, parent: str, code: str) -> None:
        """What the code names; anything else is answered well."""
        match code:
            case "silent":
                pass
            case "busy":
                while True:
                    self.publish(parent, "status", {"execution_state": "busy"})
                    time.sleep(0.01)
            case "half":
                whole = b"".join(bytes(p) for p in encode({"t": "log"}, [bytes(1 << 20)]))
                self._stream.sendall(whole[: len(whole) // 2])
                time.sleep(1000)
            case "text":
                while True:
                    self.say({"t": "stream", "name": "stdout", "parent": parent}, b"x" * 10_000)
            case "displays":
                while True:
                    content = {"data": {"text/plain": "x" * 1000}, "metadata": {}}
                    self.publish(parent, "display_data", content)
            case "nonsense":
                while True:
                    self.say({"t": "reply", "type": "execute_reply", "parent": "nobody"})
            case "exit":
                os._exit(3)
            case _:
                self.publish(parent, "status", {"execution_state": "busy"})
                reply = {"t": "reply", "type": "execute_reply", "parent": parent}
                self.say(reply, b"{}", b'{"status": "ok", "execution_count": 1}')
                self.publish(parent, "status", {"execution_state": "idle"})

    def requests(self) -> Iterator[tuple[str, str]]:
        """(id, code) of what comes."""
        decoder = Decoder()
        while data := self._stream.recv(1 << 20):
            for frame in decoder.feed(data):
                if frame.type == "shutdown":
                    return
                if frame.type == "request" and frame.head["type"] == "execute_request":
                    yield frame.head["id"], json.loads(frame.parts[2])["code"]


def main() -> None:
    """Arguments: the wire, and the configuration as JSON."""
    hostile = Hostile(socket.socket(fileno=int(sys.argv[1])))
    mode = json.loads(sys.argv[2])["mode"]
    if mode == "ends":
        return
    if mode == "ready":
        hostile.say({"t": "ready", "pid": 2, "python": "3"}, b"{}")
    for parent, code in hostile.requests():
        hostile.run(parent, code)


if __name__ == "__main__":
    main()
