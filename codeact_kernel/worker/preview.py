"""A short text for any value, made without running code of the value's class.

Rules: known types only are looked into, by their exact type; anything else is shown as its class
and the names of a few attributes. Builtins are the originals, whatever a cell has done to them.
"""

from __future__ import annotations

import collections
import enum
import sys
import types
from builtins import (  # noqa: UP029  bound here, so that a cell cannot replace them for us
    bytes,
    getattr,
    issubclass,
    len,
    list,
    object,
    repr,
    str,
    type,
)
from itertools import islice
from typing import Any

WIDE = 80
"""Characters of a preview."""
_DEEP = 3
_FEW = 8
_BIG = 10**60

_NUMBERS = (bool, float, complex, type(None), type(...), type(NotImplemented), range, slice)
_SMALL = frozenset(
    (
        ("datetime", "date"),
        ("datetime", "datetime"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("uuid", "UUID"),
        ("pathlib", "PosixPath"),
        ("pathlib", "PurePosixPath"),
        ("array", "array"),
    )
)
"""Named, not imported: who has such a value has imported its module."""
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    collections.deque: ("deque([", "])"),
}
_MAPPINGS: dict[type, tuple[str, str]] = {
    dict: ("{", "}"),
    collections.OrderedDict: ("OrderedDict({", "})"),
    collections.defaultdict: ("defaultdict({", "})"),
    collections.Counter: ("Counter({", "})"),
    types.MappingProxyType: ("mappingproxy({", "})"),
}
SEQUENCES = frozenset(_BRACKETS)
MAPPINGS = frozenset(_MAPPINGS) - {types.MappingProxyType}
# fmt: off
FRAMES = frozenset((
    "cudf", "cupy", "dask", "geopandas", "jax", "jaxlib", "modin", "numpy", "pandas", "polars",
    "pyarrow", "scipy", "tensorflow", "torch", "xarray",
))
# fmt: on
"""Packages whose objects have a cheap `shape`; their text can be long to make."""


def preview(value: object, width: int = WIDE) -> str:
    """At most `width` characters, on one line."""
    return clip(_text(value, 0), width)


def clip(text: str, width: int) -> str:
    """One line, cut with an ellipsis."""
    text = " ".join(text[: 4 * width].split())
    return text if len(text) <= width else text[: width - 1] + "…"


def type_name(value: object) -> str:
    """The name of a value's class, read without asking the class."""
    return _class_name(type(value))


def _class_name(kind: type) -> str:
    return str(type.__dict__["__name__"].__get__(kind))


def package(value: object) -> str:
    """The top-level package of a value's class; "" when it does not say."""
    module = type.__dict__["__module__"].__get__(type(value))
    return module.partition(".")[0] if type(module) is str else ""


def from_library(value: object, name: str, kind: str) -> bool:
    """Whether the value is an instance of `name.kind`, when that library is imported at all."""
    module = sys.modules.get(name)
    found: Any = getattr(module, "__dict__", {}).get(kind)
    return issubclass(type(found), type) and issubclass(type(value), found)


def _text(value: Any, depth: int) -> str:
    kind = type(value)
    if kind is str:
        return repr(value[:WIDE]) if len(value) > WIDE else repr(value)
    if kind is int:
        return repr(value) if -_BIG < value < _BIG else f"int of {value.bit_length()} bits"
    if kind in _NUMBERS:
        return repr(value)
    if kind is bytes or kind is bytearray:
        return repr(bytes(value[:WIDE]))
    if kind in _BRACKETS:
        return _sequence(value, depth, *_BRACKETS[kind])
    if kind in _MAPPINGS:
        return _mapping(value, depth, *_MAPPINGS[kind])
    if (package(value), type_name(value)) in _SMALL and _is_original(value):
        return repr(value) if type_name(value) != "array" else _array(value, depth)
    if issubclass(kind, type):
        return f"<class {_class_name(value)}>"
    if kind is types.FunctionType or kind is types.BuiltinFunctionType:
        return f"<function {value.__name__}>"
    if kind is types.ModuleType:
        return f"<module {value.__dict__.get('__name__')}>"
    if issubclass(kind, enum.Enum):
        return f"{type_name(value)}.{object.__getattribute__(value, '_name_')}"
    return _library(value, depth) or _anything(value)


def _is_original(value: object) -> bool:
    """Whether the class is the one its module defines, not one that has taken its name."""
    module = sys.modules.get(package(value))
    return getattr(module, "__dict__", {}).get(type_name(value)) is type(value)


def _array(value: Any, depth: int) -> str:
    return f"array({value.typecode!r}, {_text(value[:_FEW].tolist(), depth)})"


def _sequence(value: Any, depth: int, opening: str, closing: str) -> str:
    if depth >= _DEEP:
        return f"{opening}…{closing}"
    items = [_text(item, depth + 1) for item in islice(value, _FEW)]
    if len(value) > _FEW:
        items.append("…")
    comma = "," if type(value) is tuple and len(value) == 1 else ""
    return f"{opening}{', '.join(items)}{comma}{closing}"


def _mapping(value: Any, depth: int, opening: str, closing: str) -> str:
    if depth >= _DEEP:
        return f"{opening}…{closing}"
    items = [
        f"{_text(key, depth + 1)}: {_text(item, depth + 1)}"
        for key, item in islice(value.items(), _FEW)
    ]
    if len(value) > _FEW:
        items.append("…")
    return f"{opening}{', '.join(items)}{closing}"


def _library(value: Any, depth: int) -> str:
    """Values of numpy and pandas, by what their class is; "" for all others."""
    home = package(value)
    if home == "numpy" and from_library(value, "numpy", "ndarray"):
        if value.dtype.hasobject:
            return f"array of {value.dtype}"
        flat = ", ".join(str(item) for item in value.flat[:_FEW].tolist())
        return f"[{flat}{', …' if value.size > _FEW else ''}]"
    if home == "numpy" and from_library(value, "numpy", "generic"):
        return str(value)
    if home == "pandas":
        return _pandas(value)
    if home == "polars" and type_name(value) == "DataFrame":
        return "columns: " + ", ".join(str(name) for name in value.columns[:20])
    return ""


def _pandas(value: Any) -> str:
    if from_library(value, "pandas", "DataFrame"):
        names = [_text(name, 1) if type(name) is not str else name for name in value.columns[:20]]
        return "columns: " + ", ".join(names)
    if from_library(value, "pandas", "Series"):
        items = [_text(item, 1) for item in value.iloc[:_FEW].tolist()]
        return f"[{', '.join(items)}{', …' if len(value) > _FEW else ''}]"
    if from_library(value, "pandas", "Index"):
        items = [_text(item, 1) for item in value[:_FEW].tolist()]
        return f"[{', '.join(items)}{', …' if len(value) > _FEW else ''}]"
    if type_name(value) in ("Timestamp", "Timedelta", "Period", "Interval", "NaTType", "NAType"):
        return str(value)
    return ""


def _anything(value: object) -> str:
    name = type_name(value)
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return f"<{name} object>"
    if type(attributes) is not dict:
        return f"<{name} object>"
    names = [key for key in islice(attributes, 20) if type(key) is str and key[:1] != "_"][:5]
    return f"<{name} object: {', '.join(names)}>" if names else f"<{name} object>"
