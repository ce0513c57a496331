"""The agent's half of this kernel, imported when a client first speaks of it.

Rule: what most cells never need does not make every kernel start later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from codeact_kernel.kernel.channels.messages import Bytes, Incoming

if TYPE_CHECKING:
    from codeact_kernel.kernel.cells.agent_queue import AgentQueue


class Deferred:
    """Stands in for the AgentQueue until a message may concern it; relay.Agent."""

    def __init__(self, make: Callable[[], AgentQueue]) -> None:
        self._make = make
        self._queue: AgentQueue | None = None

    def takes(self, message: Incoming) -> bool:
        if self._queue is None:
            if not _may_concern(message):
                return False
            self._queue = self._make()
        return self._queue.takes(message)

    def owns_comm(self, comm_id: str) -> bool:
        return self._queue is not None and self._queue.owns_comm(comm_id)

    def named_in(self, content: Bytes) -> bool:
        return self._queue is not None and self._queue.named_in(content)

    def busy_header(self) -> bytes | None:
        return None if self._queue is None else self._queue.busy_header()

    def sandbox_changed(self) -> None:
        if self._queue is not None:
            self._queue.sandbox_changed()

    def stop(self) -> bool:
        return self._queue is not None and self._queue.stop()

    async def close(self) -> None:
        """The kernel ends."""
        if self._queue is not None:
            await self._queue.close()


def _may_concern(message: Incoming) -> bool:
    if message.type == "execute_request":
        return b"agent" in message.content or b"%pip" in message.content
    if message.type == "complete_request":
        return b"%agent" in message.content
    return message.type == "comm_open" and b"codeact" in message.content
