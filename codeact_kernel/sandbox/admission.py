"""Before a sandbox is used: what it has to say first, and what it is judged by.

Rule: its first frame is the report of the self-test inside; a demand of the policy that the report
does not meet, or anything else in its place, refuses it.
"""

from __future__ import annotations

import asyncio
import socket
import time

from codeact_kernel.errors import SandboxRefused
from codeact_kernel.sandbox import report as reports
from codeact_kernel.sandbox.report import Report
from codeact_kernel.sandbox.spawn import Spawned
from codeact_kernel.wire import BadFrame, Decoder, Frame

SELFTEST_SECONDS = 20.0
"""Far beyond the 50 ms it takes: a loaded machine is not a broken sandbox."""
_CHUNK = 1 << 20


async def first_frames(
    spawned: Spawned, decoder: Decoder, seconds: float = SELFTEST_SECONDS
) -> list[Frame]:
    """The self-test, or that it is warm, and what came with it. Raises SandboxRefused with the reason as a clause."""
    loop = asyncio.get_running_loop()
    spawned.socket.setblocking(False)
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        try:
            data = await asyncio.wait_for(loop.sock_recv(spawned.socket, _CHUNK), left)
        except TimeoutError:
            raise SandboxRefused(f"it said nothing within {seconds:g} s") from None
        except OSError:
            data = b""
        if not data:
            raise SandboxRefused(spawned.last_words() or "it ended before it said anything")
        try:
            if frames := list(decoder.feed(data)):
                return frames
        except BadFrame as error:
            raise SandboxRefused(f"its first frame was not one: {error}") from None


def read_selftest(frame: Frame, spawned: Spawned) -> Report:
    """The report in a sandbox's first frame, when it meets the policy. Raises SandboxRefused."""
    if frame.type != "selftest" or len(frame.parts) != 1:
        raise SandboxRefused("its first frame was not the self-test")
    report = reports.read(frame.parts[0], spawned.backend, spawned.notes, spawned.memory_guard)
    if unmet := reports.verify(report, spawned.policy):
        raise SandboxRefused("; ".join(unmet))
    if spawned.bell is not None and report.staging not in ("", "done"):
        raise SandboxRefused(f"what code writes could not be staged any more ({report.staging})")
    return report


def listener(spawned: Spawned) -> socket.socket | None:
    """Where the sandbox's clients of the proxy come in; None without an allowlist."""
    if spawned.doorway is None:
        return None
    from codeact_kernel.sandbox.layers import doorway

    try:
        return doorway.take(spawned.doorway)
    except OSError as error:
        raise SandboxRefused(f"its way to the network proxy did not come: {error}") from None
