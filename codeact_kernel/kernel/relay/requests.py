"""Who waits for what: the requests that are inside, and the last ones that were.

Rule: the sandbox names a message only by the id of the request it belongs to. What that means -
which client, which header, whether anybody hears it - is decided by the Request found here; a
reply to an unknown or answered request is dropped. This table is the one owner of that state.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from codeact_kernel.kernel.channels.messages import EMPTY, Incoming
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.relay.said import Said

_RECENT = 1000
COMMS = frozenset({"comm_open", "comm_msg", "comm_close"})


class CallRefused(Exception):
    """A call from inside is answered with this sentence."""


class Request:
    """One request that went inside. Subclasses say who hears what comes of it.

    `seconds` is how long its code may run, None for as long as it likes; `client` who is asked when
    it calls `input()`, None when nobody is.
    """

    def __init__(self, msg_id: str, kind: str, header: bytes, seconds: float | None = None) -> None:
        self.id = msg_id
        self.type = kind
        self.header = header
        self.seconds = seconds
        self.client: Incoming | None = None
        self.answered = not kind.endswith("_request")

    def publish(self, said: Said) -> None:
        """An iopub message; `status` only busy and idle."""

    def stream(self, name: str, text: str) -> None:
        """Output text."""

    def prompt(self, text: str) -> str:
        """What the person is shown when its code asks `text`."""
        return text

    def reply(self, said: Said) -> None:
        """The reply; comes once."""

    def call(self, name: str, arguments: Mapping[str, Any]) -> object:
        """Code inside calls something outside. Raises CallRefused."""
        raise CallRefused(f"{name} can only be called in a step of an agent.")

    def timed_out(self) -> None:
        """`seconds` are over; the code is being interrupted."""

    def died(self, sentence: str, running: bool) -> None:
        """The sandbox ended. `running`: under this request's code."""

    def settle(self) -> None:
        """It is over: only what late output needs is kept."""


class FrontRequest(Request):
    """A client's own request: what comes of it goes to that client under its header."""

    def __init__(self, message: Incoming, publisher: Publisher, allow_stdin: bool) -> None:
        super().__init__(message.id, message.type, message.header)
        self.message = message
        self.publisher = publisher
        self.client = message if allow_stdin else None

    def publish(self, said: Said) -> None:
        self.publisher.publish(said.type, self.header, said.content, said.metadata, said.buffers)

    def stream(self, name: str, text: str) -> None:
        self.publisher.stream(self.header, name, text)

    def reply(self, said: Said) -> None:
        self.publisher.reply(self.message, said.content, said.metadata, said.buffers)

    def timed_out(self) -> None:
        self.stream(
            "stderr", f"Stopped: the time limit of {self.seconds:g} s for a cell is over.\n"
        )

    def died(self, sentence: str, running: bool) -> None:
        if self.answered:
            self.publisher.status("idle", self.header)
        elif running or self.type != "execute_request":
            self.fail("SandboxDied", sentence)
        else:
            self.abort()

    def settle(self) -> None:
        self.message = self.message._replace(content=EMPTY, buffers=())

    def fail(self, name: str, sentence: str) -> None:
        """Answer with an error that is one sentence, never a traceback."""
        fail(self.publisher, self.message, name, sentence)

    def abort(self) -> None:
        """Answer that it was not run, as after an error in a cell before it."""
        abort(self.publisher, self.message)


def fail(publisher: Publisher, message: Incoming, name: str, sentence: str) -> None:
    """An error output (for code), an error reply, idle."""
    error = {"ename": name, "evalue": sentence, "traceback": [f"{name}: {sentence}"]}
    publisher.status("busy", message.header)
    if message.type == "execute_request":
        publisher.say("error", message.header, error)
    if message.type.endswith("_request"):
        publisher.reply(message, {"status": "error", "execution_count": None, **error})
    publisher.status("idle", message.header)


def abort(publisher: Publisher, message: Incoming) -> None:
    """The answer of a request that was queued behind something that failed or was stopped."""
    publisher.status("busy", message.header)
    publisher.reply(message, {"status": "aborted"})
    publisher.status("idle", message.header)


class Requests:
    """The table. `pending` until replied and idle; then remembered a while for late output."""

    def __init__(self) -> None:
        self.pending: dict[str, Request] = {}
        self._cells: OrderedDict[str, Request] = OrderedDict()
        self._comms: OrderedDict[str, Request] = OrderedDict()
        self._recent: OrderedDict[str, Request] = OrderedDict()

    def add(self, request: Request) -> None:
        """Remember a request that goes inside; KeyError when its id is taken."""
        if request.id in self.pending:
            raise KeyError(request.id)
        self.pending[request.id] = request
        if request.type == "execute_request":
            self._cells[request.id] = request
        elif request.type in COMMS:
            self._comms[request.id] = request

    @property
    def first_cell(self) -> Request | None:
        """The oldest cell or step that is not over."""
        return next(iter(self._cells.values()), None)

    @property
    def first_comm(self) -> Request | None:
        """The oldest comm message whose handlers are not done."""
        return next(iter(self._comms.values()), None)

    def recent(self, msg_id: str) -> Request | None:
        """A request that is over, for what a thread or task of it still prints."""
        return self._recent.get(msg_id)

    def finish(self, request: Request) -> None:
        """Replied and idle."""
        if self.pending.pop(request.id, None) is not None:
            self._cells.pop(request.id, None)
            self._comms.pop(request.id, None)
            request.settle()
            self._recent[request.id] = request
            if len(self._recent) > _RECENT:
                self._recent.popitem(last=False)

    def drain(self, among: Sequence[Request]) -> list[Request]:
        """Those of them that still wait, taken out: nobody will answer them."""
        waiting = [request for request in among if self.pending.get(request.id) is request]
        for request in waiting:
            self.finish(request)
        return waiting
