"""A sandbox that is not finished yet: its imports are done, and it waits to be taken.

Rule: no code runs in it and nothing was proved of it. `process.launch` finishes it, hears its
self-test and decides, as with one that has just been started.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from codeact_kernel.errors import SandboxRefused
from codeact_kernel.sandbox import admission
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.spawn import WORKER, Kind, Spawned, spawn
from codeact_kernel.wire import Decoder


async def warm_up(
    policy: Policy, config: Mapping[str, Any], kind: Kind, seconds: float, *, module: str = WORKER
) -> Spawned:
    """Start one of this kind and wait for its imports. Raises SandboxRefused; leaves nothing then."""
    spawned = spawn(policy, config, module=module, standby=kind)
    try:
        await _until_warm(spawned, time.monotonic() + seconds)
    except BaseException:
        spawned.kill()
        raise
    return spawned


async def _until_warm(spawned: Spawned, deadline: float) -> None:
    decoder = Decoder()
    for frame in await admission.first_frames(spawned, decoder, deadline - time.monotonic()):
        if frame.type != "warm":
            raise SandboxRefused(f"it said {frame.type!r} before it was taken")
