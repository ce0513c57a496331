"""The one step that waits for its cell to be executed, and the request that lets it pass.

Rule: a token is good once, for one step, while that step waits. A request with any other token
executes nothing. Only a client's own shell request gets here: nothing inside can send one.
"""

from __future__ import annotations

import asyncio
import secrets

from codeact_kernel.kernel.channels.messages import BadMessage, Incoming
from codeact_kernel.trace.values import Reject


class Turnstile:
    """Owner of the waiting step. One step waits at a time: for a page that executes its cell, or for
    the user, who may also refuse it. `rest`: the user lets all others of this run pass, too.
    """

    def __init__(self) -> None:
        self.rest = False
        self._cell = ""
        self._asked = ""
        self._token = ""
        self._answer: asyncio.Future[Incoming | Reject] | None = None
        self._passed: Incoming | None = None

    def open(self, cell: str) -> str:
        """Let this cell pass; the token its request has to bring. Nobody is asked about it any more."""
        self._cell, self._token = cell, secrets.token_urlsafe(16)
        self._answer = asyncio.get_running_loop().create_future()
        return self._token

    def ask(self, cell: str) -> str:
        """Let this cell pass, or the user refuse it; the token its request has to bring."""
        self._asked = cell
        return self.open(cell)

    async def wait(self) -> Incoming | Reject:
        """The request, or the refusal. However this is left, the turnstile is closed."""
        if self._answer is None:
            raise AssertionError("nobody opened it")
        try:
            return await self._answer
        finally:
            self._cell = self._asked = self._token = ""
            self._answer = None

    def take(self, token: str, message: Incoming) -> bool:
        """A request with a token; False when it is not the one that is waited for.

        Raises BadMessage when it has no code.
        """
        waiting = self._waiting
        if waiting is None or not secrets.compare_digest(token.encode(), self._token.encode()):
            return False
        code_of(message)
        self._passed = message
        waiting.set_result(message)
        return True

    def claim(self) -> Incoming | None:
        """The request that was let pass and has not been claimed yet: it wants an answer."""
        passed, self._passed = self._passed, None
        return passed

    def refuse(self, cell: str, reason: str) -> bool:
        """The user will not run this cell; False when it does not wait for the user."""
        waiting = self._waiting
        if waiting is None or not cell or cell != self._asked:
            return False
        waiting.set_result(Reject(reason=reason))
        return True

    @property
    def cell(self) -> str:
        """The cell that waits, "" for none."""
        return self._cell if self._waiting is not None else ""

    @property
    def asked(self) -> str:
        """The cell that waits for the user's approval, "" for none."""
        return self._asked if self._waiting is not None else ""

    @property
    def _waiting(self) -> asyncio.Future[Incoming | Reject] | None:
        return self._answer if self._answer is not None and not self._answer.done() else None


def code_of(message: Incoming) -> str:
    """The code of an execute_request. Raises BadMessage."""
    code = message.read_content().get("code")
    if not isinstance(code, str):
        raise BadMessage("a request to execute without code")
    return code
