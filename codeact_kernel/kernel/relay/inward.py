"""What comes from inside, checked. Nothing behind this file sees an unchecked field.

Rule: the sandbox is hostile data. A frame that is well-formed but answers nobody, is of a type
that is not on the list, or does not fit its channel is dropped and logged; it never moves anything.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from codeact_kernel.kernel.channels.messages import (
    EMPTY,
    BadMessage,
    Bytes,
    as_object,
    to_json,
    whole_object,
)
from codeact_kernel.kernel.channels.publisher import Publisher, reply_type
from codeact_kernel.kernel.display.firewall import Cleaned, Firewall, note
from codeact_kernel.kernel.relay import declined
from codeact_kernel.kernel.relay.bounded_log import BoundedLog
from codeact_kernel.kernel.relay.in_order import InOrder
from codeact_kernel.kernel.relay.requests import CallRefused, Request, Requests
from codeact_kernel.kernel.relay.said import Said
from codeact_kernel.wire import Frame

log = logging.getLogger(__name__)

_WHILE_PENDING: Mapping[str, Mapping[str, type]] = {
    "execute_input": {"code": str},
    "execute_result": {"data": dict},
}
_ANY_TIME: Mapping[str, Mapping[str, type]] = {
    "display_data": {"data": dict},
    "update_display_data": {"data": dict, "transient": dict},
    "clear_output": {},
    "error": {"ename": str, "evalue": str, "traceback": list},
    "comm_open": {"comm_id": str, "target_name": str},
    "comm_msg": {"comm_id": str},
    "comm_close": {"comm_id": str},
}
_REFERS = frozenset(
    ("comm_open", "comm_msg", "display_data", "update_display_data", "execute_result")
)
"""What can show a widget, or tie itself to one."""
_STATUS = {
    state: Said("status", to_json({"execution_state": state}), {"execution_state": state})
    for state in ("busy", "idle")
}
_MAX_PROMPT = 10_000
_TOLD = 1000
_STREAMS = ("stdout", "stderr")


class Life(Protocol):
    """Who is told what a request's code does: ends, calls `input()`."""

    def ended(self, request: Request) -> None: ...
    def asked(self, request: Request, prompt: str, password: bool) -> None: ...


class Inward:
    """Takes frames, finds the request each belongs to, and tells it.

    `owns_comm(comm_id)` says whether a comm is this kernel's own; the sandbox has no part in those,
    and nothing it shows may refer to them, which `names_own(content)` finds.
    `send` answers a call; `dap` takes what a debugger says; `order` does what takes long.
    """

    def __init__(
        self,
        requests: Requests,
        publisher: Publisher,
        life: Life,
        owns_comm: Callable[[str], bool],
        names_own: Callable[[Bytes], bool],
        send: Callable[..., None],
        firewall: Firewall,
        dap: Callable[[Frame], None],
        order: InOrder,
    ) -> None:
        self._requests = requests
        self._publisher = publisher
        self._life = life
        self._owns_comm = owns_comm
        self._names_own = names_own
        self._send = send
        self._firewall = firewall
        self._order = order
        self.dropped = BoundedLog(log)
        self._told: OrderedDict[tuple[str, tuple[str, ...]], None] = OrderedDict()
        self._takes: dict[str, Callable[[Frame, Request | None], None]] = {
            "stream": self._stream,
            "publish": self._publish,
            "reply": self._reply,
            "ask": self._ask,
            "call": self._call,
            "dap": lambda frame, request: dap(frame),
        }

    def on_frame(self, frame: Frame) -> None:
        """One frame of the live kernel (the link has taken its own kinds out)."""
        take = self._takes.get(frame.head["t"])
        parent = frame.head.get("parent", "")
        if take is None or not isinstance(parent, str):
            self.dropped.say("dropped a frame of type %.40r", frame.head["t"])
            return
        try:
            take(frame, self._requests.pending.get(parent))
        except Exception as error:  # noqa: BLE001 -- whatever a frame does to us, only it is lost
            self.dropped.say("dropped a %s frame: %.200r", frame.head["t"], error)

    def _stream(self, frame: Frame, request: Request | None) -> None:
        name = frame.head["name"]
        if name not in _STREAMS:
            raise BadMessage("no such stream")
        text = str(frame.parts[0], "utf-8", "replace")
        text = self._firewall.stream(frame.head["parent"], name, text)
        request = request or self._requests.recent(frame.head["parent"])
        if request is None:
            self._publisher.stream(EMPTY, name, text)
        else:
            request.stream(name, text)

    def _publish(self, frame: Frame, request: Request | None) -> None:
        kind = frame.head["type"]
        if kind == "status":
            self._status(frame, request)
            return
        said = self._said(kind, frame)
        if request is None and kind in _WHILE_PENDING:
            raise BadMessage(f"{kind} for a request that is not pending")
        request = request or self._requests.recent(frame.head["parent"])
        if kind.startswith("comm_") and self._forbidden(said.value):
            raise BadMessage("a comm that is not its own")
        if self._firewall.takes_long(said):
            self._order.work(
                lambda: self._firewall.publish(said),
                lambda cleaned: self._cleaned(request, said, cleaned),
            )
        else:
            self._cleaned(request, said, self._firewall.publish(said))

    def _cleaned(self, request: Request | None, said: Said, cleaned: Cleaned) -> None:
        shown = cleaned.said
        # Looked for when all is cleaned: what is taken out of a text can join its parts.
        if shown is not None and shown.type in _REFERS and self._names_own(shown.content):
            self.dropped.say("dropped a %s that names a widget of ours", shown.type)
            return
        if shown is not None:
            self._show(request, shown)
        if cleaned.removed:
            self._tell(request, said, cleaned.removed)

    def _show(self, request: Request | None, said: Said) -> None:
        if request is None:
            self._publisher.publish(said.type, EMPTY, said.content, said.metadata, said.buffers)
        else:
            request.publish(said)

    def _tell(self, request: Request | None, said: Said, removed: tuple[str, ...]) -> None:
        """Say once below an output what it lost; an animation is one output, a widget's parts too."""
        if said.type in ("update_display_data", "comm_msg", "comm_open"):
            key = (request.id if request is not None else "", removed)
            if key in self._told:
                return
            self._told[key] = None
            if len(self._told) > _TOLD:
                self._told.popitem(last=False)
        self._show(request, note(removed))

    def _forbidden(self, value: Mapping[str, Any]) -> bool:
        return value.get("target_name") == "codeact" or self._owns_comm(value["comm_id"])

    def _said(self, kind: str, frame: Frame) -> Said:
        shape = _ANY_TIME.get(kind)
        if shape is None:
            shape = _WHILE_PENDING.get(kind)
        if shape is None:
            raise BadMessage(f"{kind!r:.40} may not be published")
        metadata, content, *buffers = frame.parts
        if metadata != EMPTY:
            metadata, _ = whole_object(metadata)
        content, value = whole_object(content)
        for key, needed in shape.items():
            if not isinstance(value.get(key), needed):
                raise BadMessage(f"{kind} without {key}")
        return Said(kind, content, value, metadata, tuple(buffers))

    def _status(self, frame: Frame, request: Request | None) -> None:
        state = as_object(frame.parts[1]).get("execution_state")
        if self._is_late(frame, request):
            return
        if request is None or state not in _STATUS:
            raise BadMessage("a status of nobody")
        said = _STATUS[state]
        if state == "busy":
            request.publish(said)
        elif request.answered:
            self._requests.finish(request)
            request.publish(said)
            self._life.ended(request)

    def _reply(self, frame: Frame, request: Request | None) -> None:
        kind = frame.head["type"]
        if self._is_late(frame, request):
            return
        if request is None or request.answered or kind != reply_type(request.type):
            raise BadMessage("a reply to nothing that is open")
        metadata, content, *buffers = frame.parts
        if metadata != EMPTY:
            metadata, _ = whole_object(metadata)
        content, value = whole_object(content)
        said = Said(kind, content, value, metadata, tuple(buffers))
        request.answered = True
        if self._firewall.takes_long(said):
            self._order.work(lambda: self._firewall.reply(said), request.reply)
        else:
            request.reply(self._firewall.reply(said))

    def _is_late(self, frame: Frame, request: Request | None) -> bool:
        """Whether it was declined meanwhile: nothing that is worth a line of the log."""
        over = self._requests.recent(frame.head["parent"]) if request is None else None
        return over is not None and over.type in declined.KINDS

    def _ask(self, frame: Frame, request: Request | None) -> None:
        if request is None or request.answered or request.client is None:
            raise BadMessage("nobody to ask")
        prompt = str(frame.parts[0], "utf-8", "replace")[:_MAX_PROMPT]
        prompt = self._firewall.prompt(prompt)
        self._life.asked(request, prompt, frame.head.get("password") is True)

    def _call(self, frame: Frame, request: Request | None) -> None:
        call, name = frame.head["id"], frame.head["name"]
        if not isinstance(call, str | int) or not isinstance(name, str):
            raise BadMessage("a call without id and name")
        try:
            if request is None or request.answered:
                raise CallRefused(f"{name[:80]} can only be called while a cell runs.")
            value, ok = request.call(name[:80], as_object(frame.parts[0])), True
        except (CallRefused, BadMessage) as error:
            value, ok = str(error), False
        self._send({"t": "result", "id": call, "ok": ok}, (to_json(value),))
