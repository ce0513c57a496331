"""One cell at a time that this kernel carries out itself, and the cells that wait behind it.

Rule: such a cell, an agent's or a `%pip`, goes inside like every other, so that it has its number
and its place; its run begins when the sandbox says it is its turn, and its reply and idle are held
until the run ends.
Meanwhile other cells wait here in order: run afterwards, or aborted when the run was stopped or
failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence

from codeact_kernel.agent.loop import End
from codeact_kernel.errors import CodeActError, SandboxError, UsageError
from codeact_kernel.kernel.cells import agent_cell, pip_cell, pip_process
from codeact_kernel.kernel.cells.agent_cell import (
    AgentCell,
    CheckpointCell,
    ContinueCell,
    FilesCell,
    HelpCell,
    PlainCell,
    WrongCell,
)
from codeact_kernel.kernel.cells.agent_completion import Completer
from codeact_kernel.kernel.cells.agent_request import AgentRequest, Carried, harmless
from codeact_kernel.kernel.cells.pip_cell import PipCell, SatisfiedCell
from codeact_kernel.kernel.channels.messages import Bytes, Incoming
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.display.firewall import DISTRUSTED, TRUSTED
from codeact_kernel.kernel.inline.widgets import Widgets
from codeact_kernel.kernel.panel.panel import Panel
from codeact_kernel.kernel.relay.relay import Relay
from codeact_kernel.kernel.relay.running import GRACE
from codeact_kernel.kernel.run.agent_run import Runner
from codeact_kernel.kernel.run.cell_requests import CellRequests, cell_id
from codeact_kernel.kernel.run.views import display, fenced, say
from codeact_kernel.trace.text import plain
from codeact_kernel.trace.values import Outcome

log = logging.getLogger(__name__)
_LAST_WORDS = GRACE + 1.5
"""Seconds: stopping a step takes up to GRACE + 1, and then its end is written down."""
_NAMES: dict[type[CodeActError], str] = {
    UsageError: "UsageError",
    pip_process.PipFailed: "PipFailed",
    pip_process.PipStopped: "KeyboardInterrupt",
}
_NOT_BEGUN = "Stopped before the run had begun."
_NOBODY_THERE = (
    "This cell lifts a protection, so you have to run it yourself; this client runs a notebook without "
    "anybody who could be asked."
)
_INTERNAL = (
    "The run ended because of a mistake in this kernel ({error!r}). Everything done so far is kept; "
    "please report it with the kernel's log."
)


class AgentQueue:
    """Owner of `held`, the agent cell that is under way, of its run, and of the waiting cells."""

    def __init__(
        self,
        relay: Relay,
        publisher: Publisher,
        panel: Panel,
        widgets: Widgets,
        runner: Runner,
        cells: CellRequests,
        pip: pip_process.Pip,
        completer: Completer,
    ) -> None:
        self._relay = relay
        self._publisher = publisher
        self._panel = panel
        self._widgets = widgets
        self._runner = runner
        self._cells = cells
        self._pip = pip
        self._completer = completer
        self._cell: Carried = PlainCell()
        self._waiting: deque[Incoming] = deque()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self.held: AgentRequest | None = None

    def takes(self, message: Incoming) -> bool:
        """Handle a client's message when it is the agent's, or has to wait. Raises BadMessage."""
        if self._panel.takes(message) or self._widgets.takes(message):
            return True
        if message.type == "complete_request":
            return self._completer.takes(message)
        if message.type != "execute_request" or message.channel != "shell":
            return False
        if self._cells.takes(message):
            self._relay.still_busy()
            return True
        if self.held is not None:
            self._waiting.append(message)
            return True
        content = message.read_content()
        code = content.get("code")
        if not isinstance(code, str) or content.get("silent") is True:
            return False
        cell = self._read(message, code)
        if isinstance(cell, PlainCell):
            return False
        message.read_metadata()  # what cannot be read is said before anything is held
        client = message if self._relay.allows_stdin(message) else None
        request = AgentRequest(message, self._publisher, client, self._begin, self._settle)
        self._cell, self.held, self._stopping = cell, request, False
        if isinstance(cell, AgentCell | ContinueCell):
            self._cells.keep(message)
        self._relay.forward(request, message._replace(content=harmless(content, cell)))
        if self._relay.requests.pending.get(request.id) is not request and self._task is None:
            self._settle(request, False)  # it could not be sent, and was answered so
        return True

    def _read(self, message: Incoming, code: str) -> Carried:
        cell = pip_cell.read(code)
        if isinstance(cell, PipCell) and (reason := self._pip.refusal(message, code)):
            return pip_cell.satisfied(cell) or WrongCell(sentence=reason)
        found = agent_cell.read(code) if cell is None else cell
        if _lifts(found) and not self._relay.allows_stdin(message):
            return WrongCell(sentence=_NOBODY_THERE)
        return found

    def owns_comm(self, comm_id: str) -> bool:
        """Whether a comm belongs to this kernel."""
        return self._panel.owns(comm_id) or self._widgets.owns(comm_id)

    def named_in(self, content: Bytes) -> bool:
        """Whether this JSON names a widget of this kernel."""
        return self._widgets.named_in(content)

    def busy_header(self) -> bytes | None:
        """The agent cell's header while it is under way."""
        return self.held.header if self.held is not None else None

    def sandbox_changed(self) -> None:
        """The sandbox is ready, or refused: its grade is known."""
        self._runner.sandbox_changed()
        self._panel.greet()

    def stop(self) -> bool:
        """Stop the run that is under way; False: there is none."""
        if self._task is None or self._task.done():
            return False
        if not self._stopping and not isinstance(self._cell, CheckpointCell):  # short, and whole
            self._stopping = True
            self._task.cancel()
        return True

    def drop(self, cells: Sequence[str]) -> None:
        """These cells are gone: of the waiting requests theirs are aborted.

        "Run All" sends the steps of an earlier run behind the agent cell that replaces them.
        """
        gone = [message for message in self._waiting if cell_id(message) in cells]
        self._waiting = deque(message for message in self._waiting if message not in gone)
        for message in gone:
            self._relay.abort(message)

    async def close(self) -> None:
        """The kernel ends: so does the run."""
        task = self._task
        if self.stop() and task is not None:
            await asyncio.wait([task], timeout=_LAST_WORDS)
        await self._panel.close()

    def _begin(self, request: AgentRequest) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(request, self._cell))
        self._task.add_done_callback(lambda task: self._ended(request, task))

    def _ended(self, request: AgentRequest, task: asyncio.Task[None]) -> None:
        """A task that is cancelled before its first step never runs: the cell is ended here."""
        if request is not self.held:
            return
        if task.cancelled():
            say(self._publisher, request.header, _NOT_BEGUN)
            self._finish(request, None)
        else:
            log.error("a run could not be ended", exc_info=task.exception())
        self._settle(request, False)

    async def _run(self, request: AgentRequest, cell: Carried) -> None:
        error: tuple[str, str] | None = None
        aborts = False
        try:
            end = await self._carry_out(request, cell)
            if end is not None and end.outcome is Outcome.FAILED:
                error = ("AgentFailed", end.reason)
            aborts = end is not None and end.outcome is Outcome.STOPPED
        except CodeActError as problem:
            error = (_NAMES.get(type(problem), "AgentFailed"), str(problem))
        except asyncio.CancelledError:
            say(self._publisher, request.header, _NOT_BEGUN)
            aborts = True
        except Exception as problem:
            log.exception("a run failed")
            error = ("AgentFailed", _INTERNAL.format(error=problem))
        self._finish(request, error)
        self._settle(request, not aborts and (error is None or not request.stops_on_error))

    async def _carry_out(self, request: AgentRequest, cell: Carried) -> End | None:
        match cell:
            case AgentCell() | ContinueCell():
                await asyncio.to_thread(self._relay.files.before_run)
                try:
                    end = await self._runner.run(cell, request.message, request.client)
                finally:
                    self._cells.end()
                if sentence := self._relay.files.after_run():
                    say(self._publisher, request.header, sentence)
                return end
            case HelpCell():
                text = agent_cell.HELP
                display(self._publisher, request.header, text, fenced(text))
            case FilesCell():
                # In a thread: diffs of large files take a while. Nothing else runs meanwhile.
                text = await asyncio.to_thread(self._relay.files.act, cell)
                display(self._publisher, request.header, text, fenced(text))
            case CheckpointCell():
                text, markdown = await self._runner.rewind(cell, request.message)
                display(self._publisher, request.header, text, markdown)
            case agent_cell.TrustCell():
                self._relay.firewall.trusted = cell.trusted
                self._panel.greet_all()
                say(self._publisher, request.header, TRUSTED if cell.trusted else DISTRUSTED)
            case PipCell():
                await self._install(request, cell)
            case SatisfiedCell():
                text = "".join(f"{line}\n" for line in cell.lines)
                self._publisher.stream(request.header, "stdout", text)
            case PlainCell():
                pass
            case WrongCell():
                raise UsageError(cell.sentence)
        return None

    async def _install(self, request: AgentRequest, cell: PipCell) -> None:
        """Run pip; what it has installed can be imported in the next cell."""
        try:
            await pip_process.run(
                cell, lambda name, text: self._publisher.stream(request.header, name, text)
            )
        finally:
            with contextlib.suppress(SandboxError):
                await self._relay.link.query("installed", {})

    def _finish(self, request: AgentRequest, error: tuple[str, str] | None) -> None:
        content = request.content
        if error is not None:
            name, sentence = error[0], plain(error[1])  # it may hold words of a provider
            told = {"ename": name, "evalue": sentence, "traceback": [f"{name}: {sentence}"]}
            self._publisher.say("error", request.header, told)
            content = {
                "status": "error",
                "execution_count": content.get("execution_count"),
                "user_expressions": {},
                "payload": [],
                **told,
            }
        self._publisher.reply(request.message, content)
        self._publisher.status("idle", request.header)

    def _settle(self, request: AgentRequest, goes_on: bool) -> None:
        """The agent cell is over; the cells behind it run, or are aborted."""
        if request is not self.held:
            return
        self.held = self._task = None
        if not goes_on:
            aborted, self._waiting = self._waiting, deque()
            for message in aborted:
                self._relay.abort(message)
        while self._waiting and self.held is None:
            self._relay.take(self._waiting.popleft())


def _lifts(cell: Carried) -> bool:
    """A stranger's notebook may ask for it, too, and be run as a whole."""
    match cell:
        case agent_cell.TrustCell():
            return cell.trusted
        case FilesCell():
            return cell.force
        case _:
            return False
