"""matplotlib's font list: made once per user and environment, then given to every sandbox.

Rule: it is made in a throw-away sandbox, in the background, and taken out as data.
"""

from __future__ import annotations

import asyncio
import importlib.util
from dataclasses import replace
from pathlib import Path

from codeact_kernel.errors import SandboxError
from codeact_kernel.sandbox import fontstore
from codeact_kernel.sandbox.ended import Ended
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.process import launch
from codeact_kernel.wire import Frame

_MODULE = "codeact_kernel.sandbox.fontlist"
_SECONDS = 120.0


async def ensure(policy: Policy) -> Path | None:
    """The font list, made now when there is none: seconds of one processor, outside this one.

    None when there is no matplotlib, no `policy.state`, or it could not be made; the next plot then
    makes its own, in its own sandbox. Cancelling it ends the sandbox it is made in.
    """
    if policy.state is None or importlib.util.find_spec("matplotlib") is None:
        return None
    if found := fontstore.find(policy.state):
        return found
    try:
        frame = await asyncio.wait_for(_build(policy), _SECONDS)
        return fontstore.keep(policy.state, frame.head.get("name"), b"".join(frame.parts[:1]))
    except (SandboxError, TimeoutError, OSError):
        return None


async def _build(policy: Policy) -> Frame:
    """What the module inside sends: the file's name and its bytes."""
    policy = replace(policy, workspace=None, isolation="auto", egress=None)
    sandbox = await launch(policy, {}, module=_MODULE)
    frame: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()

    def arrived(sent: Frame) -> None:
        if not frame.done():
            frame.set_result(sent)

    def ended(reason: Ended) -> None:
        if not frame.done():
            frame.set_exception(SandboxError(str(reason)))

    try:
        sandbox.listen(arrived, ended)
        return await frame
    finally:
        sandbox.kill()
