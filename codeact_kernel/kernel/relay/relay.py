"""What clients ask, by channel and type: answered here, given to the agent, or sent inside.

Rule: one table says what this kernel takes for itself; everything else goes inside untouched
except for `metadata.codeact`, which only this kernel may write.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from codeact_kernel.errors import SandboxRefused
from codeact_kernel.kernel.cells.files import Files
from codeact_kernel.kernel.channels import information
from codeact_kernel.kernel.channels.messages import (
    EMPTY,
    BadMessage,
    Bytes,
    Incoming,
    as_object,
    to_json,
)
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.debugging.debugger import Debugger
from codeact_kernel.kernel.display.firewall import Firewall
from codeact_kernel.kernel.relay import declined
from codeact_kernel.kernel.relay.in_order import InOrder
from codeact_kernel.kernel.relay.inward import Inward
from codeact_kernel.kernel.relay.isolation import Isolation
from codeact_kernel.kernel.relay.link import Link
from codeact_kernel.kernel.relay.own_cell import OwnCell
from codeact_kernel.kernel.relay.questions import Questions
from codeact_kernel.kernel.relay.requests import (
    COMMS,
    FrontRequest,
    Request,
    Requests,
    abort,
    fail,
)
from codeact_kernel.kernel.relay.running import LOST, Running
from codeact_kernel.sandbox.ended import Ended
from codeact_kernel.wire import BadFrame, Frame

if TYPE_CHECKING:
    from codeact_kernel.kernel.channels.connection import ConnectionFile

log = logging.getLogger(__name__)
_OURS_INSIDE = b'"codeact"'
_UNTOLD = "{what} after the last cell; all variables were lost, and this cell runs in a fresh sandbox. {remedy}"
_KINDS = declined.KINDS | COMMS


class Agent(Protocol):
    """What the relay needs to know of the agent: what it takes, and whether it is at work."""

    def takes(self, message: Incoming) -> bool: ...
    def owns_comm(self, comm_id: str) -> bool: ...
    def named_in(self, content: Bytes) -> bool: ...
    def busy_header(self) -> bytes | None: ...
    def sandbox_changed(self) -> None: ...
    def stop(self) -> bool: ...


class Relay:
    """Between the clients and the sandbox. `stop(message, restart)` ends the process in order.

    `agent` is set by the composition root before the first message.
    """

    agent: Agent

    def __init__(
        self,
        file: ConnectionFile,
        publisher: Publisher,
        link: Link,
        stop: Callable[[Incoming | None, bool], None],
        cell_seconds: float | None = None,
        files: Files | None = None,
        isolation: Isolation | None = None,
    ) -> None:
        self.publisher = publisher
        self.link = link
        self.files = files if files is not None else Files()
        self.isolation = isolation if isolation is not None else Isolation()
        self.requests = Requests()
        self.order = InOrder(link.hold)
        self.running = Running(link, self.requests)
        self.questions = Questions(publisher)
        self.firewall = Firewall()
        self.debugger = Debugger(link, publisher, self.running, self.firewall, self.still_busy)
        self.inward = Inward(
            self.requests,
            publisher,
            self,
            self._owns_comm,
            lambda content: self.agent.named_in(content),
            link.send,
            self.firewall,
            self.debugger.on_frame,
            self.order,
        )
        self._file = file
        self._stop = stop
        self._cell_seconds = cell_seconds
        self._restarted = False
        self._untold = ""
        link.on_frame = self._from_inside
        link.on_end = self._sandbox_ends
        link.on_ready = self.sandbox_ready
        link.on_woken = self.debugger.woken
        link.on_refused = lambda sentence: self.order.do(self.sandbox_refused, sentence)
        link.heard = self.order.empty
        self._here: dict[str, Callable[[Incoming], None]] = {
            "kernel_info_request": self._kernel_info,
            "connect_request": self._connect,
            "interrupt_request": self._interrupt,
            "shutdown_request": self._shutdown,
            "debug_request": self.debugger.on_message,
            "usage_request": self._usage,
        }

    def _owns_comm(self, comm_id: str) -> bool:
        return self.agent.owns_comm(comm_id)

    def _from_inside(self, frame: Frame) -> None:
        self.order.do(self._hear, frame)

    def _hear(self, frame: Frame) -> None:
        if frame.head["t"] != "ask":
            self.running.active(frame.head.get("parent"))
        self.inward.on_frame(frame)

    def on_message(self, message: Incoming) -> None:
        """One verified message of a client. Never raises."""
        if message.channel == "stdin":
            self.questions.on_message(message)
        else:
            self._answered(self._here.get(message.type, self._take), message)

    def take(self, message: Incoming) -> None:
        """A message that is the sandbox's unless something above takes it. Never raises."""
        self._answered(self._take, message)

    def _answered(self, handle: Callable[[Incoming], None], message: Incoming) -> None:
        """The one place where a message that cannot be read is answered."""
        try:
            handle(message)
        except BadMessage as error:
            log.warning("a %.60r cannot be read: %s", message.type, error)
            sentence = f"The message cannot be read: {error}."
            if message.type.endswith("_request"):
                fail(self.publisher, message, "BadMessage", sentence)

    def _take(self, message: Incoming) -> None:
        if self.agent.takes(message):
            return
        if message.type == "execute_request":
            self._take_cell(message)
        elif message.type in _KINDS:
            self.forward(FrontRequest(message, self.publisher, False), message)
        elif message.type.endswith("_request"):
            fail(self.publisher, message, "NotSupported", f"{message.type} is not supported here.")
        else:
            log.warning("dropped a %.60r", message.type)

    def _take_cell(self, message: Incoming) -> None:
        content = message.read_content()
        if self.requests.first_cell is None:
            self.files.before_own_cell()
        cell = OwnCell(
            message,
            self.publisher,
            self.files,
            self.order,
            allow_stdin=content.get("allow_stdin") is True,
            silent=content.get("silent") is True,
            warning=self._before_cell,
        )
        self._pass_on(cell, message)

    def allows_stdin(self, message: Incoming) -> bool:
        """Whether this client answers questions. Raises BadMessage."""
        return message.read_content().get("allow_stdin") is True

    def forward(self, request: Request, message: Incoming) -> None:
        """Send a client's request inside; what it cannot get is said to the client.

        Raises BadMessage when nobody inside could read it either.
        """
        if message.type.endswith("_request"):
            message.read_content()
        self._pass_on(request, message)

    def _pass_on(self, request: Request, message: Incoming) -> None:
        if message.metadata != EMPTY:
            message.read_metadata()
        if request.type == "execute_request" and request.seconds is None:
            request.seconds = self._cell_seconds
        metadata = message.metadata
        if _OURS_INSIDE in metadata:
            metadata = _without_ours(metadata)
        parts = (message.header, metadata, message.content, *message.buffers)
        try:
            self.send(request, message.channel, parts)
        except KeyError:
            log.warning("dropped a request whose id is pending already")
        except SandboxRefused as error:
            self.requests.finish(request)
            fail(self.publisher, message, "SandboxRefused", str(error))
        except BadFrame as error:
            self.requests.finish(request)
            fail(self.publisher, message, "TooLarge", f"The message is too large: {error}.")

    def send(self, request: Request, channel: str, parts: tuple[bytes, ...]) -> None:
        """Send any request inside. Raises KeyError, SandboxRefused, BadFrame."""
        head: dict[str, Any] = {
            "t": "request",
            "channel": channel,
            "type": request.type,
            "id": request.id,
        }
        aside = request.type in declined.KINDS and self.running.current is not None
        if aside:
            head["queued"] = False
        self.requests.add(request)
        self.link.send(head, parts)
        if aside and isinstance(request, FrontRequest):
            asyncio.get_running_loop().call_later(declined.SECONDS, self._decline, request)
        self.running.look()

    def _decline(self, request: FrontRequest) -> None:
        """The code that runs let nobody answer in time; an editor must not wait for it."""
        if self.requests.pending.get(request.id) is request and not request.answered:
            content = declined.content(request.type, request.message)
            self.requests.finish(request)
            self.answer(request.message, content)

    def ended(self, request: Request) -> None:
        """It is over, and so is what it asked; its idle was not the last word while others run."""
        beside = request is not self.running.current
        self.running.look()
        self.questions.close(request)
        if beside:
            self.still_busy()

    def asked(self, request: Request, prompt: str, password: bool) -> None:
        """Its code waits for a person."""
        if request.client is not None:
            self.running.pause(request)
            self.questions.open(
                request.client, request.prompt(prompt), password, self._told, request
            )

    def watched(self, header: bytes, client: Incoming, is_here: Callable[[str], bool]) -> None:
        """This client looks at the cell with this header now, and is asked when whoever was asked
        so far is gone. `is_here(session)`: whether a page is still there. Raises BadMessage.
        """
        request = self.running.current
        if request is None or request.header != header or not self.allows_stdin(client):
            return
        if request.client is not None and not is_here(request.client.session):
            request.client = client
            self.questions.hand_over(request, client)

    def _told(self, text: str) -> None:
        self.running.resume()
        try:
            self.link.send({"t": "input", "value": text})
        except BadFrame:  # a head has a limit; no line a person types comes near it
            self.link.send({"t": "input", "value": text[:8000]})
        except SandboxRefused:
            log.info("an answer came when there was no sandbox any more")

    def answer(self, message: Incoming, content: dict[str, object]) -> None:
        """Answer at once, with busy and idle around, and leave the client with the true state."""
        self.publisher.status("busy", message.header)
        self.publisher.reply(message, content)
        self.publisher.status("idle", message.header)
        self.still_busy()

    def still_busy(self) -> None:
        """A front end shows the last status it saw; when code runs, that has to be busy."""
        header = self.agent.busy_header()
        if header is None and self.running.current is not None:
            header = self.running.current.header
        if header is not None:
            self.publisher.status("busy", header)

    def _kernel_info(self, message: Incoming) -> None:
        self.answer(message, information.kernel_info(self.isolation.sentences))

    def _connect(self, message: Incoming) -> None:
        ports = {f"{channel}_port": port for channel, port in self._file.ports.items()}
        self.answer(message, {"status": "ok", **ports})

    def _usage(self, message: Incoming) -> None:
        self.answer(message, information.usage())

    def _interrupt(self, message: Incoming) -> None:
        self.stop_code()
        self.answer(message, {"status": "ok"})

    def stop_code(self) -> None:
        """Stop the agent's run, or interrupt the cell that runs."""
        if self.agent.stop():
            return
        for msg_id in self.link.withdraw():
            request = self.requests.pending.get(msg_id)
            if isinstance(request, FrontRequest):
                self.requests.finish(request)
                request.abort()
        if self.requests.pending:  # else it could only meet a request that comes after it
            self.running.interrupt()

    def sandbox_ready(self) -> None:
        """A sandbox takes requests."""
        self.running.look()
        self.agent.sandbox_changed()
        if self._restarted:  # at the first start every client asks kernel_info and hears idle there
            self.publisher.status("idle")
            self.still_busy()

    def _shutdown(self, message: Incoming) -> None:
        restart = message.read_content().get("restart") is True
        self.publisher.status("busy", message.header)
        self._stop(message, restart)

    def _sandbox_ends(self, ended: Ended) -> None:
        """Whoever waits now is answered, once all that was said before has been heard."""
        waiting = list(self.requests.pending.values())
        self.order.do(self.sandbox_ended, ended, waiting)

    def sandbox_ended(self, ended: Ended, waiting: Sequence[Request]) -> None:
        """The sandbox is gone: those who wait for it are answered at once."""
        self.debugger.forget()
        what = ended.what.rstrip(".")
        self._restarted = True
        self.firewall.forget()
        self.inward.dropped.close_count()
        if not self._bury(f"{what}. {LOST} {ended.remedy}".rstrip(), waiting):
            self._untold = _UNTOLD.format(what=what, remedy=ended.remedy).rstrip()
        self.order.do(self.publisher.status, "restarting")
        self.order.do(self.publisher.status, "starting")

    def sandbox_refused(self, sentence: str) -> None:
        """There is no sandbox and there will be none."""
        log.error("%s", sentence)
        self.debugger.forget()
        for request in self.requests.drain(list(self.requests.pending.values())):
            self.questions.close(request)
            if isinstance(request, FrontRequest) and not request.answered:
                request.fail("SandboxRefused", sentence)
            else:
                request.died(sentence, running=True)
        self.running.look()
        self.agent.sandbox_changed()
        self.publisher.status("idle")

    def _bury(self, sentence: str, waiting: Sequence[Request]) -> bool:
        """Whether there was a cell or step to say it in."""
        waiting = self.requests.drain(waiting)
        self.running.look()
        executes = [r for r in waiting if r.type == "execute_request" and not r.answered]
        blamed = next(iter(executes), None)
        for request in waiting:
            self.questions.close(request)
            self.order.do(partial(request.died, sentence, running=request is blamed))
        return blamed is not None

    def untold(self) -> str:
        """That variables were lost when no code ran, or files renamed, for whoever runs code next;
        then ""."""
        sentence, self._untold = self._untold, ""
        return "\n".join(filter(None, (sentence, self.files.told())))

    def _before_cell(self) -> str:
        return "\n".join(filter(None, (self.untold(), self.isolation.before_cell())))

    def abort(self, message: Incoming) -> None:
        """Answer a request that will not be run."""
        abort(self.publisher, message)


def _without_ours(metadata: bytes) -> bytes:
    value = as_object(metadata)
    value.pop("codeact", None)
    return to_json(value)
