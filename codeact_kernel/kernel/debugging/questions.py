"""Questions to the debugger inside, over the wire, and what comes back for each.

Rule: a response counts only when it answers what was asked, by number and command, and for
`patience` seconds. Nothing inside can make anybody wait longer.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

from codeact_kernel.kernel.channels.messages import BadMessage
from codeact_kernel.kernel.debugging import dap
from codeact_kernel.kernel.relay.link import Link

PATIENCE = 30.0
_FROM_INSIDE = 0  # what the kernel inside asked pydevd itself
Body = dict[str, Any]


class Failed(Exception):
    """A question was not answered, or not well; the text is for the user."""


class DapQuestions:
    """Owner of the questions that are open. Each returns the body of a good response or raises Failed."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.patience = PATIENCE
        self._numbers = itertools.count(1)
        self._open: dict[int, tuple[str, asyncio.Future[dap.Response]]] = {}

    async def pydevd(self, command: str, arguments: Body) -> Body:
        """Ask pydevd. Raises Failed, SandboxRefused, BadFrame."""
        return await self._ask("pydevd", command, arguments)

    async def kernel(self, command: str, arguments: Body) -> Body:
        """Ask the kernel beside it, while a debugger is attached. Raises as `pydevd`."""
        return await self._ask("kernel", command, arguments)

    async def between_cells(self, command: str, arguments: Body) -> Body:
        """As `kernel`, when no debugger is attached. Raises Failed, SandboxError, BadMessage."""
        question = {"seq": 0, "command": command, "arguments": arguments}
        return _good(dap.read_response(await self._link.query("dap", question)))

    async def _ask(self, whom: str, command: str, arguments: Body) -> Body:
        number = next(self._numbers)
        question = {"type": "request", "seq": number, "command": command, "arguments": arguments}
        future: asyncio.Future[dap.Response] = asyncio.get_running_loop().create_future()
        self._open[number] = command, future
        try:
            self._link.send({"t": "dap", "to": whom}, (json.dumps(question).encode(),))
            async with asyncio.timeout(self.patience):
                return _good(await future)
        except TimeoutError as error:
            raise Failed(f"The debugger did not answer within {self.patience:g} s.") from error
        finally:
            del self._open[number]

    def answered(self, response: dap.Response) -> None:
        """A response from inside. Raises BadMessage when it answers nothing."""
        if response.seq == _FROM_INSIDE:
            return
        command, future = self._open.get(response.seq, ("", None))
        if future is None or future.done() or command != response.command:
            raise BadMessage("a debugger's response to nothing that is open")
        future.set_result(response)

    def close(self) -> None:
        """Nobody inside will answer."""
        for _, future in self._open.values():
            if not future.done():
                future.set_exception(Failed("The debugger is gone."))


def _good(response: dap.Response) -> Body:
    if not response.success:
        raise Failed(response.message or f"The debugger refused {response.command}.")
    return response.body
