"""The comms of front ends that know this kernel: opened by them, fed by us (docs/panel.md).

Rule: target `codeact` belongs to this kernel alone. What a front end sends is checked; what the
sandbox sends on such a comm never gets here. A comm gets each event and edit once, in order. One
that is given up is closed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.cells.agent_options import Options, options_of
from codeact_kernel.kernel.channels import information
from codeact_kernel.kernel.channels.messages import EMPTY, BadMessage, Incoming
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.panel.requests import PanelRequests
from codeact_kernel.kernel.panel.run_log import RunLog
from codeact_kernel.kernel.run.encoding import event_json, without_outputs
from codeact_kernel.trace import edits
from codeact_kernel.trace.events import Event, OutputArrived

TARGET = "codeact"
PROTOCOL = 1
_MAX_COMMS = 64
_TYPES = ("comm_open", "comm_msg", "comm_close")
log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Comm:
    """One front end. `cells`: it makes the cells it is told to; `runs`: it executes them, too;
    `collaborates`: others show the same copy of the notebook; `problem`: its overrides are wrong;
    `silent`: it did not execute a cell when it was asked to, so perhaps it is gone.
    """

    id: str
    session: str
    cells: bool
    overrides: Options
    runs: bool = False
    collaborates: bool = False
    silent: bool = False
    problem: str = ""
    sent: int = 0
    greeted: bool = False


class Panel:
    """Owner of the open comms. `grade` says what the sandbox is worth, "" while it starts;
    `trusts_display` whether displays are shown as they are; `notes` what the sandbox does not show
    or hold; `answered` is called after each message that was handled here; `requests` answers what
    front ends ask.
    """

    def __init__(
        self,
        publisher: Publisher,
        grade: Callable[[], str],
        *,
        trusts_display: Callable[[], bool],
        notes: Callable[[], Sequence[str]],
        answered: Callable[[], None],
        requests: PanelRequests,
    ) -> None:
        self._publisher = publisher
        self._grade = grade
        self._trusts_display = trusts_display
        self._notes = notes
        self._answered = answered
        self._requests = requests
        self._log = RunLog()
        self.on_greeted: Callable[[Comm], None] = lambda comm: None
        """Called with a front end that has come, behind what it is told of the run."""
        self.on_left: Callable[[Comm], None] = lambda comm: None
        """Called with one that has said that it goes."""
        self._comms: dict[str, Comm] = {}
        self._waiting: list[Comm] = []

    def owns(self, comm_id: str) -> bool:
        """Whether this comm is ours."""
        return comm_id in self._comms

    def takes(self, message: Incoming) -> bool:
        """Handle a client's comm message when it is ours. Raises BadMessage."""
        if message.type not in _TYPES:
            return False
        content = message.read_content()
        comm_id = content.get("comm_id")
        if not isinstance(comm_id, str):
            raise BadMessage("a comm message without an id")
        opens = message.type == "comm_open" and content.get("target_name") == TARGET
        if not opens and comm_id not in self._comms:
            return False
        if message.type == "comm_msg":
            # only idle, which a client's future waits for: a panel that looks makes no kernel busy
            comm = self._comms[comm_id]
            self._requests.take(comm, content.get("data"), lambda reply: self._reply(comm, reply))
        else:
            self._publisher.status("busy", message.header)
            if opens:
                self._open(comm_id, message, content.get("data"))
            else:
                self.on_left(self._comms.pop(comm_id))
        self._publisher.status("idle", message.header)
        self._answered()
        return True

    def _open(self, comm_id: str, message: Incoming, data: Any) -> None:
        given: Mapping[str, Any] = data if isinstance(data, dict) else {}
        overrides = given.get("overrides")
        comm = Comm(
            id=comm_id,
            session=message.session,
            cells=given.get("cells") is True,
            runs=given.get("runs") is True,
            collaborates=given.get("collaborates") is True,
            overrides=Options(),
        )
        try:
            comm.overrides = options_of(overrides if isinstance(overrides, dict) else {})
        except UsageError as error:
            comm.problem = str(error)
        if len(self._comms) >= _MAX_COMMS:
            self._evict(next(iter(self._comms)))
        self._comms[comm_id] = comm
        self._waiting.append(comm)
        if self._grade():
            self.greet()

    def _evict(self, comm_id: str) -> None:
        del self._comms[comm_id]
        self._publisher.say("comm_close", EMPTY, {"comm_id": comm_id, "data": {}})

    def greet(self) -> None:
        """Say hello to those who wait for it; called when the sandbox is ready, or refused."""
        waiting, self._waiting = self._waiting, []
        for comm in waiting:
            if comm.id in self._comms:
                self._send(
                    comm,
                    {
                        "kind": "hello",
                        "protocol": PROTOCOL,
                        "version": information.VERSION,
                        "grade": self._grade(),
                        "display": "trusted" if self._trusts_display() else "cleaned",
                        "notes": list(self._notes()),
                    },
                )
                if not comm.greeted:
                    comm.greeted = True
                    self._tell_of_run(comm)
                    self.on_greeted(comm)

    def _tell_of_run(self, comm: Comm) -> None:
        """What has happened in the present or the last run."""
        for age, data in self._log.told():
            self._number(comm, {"kind": "event", "age": round(age, 3), "event": data})

    def greet_all(self) -> None:
        """Say hello again: what it says has changed."""
        self._waiting = list(self._comms.values())
        if self._grade():
            self.greet()

    def of(self, message: Incoming) -> Comm | None:
        """The comm of the tab that sent this request: the newest one of its session."""
        mine = [comm for comm in self._comms.values() if comm.session == message.session]
        return mine[-1] if mine else None

    def running_cells(self) -> list[Comm]:
        """Those that execute cells, the newest last; of those with one copy the newest acts for all."""
        found = [comm for comm in self._comms.values() if comm.runs and comm.greeted]
        shared = [comm for comm in found if comm.collaborates]
        return [comm for comm in found if comm not in shared[:-1]]

    def shares(self, comm: Comm) -> bool:
        """Whether another page shows the same copy of the notebook, and so has what this one has."""
        return comm.collaborates and any(
            other.collaborates and other is not comm for other in self._comms.values()
        )

    def has_page(self, session: str) -> bool:
        """Whether a front end of this session is there."""
        return any(comm.session == session for comm in self._comms.values())

    def event(self, event: Event) -> None:
        """Tell every front end. Outputs have their own messages."""
        self._log.add(event)
        if self._comms and not isinstance(event, OutputArrived):
            data = event_json(without_outputs(event))
            for comm in self._comms.values():
                if comm.greeted:
                    self._number(comm, {"kind": "event", "age": 0, "event": data})

    def edit(self, comm: Comm, edit: edits.Edit) -> None:
        """Tell the front end whose notebook it is."""
        if comm.id in self._comms:
            self._number(comm, {"kind": "edit", "edit": edits.to_json(edit)})

    async def close(self) -> None:
        """The kernel ends."""
        await self._requests.close()

    def _reply(self, comm: Comm, reply: dict[str, Any]) -> None:
        if comm.id in self._comms:
            self._send(comm, reply)

    def _number(self, comm: Comm, data: dict[str, Any]) -> None:
        comm.sent += 1
        self._send(comm, {**data, "seq": comm.sent})

    def _send(self, comm: Comm, data: dict[str, Any]) -> None:
        self._publisher.say("comm_msg", EMPTY, {"comm_id": comm.id, "data": data})
