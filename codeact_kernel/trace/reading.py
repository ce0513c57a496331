"""How one field of a record in a notebook is read: without trust, because people edit notebooks.

Rule: a reader gives back a value of exactly one kind or raises Damaged with a sentence that names the
field. What is missing has its default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

_Member = TypeVar("_Member", bound=StrEnum)


class Damaged(ValueError):
    """Metadata that is not what `records` writes. Never leaves this package."""


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Damaged(f"{what} is not an object")
    return value


def sequence(record: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = record.get(name, [])
    if not isinstance(value, list | tuple):
        raise Damaged(f"{name} is not a list")
    return value


def text(record: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    value = record.get(name, None if required else "")
    if not isinstance(value, str):
        raise Damaged(f"{name} is not a text")
    return value


def optional_text(record: Mapping[str, Any], name: str) -> str | None:
    return None if record.get(name) is None else text(record, name)


def texts(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = sequence(record, name)
    if not all(isinstance(value, str) for value in values):
        raise Damaged(f"{name} is not a list of texts")
    return tuple(values)


def number(record: Mapping[str, Any], name: str) -> float:
    value = record.get(name, 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Damaged(f"{name} is not a number")
    return value


def whole(record: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = record.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Damaged(f"{name} is not a whole number")
    return value


def member(kind: type[_Member], value: Any) -> _Member:
    try:
        return kind(value)
    except ValueError as error:
        raise Damaged(f"{value!r} is not one of {', '.join(kind)}") from error
