"""One `%%agent` request from its words to its end: the loop with the real things plugged in.

Rule: whatever goes wrong here is a result the user reads in one sentence; nothing escapes as a
traceback of ours.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeact_kernel.agent import loop
from codeact_kernel.agent.options import Options as LoopOptions
from codeact_kernel.agent.options import Rules
from codeact_kernel.agent.ports import Model
from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.cells.agent_cell import (
    AgentCell,
    CheckpointCell,
    ContinueCell,
    fill,
    names_in,
)
from codeact_kernel.kernel.cells.agent_options import Options
from codeact_kernel.kernel.channels.messages import Incoming, Signer
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.inline.text import TextView
from codeact_kernel.kernel.inline.view import ByForm, WidgetView, has_cells
from codeact_kernel.kernel.inline.widgets import Widgets
from codeact_kernel.kernel.panel.panel import Comm, Panel
from codeact_kernel.kernel.relay.link import Link
from codeact_kernel.kernel.relay.relay import Relay
from codeact_kernel.kernel.rewind.rewinding import Kept, Rewinding
from codeact_kernel.kernel.run import narrowing
from codeact_kernel.kernel.run.approvals import Ask, Asking, ByRunning, gate_for
from codeact_kernel.kernel.run.cell_requests import cell_id
from codeact_kernel.kernel.run.journal import Journal
from codeact_kernel.kernel.run.live_view import LiveView
from codeact_kernel.kernel.run.observations import Observations
from codeact_kernel.kernel.run.projection import Projection
from codeact_kernel.kernel.run.stages import OwnRequests
from codeact_kernel.kernel.run.steps import Steps
from codeact_kernel.kernel.run.turnstile import Turnstile
from codeact_kernel.kernel.run.views import CellsView, View, say
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.settings import Settings
from codeact_kernel.trace.events import Event, Noticed, RunStarted
from codeact_kernel.trace.layout import Layout
from codeact_kernel.trace.values import Limits, Task

if TYPE_CHECKING:
    from codeact_kernel.kernel.run.network import Network

log = logging.getLogger(__name__)
NOTHING_TO_CONTINUE = (
    "There is no run to continue: in this state of the notebook the agent has not run yet. "
    "Give the task with %%agent."
)
ChooseModel = Callable[[Settings], Model]


class WallClock:
    """agent.ports.Clock: this machine's."""

    def now(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Runner:
    """Starts runs and keeps what the last one needs to be continued. One run at a time. `busy()`: a
    cell of this kernel's own is under way."""

    def __init__(
        self,
        *,
        relay: Relay,
        link: Link,
        publisher: Publisher,
        signer: Signer,
        panel: Panel,
        widgets: Widgets,
        projection: Projection,
        turnstile: Turnstile,
        layout: Layout,
        settings: Settings,
        policy: Policy,
        choose_model: ChooseModel,
        journals: Path,
        rewinding: Rewinding,
        busy: Callable[[], bool],
        network: Network | None = None,
    ) -> None:
        self.observations = Observations(rewinding, self.tell, busy)
        self._rewinding = rewinding
        self._relay = relay
        self._link = link
        self._publisher = publisher
        self._signer = signer
        self._panel = panel
        self._widgets = widgets
        self._projection = projection
        self._turnstile = turnstile
        self._layout = layout
        self._settings = settings
        self._policy = policy
        self._choose_model = choose_model
        self._journals = journals
        self._network = network
        self._allowed: set[str] = set()

    async def run(
        self, cell: AgentCell | ContinueCell, message: Incoming, client: Incoming | None
    ) -> loop.End:
        """Carry the cell's request out; `client` is who can be asked, None for nobody.

        Raises UsageError and ModelError for what is wrong before the run has begun.
        """
        comm = self._panel.of(message)
        if comm is not None and comm.problem:
            raise UsageError(comm.problem)
        kept = self._to_continue(cell)
        own = comm.overrides if comm is not None else Options()
        written = cell.options
        if kept is not None:
            own = own.over(replace(kept.own, **dict.fromkeys(written.given())))
            written = written.over(kept.written)
        chosen = narrowing.choose(self._settings, own, written)
        if chosen.foreign:
            await self._allow(chosen.foreign, client)
        settings = chosen.settings
        task = await self._task(cell)
        model = await asyncio.to_thread(self._choose_model, settings)
        run_id = kept.run if kept is not None else uuid.uuid4().hex[:12]
        view = self._view(comm, message, client)
        asking = self._asking(comm, run_id, client, view)
        emit = self._emitter(view, message.header)
        gate = gate_for(settings.approve, asking)
        try:
            end = await loop.run(
                Task(text=task),
                model=model,
                runtime=self._steps(run_id, view, emit),
                gate=gate,
                clock=WallClock(),
                limits=Limits(steps=settings.steps, budget=settings.budget),
                options=self._loop_options(settings),
                emit=emit,
                run_id=run_id,
                cell=cell_id(message),
                conversation=kept.conversation if kept is not None else None,
                hold=self.observations.run_began(),
            )
        finally:
            self.observations.run_ended()
        self._rewinding.run_ended(
            Kept(run=run_id, own=own, written=written, conversation=end.conversation)
        )
        return end

    def tell(self, event: Event) -> None:
        """An event of a run that is over: to its journal, its cells, and the panel."""
        Journal(self._journals).write(event)
        for edit in self._layout.edits(event):
            self._projection.edit(edit, "")
        self._panel.event(event)

    def sandbox_changed(self) -> None:
        """There is another sandbox, or none."""
        self._rewinding.sandbox_changed()

    async def rewind(self, cell: CheckpointCell, message: Incoming) -> tuple[str, str]:
        """Carry out a cell about checkpoints: text and Markdown to show. Raises UsageError."""
        view = self._view(self._panel.of(message), message, None)
        return await self._rewinding.act(cell, self._emitter(view, message.header))

    def _to_continue(self, cell: AgentCell | ContinueCell) -> Kept | None:
        if isinstance(cell, AgentCell):
            return None
        if self._rewinding.kept is None:
            raise UsageError(NOTHING_TO_CONTINUE)
        return self._rewinding.kept

    async def _allow(self, address: str, client: Incoming | None) -> None:
        """Ask once per session whether the conversation may go there. Raises UsageError."""
        if address in self._allowed:
            return
        if client is not None:
            question = narrowing.question(address)
            answer = await self._relay.questions.ask(client, question)
            if answer.strip().lower() in ("y", "yes"):
                self._allowed.add(address)
                return
        raise UsageError(narrowing.refusal(address))

    async def _task(self, cell: AgentCell | ContinueCell) -> str:
        text = cell.task if isinstance(cell, AgentCell) else cell.words
        names = names_in(text)
        if not names:
            return fill(text, {})
        values = await self._link.query("values", {"names": list(names)})
        return fill(text, _texts(values))

    def _view(self, comm: Comm | None, message: Incoming, client: Incoming | None) -> View:
        """How the client that asked sees the run."""
        publisher, header, session = self._publisher, message.header, message.session
        requests = OwnRequests(
            lambda msg_id: self._signer.header_of("execute_request", msg_id, session)
        )
        runs = self._layout.run
        if comm is None or not comm.cells:
            if client is None or not has_cells(message):
                return TextView(publisher, header, requests, client, runs)
            stop = self._relay.agent.stop
            return WidgetView(publisher, header, self._widgets, requests, client, stop, runs)
        if not comm.runs:
            return CellsView(publisher, self._panel, comm, header, requests, client)
        cells, turnstile = self._projection, self._turnstile
        return LiveView(publisher, cells, turnstile, message, cell_id(message), requests, client)

    def _asking(
        self, comm: Comm | None, run_id: str, client: Incoming | None, view: View
    ) -> Asking | None:
        """Who is asked before code runs; None: nobody is there."""
        if comm is not None and comm.runs:
            self._turnstile.rest = False
            return ByRunning(self._turnstile, self._projection, run_id)
        if client is None:
            return None
        ask = Ask(self._relay.questions, client, view.propose)
        return ByForm(view, ask) if isinstance(view, WidgetView) else ask

    def _steps(self, run_id: str, view: View, emit: Callable[[Event], None]) -> Steps:
        def note(sentence: str) -> None:
            emit(Noticed(run=run_id, sentence=sentence))

        return Steps(
            self._relay,
            self._link,
            view.place,
            run=run_id,
            seconds=self._policy.step_seconds,
            keeper=self._rewinding.keeper(run_id, note),
        )

    def _loop_options(self, settings: Settings) -> LoopOptions:
        policy = self._policy
        allowlist = policy.egress
        rules = Rules(hosts=None if allowlist is None else tuple(map(str, allowlist.entries)))
        if policy.profile == "strict" and policy.imports is not None:
            folders = ("/tmp", *([str(policy.workspace)] if policy.workspace else []))  # noqa: S108 -- a folder inside the sandbox
            rules = Rules.strict(policy.imports, folders)
        rules = rules.switched_off(settings.without)
        return LoopOptions(
            approve=settings.approve,
            vision=settings.vision,
            rules=rules,
            record={
                "profile": policy.profile,
                "grade": self._link.grade,
                **_shown(policy),
                **({"display": "trusted"} if self._relay.firewall.trusted else {}),
                **({} if rules.hosts is None else {"allow_net": list(rules.hosts)}),
                **({"without": sorted(rules.without)} if rules.without else {}),
            },
        )

    def _emitter(self, view: View, header: bytes) -> Callable[[Event], None]:
        journal = Journal(self._journals)
        told = False

        def emit(event: Event) -> None:
            for first in self._network.before(event) if self._network is not None else ():
                tell(first)
            tell(event)
            if isinstance(event, RunStarted):
                for sentence in self._relay.isolation.for_run(event.id):
                    tell(Noticed(run=event.id, sentence=sentence))

        def tell(event: Event) -> None:
            nonlocal told
            journal.write(event)
            view.event(event, self._layout.edits(event))
            self._panel.event(event)
            if journal.problem and not told:
                told = True
                log.warning("%s", journal.problem)
                say(self._publisher, header, journal.problem)

        return emit


def _shown(policy: Policy) -> dict[str, Any]:
    """What of the user's files code could see, beyond what is usual."""
    mounts = {"mounts": [str(mount) for mount in policy.mounts]} if policy.mounts else {}
    return {"workspace_mode": policy.workspace_mode, **mounts}


def _texts(values: Any) -> Mapping[str, str]:
    """What the sandbox says variables are, as far as it is text."""
    if not isinstance(values, dict):
        return {}
    return {name: text for name, text in values.items() if isinstance(text, str)}
