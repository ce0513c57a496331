"""What the outer side asks the sandbox, and the answers.

Rule: every question ends: with an answer, with the sandbox, or after half a minute. An answer is
checked JSON and otherwise whatever the sandbox likes to say; who asked has to look at it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from codeact_kernel.errors import SandboxError
from codeact_kernel.kernel.channels.messages import BadMessage, as_value
from codeact_kernel.wire import Bytes, Frame

_SECONDS = 30.0
_LONGEST = 1000


class Queries:
    """Owner of the open questions. `send` sends a frame; it may raise SandboxRefused."""

    def __init__(self, send: Callable[[dict[str, Any], Sequence[Bytes]], None]) -> None:
        self._send = send
        self._open: dict[str, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)

    async def ask(self, head: dict[str, Any], parts: Sequence[Bytes] = ()) -> Any:
        """Send this frame with an id of its own; the value of its answer. Raises SandboxError."""
        name = f"q{next(self._numbers)}"
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._open[name] = future
        try:
            self._send({**head, "id": name}, parts)
            async with asyncio.timeout(_SECONDS):
                return await future
        except TimeoutError as error:
            raise SandboxError(f"The sandbox did not answer within {_SECONDS:g} s.") from error
        finally:
            self._open.pop(name, None)

    def answered(self, frame: Frame) -> None:
        """An `answer` has come; one that nobody waits for is nothing."""
        future = self._open.get(str(frame.head.get("id")))
        if future is None or future.done():
            return
        try:
            value = as_value(frame.parts[0])
        except (BadMessage, IndexError):
            future.set_exception(SandboxError("The sandbox gave an answer that is not JSON."))
            return
        if frame.head.get("ok") is True:
            future.set_result(value)
        else:
            future.set_exception(SandboxError(str(value)[:_LONGEST]))

    def fail(self, error: SandboxError) -> None:
        """There will be no answer to what is open now."""
        for future in self._open.values():
            if not future.done():
                future.set_exception(error)
