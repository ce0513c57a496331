"""What comes from inside, made harmless to the browser or terminal that shows it.

Rule: everything that may be shown passes here before anybody sees, records or keeps it. What is
taken out is named, so that it can be said. Only the user's own word lifts this, for the life of
this kernel; nothing from inside comes near `trusted`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from codeact_kernel.kernel.channels.messages import to_json
from codeact_kernel.kernel.display import terminal
from codeact_kernel.kernel.relay.said import Said
from codeact_kernel.trace.key import KEY

if TYPE_CHECKING:
    from codeact_kernel.kernel.display.widgets import Widgets

TRUSTED = (
    "Displays are shown as they are from now on, until this kernel ends or "
    "`%agent distrust display`. What code here shows can run script in this page and act as you do "
    "in it."
)
DISTRUSTED = "Displays are cleaned again. What was shown before stays as it is."
_BUNDLES = frozenset({"display_data", "update_display_data", "execute_result"})
_ORDERS = ("%agent", "%pip")
"""What this kernel carries out itself, outside, when its user runs a cell with it."""
_LISTED = 8
_LONG = 200_000
"""Characters that are cleaned in some 50 ms."""
_QUICK = frozenset({"text/plain", "image/png", "image/jpeg", "image/gif", "image/webp"})
"""Types that are only looked through."""


class Cleaned(NamedTuple):
    """What may be shown, None for nothing, and what was removed from it."""

    said: Said | None
    removed: tuple[str, ...] = ()


class Firewall:
    """Cleans what is published and replied. Owner of `trusted`."""

    def __init__(self) -> None:
        self.trusted = False
        self._widgets: Widgets | None = None
        self._streams = terminal.Streams()

    def forget(self) -> None:
        """The sandbox is gone. Trust stays: it was given to this notebook's displays."""
        self._widgets = None
        self._streams.forget()

    def stream(self, parent: str, name: str, text: str) -> str:
        """Text of stdout or stderr, colours kept."""
        return text if self.trusted else self._streams.clean((parent, name), text)

    def prompt(self, text: str) -> str:
        """The question of `input()`."""
        return text if self.trusted else terminal.clean(text)

    def takes_long(self, said: Said) -> bool:
        """Whether cleaning it could hold the event loop up: then it belongs in a thread."""
        if self.trusted or len(said.content) < _LONG:
            return False
        data = said.value.get("data")
        return not isinstance(data, dict) or any(
            _is_long(data[mime]) for mime in data.keys() - _QUICK
        )

    def publish(self, said: Said) -> Cleaned:
        """An iopub message."""
        if said.type in ("status", "clear_output"):
            return Cleaned(said)
        if self.trusted:
            return Cleaned(_not_ours(said))
        if said.type in _BUNDLES:
            return self._bundle(said)
        if said.type.startswith("comm_"):
            return self._comm(said)
        return Cleaned(_without_controls(said))

    def _bundle(self, said: Said) -> Cleaned:
        data = said.value["data"]
        if data.keys() <= {"text/plain"} and not (said.value.get("metadata") or _needs_look(said)):
            return Cleaned(said)
        kept, removed = _bundles().clean_data(data)
        metadata = said.value.get("metadata")
        shown = _bundles().clean_metadata(metadata, kept)
        if kept == data and shown == (metadata if metadata is not None else {}):
            return Cleaned(said)
        value = {**said.value, "data": kept, "metadata": shown}
        return Cleaned(_with(said, value), tuple(sorted(removed)))

    def _comm(self, said: Said) -> Cleaned:
        from codeact_kernel.kernel.display.widgets import Refused, Widgets

        if self._widgets is None:
            self._widgets = Widgets(_clean_output)
        try:
            match said.type:
                case "comm_open":
                    value, removed = self._widgets.opened(said.value)
                case "comm_msg":
                    value, removed = self._widgets.said(said.value)
                case _:
                    self._widgets.closed(said.value)
                    return Cleaned(said)
        except Refused as refusal:
            return Cleaned(None, (str(refusal),) if str(refusal) else ())
        if value == said.value:
            return Cleaned(said)
        return Cleaned(_with(said, value), tuple(sorted(removed)))

    def reply(self, said: Said) -> Said:
        """A reply: what a front end draws or acts on in it."""
        if self.trusted:
            return said
        if said.type == "execute_reply":
            return _execute_reply(said)
        data = said.value.get("data")
        if isinstance(data, dict):  # inspect_reply
            value = {**said.value, "data": _bundles().clean_data(data)[0], "metadata": {}}
            return _with(said, value)
        return _without_controls(said)

    def debug(self, message: dict[str, Any]) -> dict[str, Any]:
        """A debugger's response or event: its texts, and the value that is looked at closely."""
        if self.trusted:
            return message
        message = dict(terminal.clean_all(message))
        data = message["body"].get("data")
        if isinstance(data, dict):
            kept, _ = _bundles().clean_data(data)
            metadata = _bundles().clean_metadata(message["body"].get("metadata"), kept)
            message["body"] = {**message["body"], "data": kept, "metadata": metadata}
        return message


def note(removed: tuple[str, ...]) -> Said:
    """A short display that says what is missing."""
    listed = ", ".join(removed[:_LISTED])
    more = f" and {len(removed) - _LISTED} more" if len(removed) > _LISTED else ""
    text = (
        f"Removed from this display: {listed}{more}. "
        "`%agent trust display` shows displays as they are."
    )
    value = {"data": {"text/plain": text}, "metadata": {}, "transient": {}}
    return Said("display_data", to_json(value), value)


def _is_long(value: object) -> bool:
    return not isinstance(value, str) or len(value) > _LONG


def _bundles() -> ModuleType:
    """Imported with the first rich display: most kernels show text for a while."""
    from codeact_kernel.kernel.display import bundles

    return bundles


def _with(said: Said, value: dict[str, Any]) -> Said:
    return said._replace(content=to_json(value), value=value)


def _needs_look(said: Said) -> bool:
    """Whether a plain text could need cleaning, without walking through it."""
    text = said.value["data"].get("text/plain", "")
    return not isinstance(text, str) or terminal.may_hold_controls(said.content)


def _not_ours(said: Said) -> Said:
    """Without the metadata by which a notebook tells a run (trace/inline.py): a trusted display may
    do what it likes in the page, it still is no record of what the agent did."""
    metadata = said.value.get("metadata") if said.type in _BUNDLES else None
    if not isinstance(metadata, dict) or KEY not in metadata:
        return said
    kept = {key: value for key, value in metadata.items() if key != KEY}
    return _with(said, {**said.value, "metadata": kept})


def _without_controls(said: Said) -> Said:
    if not terminal.may_hold_controls(said.content):
        return said
    value = terminal.clean_all(said.value)
    return said if value == said.value else _with(said, value)


def _clean_output(output: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """One output as notebooks have them, inside an Output widget."""
    data = output.get("data")
    if not isinstance(data, dict):
        return terminal.clean_all(dict(output)), frozenset()
    kept, removed = _bundles().clean_data(data)
    metadata = _bundles().clean_metadata(output.get("metadata"), kept)
    return {**output, "data": kept, "metadata": metadata}, removed


def _execute_reply(said: Said) -> Said:
    value = dict(said.value)
    for key in ("ename", "evalue", "traceback"):
        if key in value:
            value[key] = terminal.clean_all(value[key])
    if value.get("payload"):
        value["payload"] = _payloads(value["payload"])
    if value.get("user_expressions"):
        value["user_expressions"] = _expressions(value["user_expressions"])
    return said if value == said.value else _with(said, value)


def _payloads(payloads: Any) -> list[dict[str, Any]]:
    """Pages of text, the end of a console, and the text of a next cell that gives no orders here."""
    found: list[dict[str, Any]] = []
    for each in payloads if isinstance(payloads, list) else []:
        match each:
            case {"source": "page", "data": dict(data)}:
                kept, _ = _bundles().clean_data(data)
                start = each.get("start")
                found.append(
                    {"source": "page", "data": kept, "start": start if type(start) is int else 0}
                )
            case {"source": "set_next_input", "text": str(raw)}:
                text = terminal.clean(
                    raw
                )  # first: what is cut out may have stood between two halves
                if not any(order in text for order in _ORDERS):
                    replace = each.get("replace") is True
                    found.append({"source": "set_next_input", "text": text, "replace": replace})
            case {"source": "ask_exit"}:
                found.append({"source": "ask_exit", "keepkernel": each.get("keepkernel") is True})
            case _:
                pass
    return found


def _expressions(given: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, each in (given if isinstance(given, dict) else {}).items():
        if isinstance(each, dict) and isinstance(each.get("data"), dict):
            kept, _ = _bundles().clean_data(each["data"])
            found[name] = {"status": "ok", "data": kept, "metadata": {}}
        else:
            found[name] = terminal.clean_all(each)
    return found
