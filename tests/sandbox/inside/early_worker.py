"""A worker for tests: says five things at once and ends."""

from __future__ import annotations

import socket
import sys

from codeact_kernel.wire import encode

if __name__ == "__main__":
    stream = socket.socket(fileno=int(sys.argv[1]))
    for number in range(5):
        stream.sendall(b"".join(bytes(piece) for piece in encode({"t": f"early{number}"})))
