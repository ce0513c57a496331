"""The one open question to a person: who was asked, and who takes the answer.

Rule: a question goes to the client whose cell it belongs to and to no other, and only that client's
first answer to this very question is taken: an answer that comes late to a question that was closed
answers nothing. Code inside and this kernel itself never have a question open together.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from codeact_kernel.kernel.channels.messages import BadMessage, Incoming
from codeact_kernel.kernel.channels.publisher import Publisher

log = logging.getLogger(__name__)
_MAX_ANSWER = 1_000_000
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    client: Incoming
    prompt: str
    password: bool
    take: Callable[[str], None]
    owner: object


class Questions:
    """Owner of the open question, and of the closed ones that may still be answered."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._open: _Question | None = None
        self._id = ""
        self._closed: OrderedDict[str, tuple[bytes, ...]] = OrderedDict()

    def open(
        self,
        client: Incoming,
        prompt: str,
        password: bool,
        take: Callable[[str], None],
        owner: object,
    ) -> None:
        """Ask; `take` gets the answer. A question that was open before is closed."""
        self._withdraw()
        self._open = _Question(
            client=client, prompt=prompt, password=password, take=take, owner=owner
        )
        self._id = self._publisher.ask(client, prompt, password)

    def close(self, owner: object) -> None:
        """Nobody waits for the answer to this owner's question any more."""
        if self._open is not None and self._open.owner is owner:
            self._withdraw()

    def hand_over(self, owner: object, client: Incoming) -> None:
        """Ask another client what this owner asks: the one who was asked is gone."""
        question = self._open
        if question is not None and question.owner is owner:
            self.open(client, question.prompt, question.password, question.take, owner)

    def _withdraw(self) -> None:
        if self._open is not None:
            self._closed[self._id] = self._open.client.idents
            self._open = None
            if len(self._closed) > _REMEMBERED:
                self._closed.popitem(last=False)

    async def ask(self, client: Incoming, prompt: str) -> str:
        """Ask and wait; cancelling withdraws the question."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.open(client, prompt, False, lambda text: _settle(answer, text), answer)
        try:
            return await answer
        finally:
            self.close(answer)

    def on_message(self, message: Incoming) -> None:
        """A message of a client on stdin. Never raises."""
        try:
            self._answer(message)
        except BadMessage as error:
            log.warning("dropped an answer: %s", error)

    def _answer(self, message: Incoming) -> None:
        if message.type != "input_reply" or self._is_late(message):
            return
        question = self._open
        if question is None or message.idents != question.client.idents:
            log.warning("dropped an answer to a question nobody asked")
            return
        text = message.read_content().get("value")
        self._open = None
        question.take(text[:_MAX_ANSWER] if isinstance(text, str) else "")

    def _is_late(self, message: Incoming) -> bool:
        """Whether it answers, or may answer, a question that was closed.

        Many clients do not say what they answer. Then the oldest closed question they may have on
        the screen is taken to be the one, and the open question is asked again.
        """
        asked = message.read_parent().get("msg_id")
        if asked:
            self._closed.pop(str(asked), None)
            return bool(asked != self._id)
        mine = [each for each, idents in self._closed.items() if idents == message.idents]
        if not mine:
            return False
        del self._closed[mine[0]]
        question = self._open
        if question is not None and question.client.idents == message.idents:
            self._id = self._publisher.ask(question.client, question.prompt, question.password)
        return True


def _settle(answer: asyncio.Future[str], text: str) -> None:
    if not answer.done():
        answer.set_result(text)
