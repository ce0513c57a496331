"""The composition root: who is plugged into whom, and how the process ends.

Rule: everything is built here, once, and handed on; no module reaches for another's parts.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeact_kernel.errors import SandboxRefused, UsageError
from codeact_kernel.kernel.background import Background
from codeact_kernel.kernel.cells.deferred import Deferred
from codeact_kernel.kernel.cells.files import Files
from codeact_kernel.kernel.channels import parent
from codeact_kernel.kernel.channels.connection import (
    Connection,
    ConnectionFile,
    read_connection_file,
)
from codeact_kernel.kernel.channels.messages import Incoming, Signer
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.relay.isolation import Isolation
from codeact_kernel.kernel.relay.link import Link
from codeact_kernel.kernel.relay.relay import Relay
from codeact_kernel.kernel.start import note_of, worker_config
from codeact_kernel.sandbox.policy import MIB, Policy
from codeact_kernel.sandbox.process import Sandbox, launch
from codeact_kernel.sandbox.spawn import Spawned
from codeact_kernel.sandbox.staging.area import Area
from codeact_kernel.sandbox.staging.staging import Staging
from codeact_kernel.sandbox.standby import Standby
from codeact_kernel.sandbox.unasked import Unasked
from codeact_kernel.settings import Settings, parent_pid, state_path

if TYPE_CHECKING:
    from codeact_kernel.agent.ports import Model
    from codeact_kernel.kernel.cells.agent_queue import AgentQueue
    from codeact_kernel.kernel.run.model_choice import Models
    from codeact_kernel.kernel.run.network import Network

log = logging.getLogger(__name__)


def run(
    path: Path,
    settings: Settings,
    policy: Policy,
    early: Spawned | None,
    refusal: str,
    area: Area | None = None,
) -> int:
    """Serve the connection file until shut down. `refusal`: why there is no sandbox."""
    logging.basicConfig(
        level=settings.log_level.upper(), format="codeact kernel: %(levelname)s %(message)s"
    )
    try:
        file = read_connection_file(path)
    except UsageError as error:
        log.error("%s", error)
        if area is not None:
            area.close()
        return 2
    first = [early]
    config = worker_config(settings, policy)
    network = _network(policy)
    isolation = Isolation() if early is None else Isolation(early.backend, early.notes)
    standby = None
    if settings.standby:
        note = note_of(path)
        standby = Standby(policy, config, settings.standby_mb * MIB, note)
    staging = Staging(area) if area is not None else None
    written = [m.path for m in policy.mounts if m.writable and not m.device]
    files = Files(staging, policy.workspace_mode, Unasked(policy.workspace, written))

    async def start_sandbox(is_first: bool) -> Sandbox:
        if refusal:
            raise SandboxRefused(refusal)
        if not is_first:
            await asyncio.to_thread(files.between_sandboxes)
        waiting = first.pop() if is_first and first else None
        if standby is not None and not is_first:
            waiting = await standby.take()
        if network is None:
            sandbox = await launch(policy, config, waiting)
        else:
            sandbox = await launch(policy, config, waiting, told=network.told, spent=network.spent)
            network.flush = sandbox.flush_network
        if standby is not None and sandbox.report.staging in ("", "done"):
            standby.follow(sandbox.kind)
        files.sandbox_has(sandbox.report.workspace)
        isolation.sandbox_has(sandbox.grade, sandbox.report)
        return sandbox

    # Not asyncio.run: at its end it waits for threads, and one may be importing litellm.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(
            _serve(file, settings, policy, start_sandbox, files, isolation, network, standby)
        )
    finally:
        loop.close()
        files.close(keep=standby is not None and standby.is_left)
    return 0


async def _serve(
    file: ConnectionFile,
    settings: Settings,
    policy: Policy,
    start_sandbox: Callable[[bool], Awaitable[Sandbox]],
    files: Files,
    isolation: Isolation,
    network: Network | None,
    standby: Standby | None,
) -> None:
    kernel = Kernel(
        file,
        settings,
        policy,
        Link(start_sandbox),
        choose_model=_choose_model(Path.cwd()),
        load_provider=_load_provider,
        journals=state_path() / "runs",
        files=files,
        isolation=isolation,
        network=network,
        standby=standby,
    )
    await kernel.serve()


def _network(policy: Policy) -> Network | None:
    """Who is told of requests; imported only where there can be some."""
    if policy.egress is None:
        return None
    from codeact_kernel.kernel.run.network import Network

    return Network(state_path() / "runs")


def _choose_model(folder: Path) -> Callable[[Settings], Model]:
    """The session's models, imported when the first one is asked for."""
    models: list[Models] = []

    def choose(settings: Settings) -> Model:
        from codeact_kernel.kernel.run.model_choice import Models

        if not models:
            models.append(Models(folder))
        return models[0].choose(settings)

    return choose


def _load_provider() -> None:
    """What talks to the providers, imported ahead."""
    from codeact_kernel.kernel.run.readiness import load_provider

    load_provider()


class Kernel:
    """One kernel: its connection, its relay, its link. `serve` returns when it is over."""

    def __init__(
        self,
        file: ConnectionFile,
        settings: Settings,
        policy: Policy,
        link: Link,
        *,
        choose_model: Callable[[Settings], Model],
        load_provider: Callable[[], None],
        journals: Path,
        files: Files | None = None,
        isolation: Isolation | None = None,
        network: Network | None = None,
        standby: Standby | None = None,
    ) -> None:
        self.link = link
        self._network = network
        self._settings = settings
        self._policy = policy
        self._choose_model = choose_model
        self._load_provider = load_provider
        self._journals = journals
        self.connection = Connection(file, Signer(file.key))
        self.connection.outlet.on_full = link.choke
        self.publisher = Publisher(self.connection)
        self.relay = Relay(
            file, self.publisher, link, self.stop, policy.cell_seconds, files, isolation
        )
        self.agent = Deferred(self._make_agent)
        self.relay.agent = self.agent
        self.background = Background(link, policy, standby, self._is_busy)
        self._over = asyncio.Event()
        self._restarts = False
        self._ending: asyncio.Task[None] | None = None

    def _make_agent(self) -> AgentQueue:
        from codeact_kernel.kernel.cells.agent_completion import Completer
        from codeact_kernel.kernel.cells.agent_queue import AgentQueue
        from codeact_kernel.kernel.cells.pip_process import Pip
        from codeact_kernel.kernel.inline.widgets import Widgets
        from codeact_kernel.kernel.panel.panel import Panel
        from codeact_kernel.kernel.panel.requests import PanelRequests
        from codeact_kernel.kernel.panel.verbs import (
            cells,
            files,
            observations,
            run,
            sandbox,
            settings,
            state,
        )
        from codeact_kernel.kernel.panel.verbs import checkpoints as panel_checkpoints
        from codeact_kernel.kernel.rewind.checkpoints import Checkpoints
        from codeact_kernel.kernel.rewind.file_past import FilePast
        from codeact_kernel.kernel.rewind.rewinding import Rewinding
        from codeact_kernel.kernel.run.agent_run import Runner
        from codeact_kernel.kernel.run.cell_requests import CellRequests
        from codeact_kernel.kernel.run.model_choice import names as model_names
        from codeact_kernel.kernel.run.projection import Projection
        from codeact_kernel.kernel.run.readiness import Readiness
        from codeact_kernel.kernel.run.turnstile import Turnstile
        from codeact_kernel.trace.layout import Layout

        requests = PanelRequests()
        isolation = self.relay.isolation
        panel = Panel(
            self.publisher,
            lambda: self.link.grade,
            trusts_display=lambda: self.relay.firewall.trusted,
            notes=lambda: isolation.sentences,
            answered=self.relay.still_busy,
            requests=requests,
        )
        widgets = Widgets(self.publisher, self.relay.still_busy)
        layout, turnstile = Layout(), Turnstile()
        projection = Projection(self.publisher, panel, layout)
        checkpoints = Checkpoints(
            self.link,
            most=self._settings.checkpoints,
            budget=(self._settings.checkpoint_mb or self._policy.memory // MIB // 4) * MIB,
            memory=self._policy.memory,
        )
        self.link.on_lost = checkpoints.lost
        folder = str(self._policy.workspace.resolve()) if self._policy.workspace else ""
        past = FilePast(self.relay.files, self.link.query, folder)
        rewinding = Rewinding(checkpoints, past, self.link, self.relay.requests, self.relay.files)
        runner = Runner(
            rewinding=rewinding,
            busy=lambda: queue.held is not None,
            relay=self.relay,
            link=self.link,
            publisher=self.publisher,
            signer=self.connection.signer,
            panel=panel,
            widgets=widgets,
            projection=projection,
            turnstile=turnstile,
            layout=layout,
            settings=self._settings,
            policy=self._policy,
            choose_model=self._choose_model,
            journals=self._journals,
            network=self._network,
        )
        requested = CellRequests(
            self.publisher,
            projection,
            turnstile,
            lambda header, client: self.relay.watched(header, client, panel.has_page),
        )
        pip = Pip.of(self._settings, self._policy.profile)
        readiness = Readiness(self._settings.model, self._load_provider)
        completer = Completer(
            self.relay.answer, lambda: model_names(self._settings.model), readiness.typed
        )
        queue = AgentQueue(
            self.relay, self.publisher, panel, widgets, runner, requested, pip, completer
        )
        relay, link = self.relay, self.link
        requests.offer(run.verbs(queue.stop, readiness))
        ask = state.asking(link, lambda: relay.running.current is not None)
        requests.offer(state.verbs(ask, lambda: queue.held is not None))
        requests.offer(observations.verbs(runner.observations))
        requests.offer(files.verbs(relay.files))
        requests.offer(
            sandbox.verbs(self._policy, link.readings, self._network, relay.firewall, panel)
        )
        requests.offer(panel_checkpoints.verbs(checkpoints))
        strict = self._policy.profile == "strict"
        requests.offer(settings.verbs(self._settings, strict, ask))
        requests.offer(cells.verbs(projection, turnstile, queue.drop))
        return queue

    async def serve(self) -> None:
        """Answer until somebody says stop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop, None, False)
        self.link.start()
        self.connection.listen(self._on_message)
        self.publisher.status("starting")
        parent.watch(parent_pid(), lambda: self.stop(None, False))
        self.background.start()
        try:
            await self._over.wait()
        finally:
            await self.background.close(self._restarts)
            await self.link.close()
            self.connection.close()

    def _on_message(self, message: Incoming) -> None:
        if message.type == "execute_request":
            self.background.stir()
        self.relay.on_message(message)

    def _is_busy(self) -> bool:
        return bool(self.relay.requests.pending) or self.agent.busy_header() is not None

    def stop(self, message: Incoming | None, restart: bool) -> None:
        """End in order; `message` is the shutdown_request to answer, None for a signal."""
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end(message, restart))

    async def _end(self, message: Incoming | None, restart: bool) -> None:
        self._restarts = restart
        await self.agent.close()
        await self.link.close(restart)
        content: dict[str, Any] = {"status": "ok", "restart": restart}
        if message is not None:
            self.publisher.reply(message, content)
            self.publisher.say("shutdown_reply", message.header, content)
            self.publisher.status("idle", message.header)
        self._over.set()
