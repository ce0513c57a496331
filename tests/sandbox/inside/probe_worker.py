"""A worker for tests: runs each program it is sent and sends its `answer` back as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from typing import Any

from codeact_kernel.wire import Decoder, encode


def main() -> None:
    """Serve until the wire closes; a program's exception is answered as its type and text."""
    if late := globals().get("late"):
        wire = os.dup(int(sys.argv[1]))
        late.complete()
        os.dup2(wire, int(sys.argv[1]))
        os.close(wire)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)
        os.chdir(json.loads(sys.argv[2])["workspace"] or ".")
    stream = socket.socket(fileno=int(sys.argv[1]))
    decoder = Decoder()
    names: dict[str, Any] = {"wire": stream, "config": json.loads(sys.argv[2])}
    while data := stream.recv(1 << 20):
        for frame in decoder.feed(data):
            reply = json.dumps(run(frame.parts[0].decode(), names)).encode()
            stream.sendall(b"".join(bytes(piece) for piece in encode({"t": "answer"}, (reply,))))


def run(program: str, names: dict[str, Any]) -> dict[str, Any]:
    """{"answer": value} or {"error": "Type: text"}."""
    names["answer"] = None
    try:
        exec(compile(program, "<program>", "exec"), names)  # noqa: S102 - what it is for
    except BaseException as error:  # noqa: BLE001 - an answer too
        return {"error": f"{type(error).__name__}: {error}"}
    return {"answer": names["answer"]}


if __name__ == "__main__":
    main()
