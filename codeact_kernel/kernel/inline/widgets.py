"""This kernel's own widgets: opened, changed and heard by the outer side alone.

Rule: all ids begin with one random word, and what begins with it is ours for ever. Code inside can
neither speak on such a comm nor hear one, and nothing it shows may name such an id: it could read
one in a saved notebook, put our button where it likes, or tie its own slider to our text.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from codeact_kernel.kernel.channels.messages import Bytes, Incoming
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.inline.models import PROTOCOL, TARGET, State

_TYPES = ("comm_msg", "comm_close")
_ESCAPE = re.compile(rb"\\u00")

Hear = Callable[[Mapping[str, Any]], None]
"""Called with the data of a front end's message to one widget."""


class Widgets:
    """Owner of the open widgets. `answered` is called after each message that was handled here."""

    def __init__(self, publisher: Publisher, answered: Callable[[], None]) -> None:
        self._publisher = publisher
        self._answered = answered
        self._word = f"codeact{uuid.uuid4().hex}"
        self._named = re.compile(self._word.encode())
        self._count = 0
        self._open: dict[str, Hear] = {}

    def owns(self, comm_id: str) -> bool:
        """Whether a comm with this id is ours, now or once."""
        return comm_id.startswith(self._word)

    def named_in(self, content: Bytes) -> bool:
        """Whether this JSON names one of our widgets, however it spells it."""
        if not self._count:
            return False
        if _ESCAPE.search(content) is not None:
            content = json.dumps(json.loads(bytes(content))).encode()
        return self._named.search(content) is not None

    def takes(self, message: Incoming) -> bool:
        """Handle a client's message to one of our widgets. Raises BadMessage."""
        if message.type not in _TYPES or self._named.search(message.content) is None:
            return False
        content = message.read_content()
        comm_id = content.get("comm_id")
        if not isinstance(comm_id, str) or not self.owns(comm_id):
            return False
        data, hear = content.get("data"), self._open.get(comm_id)
        if message.type == "comm_msg" and hear is not None and isinstance(data, dict):
            self._echo(message.header, comm_id, data)
            hear(data)
        self._publisher.status("idle", message.header)  # the front end waits for it
        self._answered()
        return True

    def _echo(self, parent: bytes, comm_id: str, data: Mapping[str, Any]) -> None:
        """Every page that shows the widget shows the change; the one that made it knows it again."""
        if state := state_in(data):
            echo = {"method": "echo_update", "state": state, "buffer_paths": []}
            self._publisher.say("comm_msg", parent, {"comm_id": comm_id, "data": echo})

    def group(self, parent: bytes) -> Group:
        """Widgets that come and go together, for the cell whose request has this header."""
        return Group(self, parent)

    def open(self, parent: bytes, state: State, hear: Hear) -> str:
        """Make a widget; its id."""
        self._count += 1
        comm_id = f"{self._word}{self._count}"
        self._open[comm_id] = hear
        data = {"state": state, "buffer_paths": []}
        content = {"comm_id": comm_id, "target_name": TARGET, "data": data}
        self._publisher.say("comm_open", parent, content, {"version": PROTOCOL})
        return comm_id

    def change(self, parent: bytes, comm_id: str, state: State) -> None:
        """Change a part of a widget's state."""
        if comm_id in self._open:
            data = {"method": "update", "state": state, "buffer_paths": []}
            self._publisher.say("comm_msg", parent, {"comm_id": comm_id, "data": data})

    def close(self, parent: bytes, comm_id: str) -> None:
        """It is not there any more."""
        if self._open.pop(comm_id, None) is not None:
            self._publisher.say("comm_close", parent, {"comm_id": comm_id, "data": {}})


class Group:
    """Widgets of one display."""

    def __init__(self, widgets: Widgets, parent: bytes) -> None:
        self._widgets = widgets
        self._parent = parent
        self._ids: list[str] = []

    def open(self, state: State, hear: Hear = lambda data: None) -> str:
        """One more; its id."""
        comm_id = self._widgets.open(self._parent, state, hear)
        self._ids.append(comm_id)
        return comm_id

    def change(self, comm_id: str, **state: Any) -> None:
        """Change one of them."""
        self._widgets.change(self._parent, comm_id, state)

    def close(self) -> None:
        """All of them go."""
        for comm_id in reversed(self._ids):
            self._widgets.close(self._parent, comm_id)
        self._ids.clear()


def state_in(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes that a front end's message changes, empty when it changes none."""
    state = data.get("state") if data.get("method") == "update" else None
    return state if isinstance(state, dict) else {}


def is_click(data: Mapping[str, Any]) -> bool:
    """Whether a button was clicked."""
    content = data.get("content")
    return isinstance(content, dict) and content.get("event") == "click"
