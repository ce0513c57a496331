"""What is prepared for later while nothing runs: bytecode, the font list, the sandbox that stands by.

Rule: nothing waits for this, and when it fails nobody misses it. What takes a processor begins
seconds after the last thing the user asked for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

from codeact_kernel.errors import SandboxRefused
from codeact_kernel.kernel.relay.link import Link
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.standby import Standby

log = logging.getLogger(__name__)
_QUIET_SECONDS = 5.0
"""How long nothing has to happen before something is prepared."""
_LONGEST = 1800.0
"""Seconds without a cell after which the sandbox that stands by is given up: its memory is not ours."""


class Background:
    """Runs from `start` to `close`. `is_busy`: does anything run or wait inside?"""

    def __init__(
        self, link: Link, policy: Policy, standby: Standby | None, is_busy: Callable[[], bool]
    ) -> None:
        self._link = link
        self._policy = policy
        self._standby = standby
        self._is_busy = is_busy
        self._stirred = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        if standby is not None:
            standby.on_taken = self.stir

    def start(self) -> None:
        """Begin, on the running loop."""
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(self._quietly(self._compile())))
        self._tasks.append(loop.create_task(self._quietly(self._make_font_list())))
        if self._standby is not None:
            keeping = self._quietly(self._keep_one_more(self._standby))
            self._tasks.append(loop.create_task(keeping))

    def stir(self) -> None:
        """The user runs something: one more sandbox may soon be needed, but not now."""
        self._stirred.set()

    async def close(self, restart: bool) -> None:
        """Leave everything as it is; behind, when this is a restart, what the next kernel can use."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._standby is not None:
            if restart:
                self._standby.hand_over()
            self._standby.close()

    async def _quietly(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except SandboxRefused:
            pass
        except Exception:
            log.exception("something could not be prepared")

    async def _compile(self) -> None:
        """Once for each installation, where the installer did not; the next start is faster."""
        await self._link.until_ready()
        await asyncio.sleep(_QUIET_SECONDS)
        from codeact_kernel.sandbox import bytecode

        await bytecode.ensure(bytecode.PACKAGES)

    async def _make_font_list(self) -> None:
        """Once for each environment, so that no first plot has to; when the start is long over."""
        await self._link.until_ready()
        await asyncio.sleep(_QUIET_SECONDS)
        from codeact_kernel.sandbox import fonts

        await fonts.ensure(self._policy)

    async def _keep_one_more(self, standby: Standby) -> None:
        """Not before the first cell: a notebook that is only looked at costs no more than it must."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            await asyncio.sleep(_QUIET_SECONDS)
            if self._is_busy():
                self._stirred.set()
                continue
            await self._link.until_ready()
            await standby.prepare()
            try:
                async with asyncio.timeout(_LONGEST):
                    await self._stirred.wait()
            except TimeoutError:
                standby.close()
