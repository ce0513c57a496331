"""The execute_requests of a run's cells: a step that is waited for, or a look at what is known.

Rule: `metadata.codeact` of a request is read here and nowhere else. A token that is not the one
waited for executes nothing: the cell is shown what became of it. Only where nothing is known of the
cell (the run belongs to a kernel that is gone) a person who runs it runs it as their own.
"""

from __future__ import annotations

from collections.abc import Callable

from codeact_kernel.kernel.channels.messages import BadMessage, Incoming
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.relay.requests import abort
from codeact_kernel.kernel.run.projection import Projection
from codeact_kernel.kernel.run.turnstile import Turnstile
from codeact_kernel.trace.cells import is_valid_id

_OURS = b'"codeact"'


class CellRequests:
    """Sorts them out. `watched(header, client)` is called when a client comes to look at a cell."""

    def __init__(
        self,
        publisher: Publisher,
        projection: Projection,
        turnstile: Turnstile,
        watched: Callable[[bytes, Incoming], None],
    ) -> None:
        self._watched = watched
        self._publisher = publisher
        self._projection = projection
        self._turnstile = turnstile

    def keep(self, agent: Incoming) -> None:
        """An agent cell has begun: whoever comes later can look at it."""
        feed = self._publisher.keep(agent.header)
        if cell := cell_id(agent):
            self._projection.began(cell, feed, agent.session)

    def end(self) -> None:
        """The run is over: a request that was let pass and came too late is answered."""
        late = self._turnstile.claim()
        if late is not None:
            abort(self._publisher, late)

    def takes(self, message: Incoming) -> bool:
        """Handle it when it is a request of a run's cell. Raises BadMessage."""
        if _OURS not in message.metadata:
            return False
        ours = message.read_metadata().get("codeact")
        if not isinstance(ours, dict):
            return False
        token, attaches = ours.get("token"), ours.get("attach") is True
        if not attaches and not isinstance(token, str):
            return False
        cell = cell_id(message)
        waits = cell == self._turnstile.cell  # a copy of the cell is another cell
        if waits and isinstance(token, str) and self._turnstile.take(token, message):
            # at once: a second press of Shift-Enter may be right behind it
            self._projection.began(cell, self._publisher.keep(message.header), message.session)
            return True
        feed = self._projection.attach(cell, message)
        if feed is not None:
            self._watched(feed.header, message)
            return True
        if attaches or ours.get("auto") is True:
            abort(self._publisher, message)
            return True
        return False


def cell_id(message: Incoming) -> str:
    """The id of the cell that sent this, "" when the client does not say it."""
    try:
        named = message.read_metadata().get("cellId")
    except BadMessage:
        return ""
    return named if isinstance(named, str) and is_valid_id(named) else ""
