"""One sandbox more than is used: started when there is time, so that the next one is there at once.

Rule: it is used once, or thrown away. What it was made for is compared when it is taken: another
policy, folder, interpreter or set of packages, and it is not used. Code never ran in it.

There is none where two sandboxes at a time would get in each other's way: in mode cow, whose layer
one mount may write to, and with an allowlist, whose bytes are counted for one proxy at a time.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from codeact_kernel.errors import SandboxError
from codeact_kernel.sandbox import usage, visible, workspace
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.process import Sandbox, launch

log = logging.getLogger(__name__)
PRELOAD = ("numpy", "pandas", "matplotlib")
"""What nearly every notebook imports, and what takes longest; those that are installed."""
_SECONDS = 120.0
"""How long the imports may take."""
_ROOM = 4
"""The machine has to have this many times the memory that one may take, before one is made."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a sandbox was made for. Two that are equal show and allow the same."""

    policy: Policy
    seen: visible.Visible
    folders: tuple[workspace.Workspace, ...]
    installed: tuple[tuple[str, int], ...]
    """Each place packages are found in, and when something was last installed there (ns)."""

    @property
    def is_staged(self) -> bool:
        """Is there a layer over a folder that takes the writes?"""
        return any(folder.mode == "cow" for folder in self.folders)


class Standby:
    """Owner of the one that waits. Call everything from the event loop's thread.

    `budget` is the bytes it may use: one that uses more is thrown away, and no other is made.
    `on_taken` is called whenever one was wanted: the next may be made.
    """

    def __init__(self, policy: Policy, config: Mapping[str, Any], budget: int) -> None:
        self._policy = policy
        self._config = config
        self._budget = budget
        self._given_up = False
        self._made: Made | None = None
        self._sandbox: Sandbox | None = None
        self._making: asyncio.Task[None] | None = None
        self.on_taken: Callable[[], None] = lambda: None

    @property
    def waits(self) -> bool:
        """Is there one?"""
        return self._sandbox is not None and not self._sandbox.over

    async def prepare(self) -> None:
        """Make one when there is none and there can be; returns when it has done its imports.

        Cancelling it leaves nothing of it.
        """
        if self.waits or self._making is not None or not self._is_possible():
            return
        self._drop()
        making = self._making = asyncio.get_running_loop().create_task(self._make())
        try:
            await asyncio.wait([making])
        finally:
            self._making = None
            if not making.done():
                making.cancel()
                await asyncio.wait([making])

    def take(self) -> Sandbox | None:
        """The one that waits, when it is what a new one would be; it is the caller's from now on.

        One that is still doing its imports is given up: a new one is there before it.
        """
        self.on_taken()
        if self._making is not None:
            self._making.cancel()
        sandbox, self._sandbox = self._sandbox, None
        if sandbox is None or sandbox.over:
            return None
        if self._made is None or self._made != self._wanted():
            sandbox.kill()
            return None
        sandbox.watch_anew()
        return sandbox

    def close(self) -> None:
        """Throw it away, made or in the making."""
        if self._making is not None:
            self._making.cancel()
        self._drop()

    def _is_possible(self) -> bool:
        if self._given_up or self._policy.egress is not None:
            return False
        wanted = self._wanted()
        if wanted is None or wanted.is_staged:
            return False
        return available() >= _ROOM * self._budget

    async def _make(self) -> None:
        made = self._wanted()
        config = {**self._config, "preload": list(self._config.get("preload") or preload())}
        try:
            sandbox = await launch(self._policy, config)
        except (SandboxError, OSError) as error:
            log.info("no sandbox can stand by: %s", error)
            return
        try:
            async with asyncio.timeout(_SECONDS):
                await sandbox.until_heard("ready")
        except TimeoutError:
            self._give_up(sandbox, f"had not done its imports after {_SECONDS:g} s")
            return
        except BaseException:
            sandbox.kill()
            raise
        if sandbox.over:
            return
        used = usage.exact_memory(usage.tree(sandbox.pid))
        if used > self._budget:
            self._give_up(sandbox, f"used {used} bytes")
            return
        self._made, self._sandbox = made, sandbox

    def _give_up(self, sandbox: Sandbox, why: str) -> None:
        """Another one would not be better."""
        log.info("no sandbox stands by any more: one %s", why)
        self._given_up = True
        sandbox.kill()

    def _wanted(self) -> Made | None:
        """What a sandbox that was started now would be made for; None when that cannot be found out."""
        homes = workspace.home_folders()
        try:
            seen = visible.environment(homes, os.getcwd())
            shown = workspace.examine(self._policy, homes, seen)
            mounts, _ = workspace.examine_mounts(self._policy, seen, shown)
        except OSError:
            return None
        return Made(self._policy, seen, (shown, *mounts), _installed(seen.search))

    def _drop(self) -> None:
        sandbox, self._sandbox = self._sandbox, None
        if sandbox is not None:
            sandbox.kill()


def preload() -> list[str]:
    """What of PRELOAD is installed."""
    return [name for name in PRELOAD if importlib.util.find_spec(name) is not None]


def available() -> int:
    """Bytes of memory the machine could give now; 0 when it does not say."""
    try:
        with open("/proc/meminfo") as file:
            lines = (line.split() for line in file)
            return next((int(line[1]) * 1024 for line in lines if line[0] == "MemAvailable:"), 0)
    except OSError:
        return 0


def _installed(search: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    found = []
    for path in search:
        try:
            found.append((path, os.stat(path).st_mtime_ns))
        except OSError:
            continue
    return tuple(found)
