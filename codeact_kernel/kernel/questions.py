"""The one open question to a person: who was asked, and who takes the answer.

Rule: a question goes to the client whose cell it belongs to and to no other, and only that client's
first answer is taken. Code inside and this kernel itself never have a question open together.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from codeact_kernel.kernel.messages import Incoming
from codeact_kernel.kernel.publisher import Publisher

log = logging.getLogger(__name__)
_MAX_ANSWER = 1_000_000


class Questions:
    """Owner of the open question."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._client: Incoming | None = None
        self._owner: object = None
        self._take: Callable[[str], None] = lambda text: None

    def open(
        self,
        client: Incoming,
        prompt: str,
        password: bool,
        take: Callable[[str], None],
        owner: object,
    ) -> None:
        """Ask; `take` gets the answer. A question that was open before is forgotten."""
        self._client, self._take, self._owner = client, take, owner
        self._publisher.ask(client, prompt, password)

    def close(self, owner: object) -> None:
        """Nobody waits for the answer to this owner's question any more."""
        if self._owner is owner:
            self._client = self._owner = None

    async def ask(self, client: Incoming, prompt: str) -> str:
        """Ask and wait; cancelling withdraws the question."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.open(client, prompt, False, lambda text: _settle(answer, text), answer)
        try:
            return await answer
        finally:
            self.close(answer)

    def on_message(self, message: Incoming) -> None:
        """An input_reply. Raises BadMessage when it is not one."""
        client = self._client
        if client is None or message.type != "input_reply" or message.idents != client.idents:
            log.warning("dropped an answer to a question nobody asked")
            return
        text = message.read_content().get("value")
        self._client = self._owner = None
        self._take(text[:_MAX_ANSWER] if isinstance(text, str) else "")


def _settle(answer: asyncio.Future[str], text: str) -> None:
    if not answer.done():
        answer.set_result(text)
