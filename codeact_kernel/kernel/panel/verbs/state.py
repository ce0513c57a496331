"""Section Variables: what the notebook holds, a page of what is in a value, another simple value.

Rule: what the sandbox answers is checked and bounded here, field by field. It is only asked while no
code runs, because it could not answer; a value is only changed while no run is under way, because the
agent would take the change for its own doing.
"""

from __future__ import annotations

import keyword
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from codeact_kernel.errors import SandboxError, UsageError
from codeact_kernel.kernel.panel import fields as read
from codeact_kernel.kernel.panel.panel import Comm
from codeact_kernel.kernel.panel.requests import Verb
from codeact_kernel.kernel.relay.link import Link
from codeact_kernel.kernel.run.surroundings import surroundings_of
from codeact_kernel.trace.values import Variable

BUSY = "Code is running. The variables can be looked at when it has ended."
AT_WORK = "A run of the agent is under way. Values can be changed when it has ended."
_ROWS = 50
_COLUMNS = 20
_WIDTH = 200
_MAX_TEXT = 100_000
_MAX_INTEGER = 1000
"""Digits."""
_SIMPLE = ("int", "float", "str", "bool")


Ask = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


def asking(link: Link, runs: Callable[[], bool]) -> Ask:
    """Asks the sandbox; raises UsageError while `runs()`: code is running inside."""

    async def ask(name: str, arguments: Mapping[str, Any]) -> Any:
        if runs():
            raise UsageError(BUSY)
        return await link.query(name, arguments)

    return ask


def verbs(ask: Ask, at_work: Callable[[], bool]) -> Mapping[str, Verb]:
    """`ask` asks the sandbox; `at_work()`: a run of the agent is under way, or about to be."""

    async def variables(comm: Comm) -> dict[str, Any]:
        found = surroundings_of(await ask("surroundings", {})).variables
        return {"variables": [_row(name, variable) for name, variable in found.items()]}

    async def look(comm: Comm, name: str, row: int, column: int) -> dict[str, Any]:
        arguments = {"name": _identifier(name), "row": row, "column": column}
        try:
            return _page(await ask("look", arguments))
        except SandboxError as error:
            raise UsageError(f"{name} cannot be looked into: {error}") from None

    async def set_variable(comm: Comm, name: str, type_name: str, text: str) -> dict[str, Any]:
        if at_work():
            raise UsageError(AT_WORK)
        arguments = {"name": _identifier(name), "value": simple(type_name, text)}
        try:
            now = await ask("set", arguments)
        except SandboxError as error:
            raise UsageError(f"{name} was not changed: {error}") from None
        (variable,) = surroundings_of({"variables": {name: now}}).variables.values()
        return _row(name, variable)

    name, place = read.text(200), read.optional(read.whole(0, 10**12), 0)
    return {
        "variables": Verb(carry_out=variables),
        "look": Verb(carry_out=look, fields={"name": name, "row": place, "column": place}),
        "set_variable": Verb(
            carry_out=set_variable,
            fields={"name": name, "type_name": read.text(10), "text": read.text(_MAX_TEXT)},
        ),
    }


def simple(type_name: str, text: str) -> int | float | str | bool:
    """The value that a person typed. Raises UsageError."""
    try:
        match type_name:
            case "str":
                return text
            case "bool":
                return {"True": True, "False": False}[text.strip()]
            case "int" if len(text) <= _MAX_INTEGER:
                return int(text)
            case "float" if math.isfinite(number := float(text)):  # JSON has no others
                return number
            case _:
                pass
    except (ValueError, KeyError):
        pass
    if type_name not in _SIMPLE:
        raise UsageError(f"Only values of the types {', '.join(_SIMPLE)} can be changed here.")
    raise UsageError(f"{text[:40]!r} is not a value of the type {type_name}.")


def _identifier(name: str) -> str:
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise UsageError(f"{name[:40]!r} is not the name of a variable.")
    return name


def _row(name: str, variable: Variable) -> dict[str, Any]:
    return {
        "name": name,
        "type": variable.type,
        "shape": variable.shape,
        "dtype": variable.dtype,
        "size": variable.size,
        "preview": variable.preview,
    }


def _page(answer: Any) -> dict[str, Any]:
    """One page of a value's inside, as far as what came is one."""
    given = answer if isinstance(answer, dict) else {}
    rows = given.get("cells")
    return {
        **{name: _count(given.get(name)) for name in ("height", "width", "row", "column")},
        "index": _texts(given.get("index"), _ROWS),
        "columns": _texts(given.get("columns"), _COLUMNS),
        "cells": [
            _texts(row, _COLUMNS) for row in (rows if isinstance(rows, list) else [])[:_ROWS]
        ],
    }


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 2**53 else 0


def _texts(value: Any, most: int) -> list[str]:
    return [str(each)[:_WIDTH] for each in (value if isinstance(value, list) else [])[:most]]
