"""The Debug Adapter Protocol, as far as this kernel looks at it. Values and checks; no I/O.

Rule: requests come from the user's own client, responses and events from inside. What comes from
inside is bounded and taken apart here; nothing of it is passed on that is not named here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from codeact_kernel.kernel.channels.messages import BadMessage, Raw, as_object

MAX_MESSAGE = 32 * 1024 * 1024
"""Bytes of one message from inside."""
EVENTS = frozenset(
    {
        "breakpoint",
        "capabilities",
        "continued",
        "exited",
        "initialized",
        "invalidated",
        "loadedSource",
        "module",
        "output",
        "process",
        "stopped",
        "terminated",
        "thread",
    }
)
HIDDEN = frozenset(
    {
        *("__annotations__", "__builtin__", "__builtins__", "__display__", "__doc__"),
        *("__loader__", "__name__", "__package__", "__spec__"),
        *("_", "__", "___", "_dh", "_oh", "In", "Out"),
        *("debugpy", "exit", "final_answer", "get_ipython", "open", "quit"),
    }
)
"""Names that IPython and this kernel put into a notebook's namespace."""


class Request(NamedTuple):
    """What a client asks."""

    seq: int
    command: str
    arguments: dict[str, Any]


class Response(NamedTuple):
    """What came back for our request number `seq`."""

    seq: int
    command: str
    success: bool
    message: str
    body: dict[str, Any]


class Event(NamedTuple):
    """What happened inside."""

    name: str
    body: dict[str, Any]


def read_request(content: dict[str, Any]) -> Request:
    """A client's request. Raises BadMessage."""
    seq, command = content.get("seq"), content.get("command")
    arguments = content.get("arguments") or {}
    if type(seq) is not int or not isinstance(command, str) or not isinstance(arguments, dict):
        raise BadMessage("a debug_request without number, command and arguments")
    return Request(seq, command, arguments)


def read(raw: Raw) -> Response | Event:
    """A message from inside. Raises BadMessage."""
    if len(raw) > MAX_MESSAGE:
        raise BadMessage("a debugger's message that is too large")
    value = as_object(raw)
    body = value.get("body")
    if not isinstance(body, dict):
        body = {}
    if value.get("type") == "event":
        if value.get("event") not in EVENTS:
            raise BadMessage("an event that is not known")
        return Event(value["event"], body)
    return read_response(value)


def read_response(value: object) -> Response:
    """A response from inside. Raises BadMessage."""
    if not isinstance(value, dict) or value.get("type") != "response":
        raise BadMessage("neither a response nor an event")
    seq, command, body = value.get("request_seq"), value.get("command"), value.get("body")
    if type(seq) is not int or not isinstance(command, str):
        raise BadMessage("a response to nothing")
    message = value.get("message")
    return Response(
        seq,
        command,
        value.get("success") is True,
        message[:2000] if isinstance(message, str) else "",
        body if isinstance(body, dict) else {},
    )


def thread_of(body: dict[str, Any]) -> int | None:
    """The thread an event is about."""
    thread = body.get("threadId")
    return thread if type(thread) is int else None


def shown_variables(body: dict[str, Any]) -> dict[str, Any]:
    """The body of a `variables` response without what is nobody's variable."""
    variables = body.get("variables")
    kept = [each for each in variables if _is_shown(each)] if isinstance(variables, list) else []
    return {**body, "variables": kept}


def _is_shown(variable: object) -> bool:
    if not isinstance(variable, dict):
        return False
    name = variable.get("name")
    if not isinstance(name, str) or name in HIDDEN or name.startswith("_i"):
        return False
    return not (name[:1] == "_" and name[1:2].isdigit())
