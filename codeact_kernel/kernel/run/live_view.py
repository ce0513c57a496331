"""How a run is seen by front ends that execute its cells: JupyterLab and Notebook with our extension.

Rule: a step runs under the request of the front end that executes its cell; when none does so within
`PATIENCE` seconds this kernel runs the step itself, once, and whoever comes later is shown it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from codeact_kernel.kernel.channels.messages import Incoming
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.run.projection import Projection
from codeact_kernel.kernel.run.stages import OwnRequests, Place, StepCell
from codeact_kernel.kernel.run.turnstile import Turnstile, code_of
from codeact_kernel.kernel.run.views import Summary
from codeact_kernel.trace.edits import Edit, SetSource
from codeact_kernel.trace.events import Event, RunFinished, StepFinished

PATIENCE = 2.0


class LiveView:
    """For one run. `agent` is the request of its agent cell, `cell` that cell's id."""

    def __init__(
        self,
        publisher: Publisher,
        projection: Projection,
        turnstile: Turnstile,
        agent: Incoming,
        cell: str,
        requests: OwnRequests,
        client: Incoming | None,
    ) -> None:
        self._publisher = publisher
        self._projection = projection
        self._turnstile = turnstile
        self._agent = agent
        self._cell = cell
        self._requests = requests
        self._client = client
        self._summary = Summary(publisher, agent.header)

    def event(self, event: Event, edits: Sequence[Edit]) -> None:
        for edit in edits:
            self._projection.edit(edit, self._cell)
        self._summary.event(event)
        if isinstance(event, StepFinished | RunFinished):
            self._projection.save(self._agent.session)

    def propose(self, number: int, code: str, concerns: Sequence[str]) -> None:
        """The cell is there already."""

    async def place(self, cell: str, code: str) -> Place:
        request = self._turnstile.claim()
        if request is None:
            await self._ask(cell)
            request = self._turnstile.claim()
        if request is None:
            msg_id, header = self._requests.make()
            self._projection.began(cell, self._publisher.keep(header), "")
            return self._place(msg_id, header, None, self._client)
        if code_of(request) != code:  # changed in the cell, where nobody was asked
            self._projection.edit(SetSource(cell=cell, source=code), self._cell)
        asks = request.read_content().get("allow_stdin") is True
        return self._place(request.id, request.header, request, request if asks else None)

    def _place(
        self, msg_id: str, header: bytes, request: Incoming | None, client: Incoming | None
    ) -> Place:
        stage = StepCell(self._publisher, header, self._agent.header, request)
        return Place(id=msg_id, header=header, stage=stage, client=client)

    async def _ask(self, cell: str) -> None:
        """Have a front end execute the cell."""
        asked = self._projection.run(cell, self._turnstile.open, self._agent.session)
        if asked is None:
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await self._turnstile.wait()
            asked.silent = False
        except TimeoutError:
            asked.silent = True
