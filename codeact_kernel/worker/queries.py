"""The outer kernel's questions between cells, by name. Arguments and values are JSON."""

from __future__ import annotations

from typing import Any

from codeact_kernel.worker.surroundings import surroundings, values


def answer(shell: Any, name: str, arguments: dict[str, Any]) -> Any:
    """The value of one query. Raises LookupError for an unknown one, anything for bad arguments."""
    match name:
        case "surroundings":
            return surroundings(shell.user_ns, shell.user_ns_hidden)
        case "values":
            return values(shell.user_ns, list(arguments["names"]))
        case "keep":
            return _keep(shell.user_ns, arguments["name"], arguments["text"])
        case _:
            raise LookupError(f"there is no query {name!r}")


def _keep(namespace: dict[str, Any], name: str, text: str) -> dict[str, Any]:
    if not (isinstance(name, str) and name.isidentifier() and isinstance(text, str)):
        raise ValueError("`keep` takes an identifier and a text")
    namespace[name] = text
    return {}
