"""Events as they come over the comm (docs/panel.md), made values again.

Rule: the fields and types are those of trace/events.py and nowhere written a second time; what does
not fit raises ValueError and is not an event.
"""

from __future__ import annotations

import types
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from codeact_kernel.trace import events, values

_KINDS: dict[str, type[events.Event]] = {kind.__name__: kind for kind in get_args(events.Event)}
_NAMES = {**vars(values), **vars(events)}


def event(data: Mapping[str, Any]) -> events.Event:
    """The event `{"type": class name, ...fields}`. Raises ValueError."""
    kind = _KINDS.get(str(data.get("type")))
    if kind is None:
        raise ValueError(f"{data.get('type')!r} is not an event")
    try:
        return cast(events.Event, _made(kind, {k: v for k, v in data.items() if k != "type"}))
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{kind.__name__}: {error}") from error


def _made(kind: type[Any], data: Mapping[str, Any]) -> Any:
    hints = _hints(cast(Hashable, kind))
    known = {field.name for field in fields(kind)}
    return kind(**{name: _value(hints[name], raw) for name, raw in data.items() if name in known})


@cache
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind, _NAMES)


def _value(hint: Any, raw: Any) -> Any:
    """`raw` as the annotation says; plain JSON stays what it is."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = [each for each in arguments if each is not type(None)]
        return None if raw is None else _value(inner[0], raw)
    if isinstance(hint, type) and is_dataclass(hint):
        return _made(hint, raw)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint(raw)
    if origin is tuple and isinstance(raw, Sequence) and not isinstance(raw, str):
        return tuple(_value(arguments[0], each) for each in raw)
    if origin in (Mapping, dict) and is_dataclass(arguments[1]):
        return {name: _value(arguments[1], each) for name, each in raw.items()}
    return raw
