"""A worker for tests: runs each program in a fork of its own and sends back what it wrote."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from typing import Any, NoReturn

from codeact_kernel.wire import Decoder, encode

ARSENAL = vars(importlib.import_module("arsenal"))
_MOST = 300_000


def main() -> None:
    """Serve until the wire closes. A frame's parts: the program, the names it may use."""
    stream = socket.socket(fileno=int(sys.argv[1]))
    decoder = Decoder()
    while data := stream.recv(1 << 20):
        for frame in decoder.feed(data):
            code, names = frame.parts
            said = run(code.decode(), json.loads(names), frame.head["seconds"])
            stream.sendall(b"".join(bytes(p) for p in encode({"t": "said"}, (said,))))


def run(code: str, names: dict[str, Any], seconds: float) -> bytes:
    """Everything the program wrote until it ended, or was killed after `seconds`.

    What it left running in other groups goes on.
    """
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        become(code, names, theirs)
    os.close(theirs)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    said = listen(ours, os.pidfd_open(pid), time.monotonic() + seconds)
    os.close(ours)
    for end in (lambda: os.killpg(pid, signal.SIGKILL), lambda: os.kill(pid, signal.SIGKILL)):
        with contextlib.suppress(OSError):
            end()
    reap(pid, time.monotonic() + 5)
    return said


def become(code: str, names: dict[str, Any], output: int) -> NoReturn:
    """The program is this process now."""
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        exec(compile(code, "<program>", "exec"), {**ARSENAL, **names})  # noqa: S102
    except BaseException:  # noqa: BLE001 - it is what most of them end with
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        os._exit(0)


def listen(pipe: int, program: int, deadline: float) -> bytes:
    """What comes until the program has ended or the time is over."""
    said = bytearray()
    over = False
    while len(said) < _MOST and not over:
        left = max(deadline - time.monotonic(), 0)
        ready, _, _ = select.select([pipe, program], [], [], left)
        over = pipe not in ready
        data = os.read(pipe, 65536) if pipe in ready else b""
        over = over or not data
        said += data
    os.close(program)
    return bytes(said)


def reap(pid: int, deadline: float) -> None:
    """Bury the program, and whoever was left to us."""
    while time.monotonic() < deadline:
        try:
            found, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if found == pid:
            return
        if found == 0:
            time.sleep(0.001)


if __name__ == "__main__":
    main()
