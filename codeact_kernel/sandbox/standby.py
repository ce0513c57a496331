"""One sandbox more than is used: started when there is time, so that the next one is there at once.

Rule: it is used once, or thrown away. What it was made for is compared when it is taken: another
policy, folder, interpreter or set of packages, and it is not used. Code never ran in it, and its
last walls are put up, and tested, when it is taken (`late.py`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from codeact_kernel.errors import SandboxError
from codeact_kernel.sandbox import handover, made, usage
from codeact_kernel.sandbox.made import Made
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.spawn import Kind, Spawned
from codeact_kernel.sandbox.warm import warm_up

log = logging.getLogger(__name__)
_SECONDS = 120.0
"""How long the imports may take."""
_TRIES = 3
"""So often in a row it may fail to be made."""
_ROOM = 4
"""The machine has to have this many times the memory that one may take, before one is made."""


class Standby:
    """Owner of the one that waits. Call everything from the event loop's thread.

    `budget` is the bytes it may use: one that uses more is thrown away, and no other is made.
    `on_taken` is called whenever one was wanted: the next may be made. `note`: see `handover`.
    """

    def __init__(
        self, policy: Policy, config: Mapping[str, Any], budget: int, note: Path | None = None
    ) -> None:
        self._note = note
        self.is_left = False
        self._policy = policy
        self._config = config
        self._budget = budget
        self._failures = 0
        self._kind: Kind | None = None
        self._made: Made | None = None
        self._since = 0.0
        self._waiting: Spawned | None = None
        self._making: asyncio.Task[None] | None = None
        self.on_taken: Callable[[], None] = lambda: None

    @property
    def waits(self) -> bool:
        """Is there one?"""
        return self._waiting is not None and self._waiting.process.poll() is None

    def follow(self, kind: Kind) -> None:
        """The one that is used now has this; before that is known, none is made."""
        if kind != self._kind:
            self._kind = kind
            self._drop()

    async def prepare(self) -> None:
        """See that there is one that could be used now, if there can be; returns when it is so.

        Cancelling it leaves nothing of what is not finished.
        """
        if self._making is not None:
            return
        making = self._making = asyncio.get_running_loop().create_task(self._renew())
        try:
            await asyncio.wait([making])
        finally:
            self._making = None
            if not making.done():
                making.cancel()
                await asyncio.wait([making])
        if not making.cancelled():
            making.result()

    async def take(self) -> Spawned | None:
        """The one that waits, when it is what a new one would be; it is the caller's from now on.

        One that is still doing its imports is given up: a new one is there before it.
        """
        self.on_taken()
        if self._making is not None:
            self._making.cancel()
        if not self.waits:
            return None
        spawned, self._waiting = self._waiting, None
        try:
            if spawned is not None:
                spawned.ring()  # it is finished while we look whether it is what is wanted
            if spawned is not None and self._made == await self._wanted():
                taken, spawned = spawned, None
                return taken
        finally:
            if spawned is not None:
                spawned.kill()
        return None

    def hand_over(self) -> None:
        """Leave the one that waits to the next kernel; `is_left` says whether that was possible."""
        if self._note is None or not self.waits or made.is_edited("codeact_kernel", self._since):
            return
        spawned, self._waiting = self._waiting, None
        if spawned is None or self._made is None:
            return
        self.is_left = handover.leave(spawned, made.text(self._made), self._note)
        if not self.is_left:
            spawned.kill()

    def close(self) -> None:
        """Throw it away, made or in the making."""
        if self._making is not None:
            self._making.cancel()
        self._drop()

    async def _renew(self) -> None:
        if self._failures >= _TRIES or self._kind is None:
            return
        if not self.waits and available() < _ROOM * self._budget:
            return
        wanted = await self._wanted()
        if self.waits and wanted == self._made:
            return
        self._drop()
        if wanted is not None:
            await self._make(wanted, self._kind)

    async def _make(self, wanted: Made, kind: Kind) -> None:
        config = {**self._config, "preload": list(wanted.imports)}
        self._since = time.time()
        try:
            spawned = await warm_up(self._policy, config, kind, _SECONDS)
        except (SandboxError, OSError) as error:
            self._failures += 1
            log.info("no sandbox can stand by: %s", error)
            return
        self._failures = 0
        used = usage.exact_memory(usage.tree(spawned.process.pid))
        if used > self._budget:
            log.info("no sandbox stands by any more: one used %d bytes", used)
            self._failures = _TRIES
            spawned.kill()
            return
        self._made, self._waiting = wanted, spawned

    async def _wanted(self) -> Made | None:
        """What one would be made for now. In a thread: it looks at files."""
        imports = tuple(self._config.get("preload") or made.preload())
        return await asyncio.to_thread(made.wanted, self._policy, imports)

    def _drop(self) -> None:
        spawned, self._waiting = self._waiting, None
        if spawned is not None:
            spawned.kill()


def available() -> int:
    """Bytes of memory the machine could give now; 0 when it does not say."""
    try:
        with open("/proc/meminfo") as file:
            lines = (line.split() for line in file)
            return next((int(line[1]) * 1024 for line in lines if line[0] == "MemAvailable:"), 0)
    except OSError:
        return 0
