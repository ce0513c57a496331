"""A worker for tests: runs each program in a fork of its own and sends back what it wrote."""

from __future__ import annotations

import contextlib
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
    """Everything the program wrote; what is left of it after `seconds` is killed."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        become(code, names, theirs)
    os.close(theirs)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    said = listen(ours, time.monotonic() + seconds)
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
        import arsenal

        exec(compile(code, "<program>", "exec"), {**vars(arsenal), **names})  # noqa: S102
    except BaseException:  # noqa: BLE001 - it is what most of them end with
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        os._exit(0)


def listen(pipe: int, deadline: float) -> bytes:
    """What comes until everybody has closed it or the time is over."""
    said = bytearray()
    while len(said) < _MOST:
        ready, _, _ = select.select([pipe], [], [], max(deadline - time.monotonic(), 0))
        data = os.read(pipe, 65536) if ready else b""
        if not data:
            break
        said += data
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
