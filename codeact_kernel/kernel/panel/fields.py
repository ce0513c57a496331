"""How one field of a front end's request is read (docs/panel.md).

Rule: a reader gives back a value of exactly one kind or raises UsageError with a sentence that names
the field. Nothing is converted: a front end that means 3 does not send "3".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from codeact_kernel.errors import UsageError

Reader = Callable[[str, Any], Any]
"""`(name, value) -> value`; MISSING as the value when the request has no such field."""
MISSING = object()
_HALF = re.compile("[\ud800-\udfff]")


def text(longest: int) -> Reader:
    """A string of at most so many characters, none of them a half of one."""

    def read(name: str, value: Any) -> str:
        if not isinstance(value, str) or _HALF.search(value):
            raise UsageError(f"{name} has to be text.")
        if len(value) > longest:
            raise UsageError(f"{name} may have at most {longest:,} characters.")
        return value

    return read


def texts(longest: int, most: int) -> Reader:
    """A list of such strings."""
    one = text(longest)

    def read(name: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise UsageError(f"{name} has to be a list of at most {most:,} texts.")
        return tuple(one(name, each) for each in value)

    return read


def whole(least: int, most: int) -> Reader:
    """A whole number between these, both included."""

    def read(name: str, value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise UsageError(f"{name} has to be a whole number from {least:,} to {most:,}.")
        return value

    return read


def flag(name: str, value: Any) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise UsageError(f"{name} has to be true or false.")
    return value


def table(name: str, value: Any) -> dict[str, Any]:
    """An object, whose members the verb reads itself."""
    if not isinstance(value, dict):
        raise UsageError(f"{name} has to be an object.")
    return value


def optional(reader: Reader, default: Any) -> Reader:
    """As `reader`, and `default` when the field is not there."""
    return lambda name, value: default if value is MISSING else reader(name, value)
