"""The one way out of a sandbox with an allowlist: a listener on its own loopback, served outside.

Rule: made in the sandbox's network before any wall stands, handed out through a socket that exists
for nothing else, and closed here. From then on nobody inside holds it, nobody inside can make
another (bind and listen are refused), and whoever connects to it speaks to the proxy outside.
"""

from __future__ import annotations

import socket

PORT = 3128
"""As proxies have it by custom. Nothing else of the sandbox's network listens."""
ADDRESS = ("127.0.0.1", PORT)
FAMILIES = (socket.AF_INET,)
"""What code may then open, as connected streams."""
_WAITING = 64


def hand_out(channel: int) -> None:
    """Listen, send the listener through the descriptor `channel`, keep neither. Raises OSError."""
    with socket.socket(fileno=channel) as outside, socket.socket() as listener:
        listener.bind(ADDRESS)
        listener.listen(_WAITING)
        socket.send_fds(outside, [b"d"], [listener.fileno()])


def take(channel: socket.socket) -> socket.socket:
    """The listener that was handed out, on the other side. Raises OSError when it is not one."""
    channel.setblocking(False)
    _, handles, _, _ = socket.recv_fds(channel, 1, 1, socket.MSG_CMSG_CLOEXEC)
    if not handles:
        raise OSError("no listener came")
    listener = socket.socket(fileno=handles[0])
    listens = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if listener.family != socket.AF_INET or not listens or listener.getsockname() != ADDRESS:
        listener.close()
        raise OSError("what came is not the listener")
    return listener
