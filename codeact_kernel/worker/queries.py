"""The outer kernel's questions between cells, by name. Arguments and values are JSON."""

from __future__ import annotations

import importlib
from typing import Any

from codeact_kernel.worker.look import look
from codeact_kernel.worker.put_back import put_back
from codeact_kernel.worker.surroundings import describe, marks, surroundings, values

_SIMPLE = (int, float, str, bool)
"""Values that a person may change by hand; exactly these types."""


def answer(shell: Any, name: str, arguments: dict[str, Any]) -> Any:
    """The value of one query. Raises LookupError for an unknown one, anything for bad arguments."""
    match name:
        case "surroundings":
            return surroundings(shell.user_ns, shell.user_ns_hidden)
        case "marks":
            return marks(shell.user_ns, shell.user_ns_hidden)
        case "values":
            return values(shell.user_ns, list(arguments["names"]))
        case "keep":
            return _keep(shell.user_ns, arguments["name"], arguments["text"])
        case "look":
            value = shell.user_ns[arguments["name"]]
            return look(value, int(arguments["row"]), int(arguments["column"]))
        case "set":
            return _set(shell.user_ns, arguments["name"], arguments["value"])
        case "obstacles":
            return shell.kernel.parking.obstacles()
        case "debugger":
            debugger = shell.kernel.debugger
            return debugger.attach() if arguments["attach"] else debugger.detach()
        case "dap":
            return shell.kernel.inspector.answer(arguments)
        case "put_back":
            return put_back(arguments)
        case "installed":
            importlib.invalidate_caches()
            return {}
        case _:
            raise LookupError(f"there is no query {name!r}")


def _keep(namespace: dict[str, Any], name: str, text: str) -> dict[str, Any]:
    if not (isinstance(name, str) and name.isidentifier() and isinstance(text, str)):
        raise ValueError("`keep` takes an identifier and a text")
    namespace[name] = text
    return {}


def _set(namespace: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Give a variable that holds a simple value another one; what it is then."""
    if type(value) not in _SIMPLE or type(namespace[name]) not in _SIMPLE:
        raise TypeError("only numbers, texts, True and False can be changed here")
    namespace[name] = value
    return describe(value)
