"""A cell that this kernel carries out itself, as a request inside: it takes its number there, no more.

Rule: nothing inside has a word in what such a cell shows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from codeact_kernel.kernel.cells.agent_cell import AgentCell, Cell
from codeact_kernel.kernel.cells.pip_cell import PipCell, SatisfiedCell
from codeact_kernel.kernel.channels.messages import Incoming, to_json
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.relay.requests import FrontRequest
from codeact_kernel.kernel.relay.said import Said

log = logging.getLogger(__name__)
Carried = Cell | PipCell | SatisfiedCell


class AgentRequest(FrontRequest):
    """An agent cell inside. Its reply and idle are kept; `turn` is called when it is its turn.

    What the cell shows is this kernel's: it has no code inside, so of what comes from there only its
    number and its error, if it fails, are passed on. Comms draw nothing by themselves.
    """

    def __init__(
        self,
        message: Incoming,
        publisher: Publisher,
        client: Incoming | None,
        turn: Callable[[AgentRequest], None],
        over: Callable[[AgentRequest, bool], None],
    ) -> None:
        super().__init__(message, publisher, client is not None)
        self.content: dict[str, Any] = {}
        given = message.read_content()
        self._code = str(given.get("code"))
        self.stops_on_error = given.get("stop_on_error", True) is not False
        self._turn = turn
        self._over = over
        self._input_seen = False
        self._error: Said | None = None

    def publish(self, said: Said) -> None:
        match said.type:
            case "execute_input" if not self._input_seen:
                self._input_seen = True
                shown = to_json({**said.value, "code": self._code})
                super().publish(said._replace(content=shown))
            case "status" if said.value["execution_state"] == "idle":
                self._inside_is_over(said)
            case "error" if not self.answered:
                self._error = said
            case "status" | "comm_open" | "comm_msg" | "comm_close":
                super().publish(said)
            case _:
                log.info("nothing is shown in an agent cell from inside: %s", said.type)

    def _inside_is_over(self, idle: Said) -> None:
        if self.content.get("status") == "ok":
            self._turn(self)
        else:
            super().publish(idle)
            self._over(self, False)

    def stream(self, name: str, text: str) -> None:
        """Nothing that is printed inside belongs here."""

    def reply(self, said: Said) -> None:
        self.content = dict(said.value)
        if said.value.get("status") != "ok":
            if self._error is not None:
                super().publish(self._error)
            super().reply(said)

    def abort(self) -> None:
        super().abort()
        self._over(self, False)

    def died(self, sentence: str, running: bool) -> None:
        self.answered = False
        super().died(sentence, running)
        self._over(self, False)


def harmless(content: dict[str, Any], cell: Carried) -> bytes:
    """The request as it goes inside, where it only takes its number and its place in the history.

    `%%agent` with a task is a magic that does nothing there. Everything else becomes a comment:
    IPython would expand `{name}` in a line, take a line that ends in `?` for a question about an
    object, and run the code of a cell that is refused here.
    """
    code = content["code"]
    if not (
        isinstance(cell, AgentCell) and code.lstrip().startswith("%%") and "\n" in code.strip()
    ):
        content = {**content, "code": "\n".join(f"# {line}" for line in code.strip().split("\n"))}
    return to_json(content)
