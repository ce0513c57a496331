"""What is in the notebook's namespace, as a model may be told: variables, functions, names.

Rules: bounded in number, in length and in what is looked at; what cannot be described is left
out. IPython's own names and those with a leading underscore are not variables.
"""

from __future__ import annotations

import builtins
import inspect
import types
from builtins import (  # noqa: UP029  bound here, so that a cell cannot replace them for us
    all,
    callable,
    getattr,
    isinstance,
    issubclass,
    len,
    list,
    repr,
    str,
    type,
)
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, TypeVar

from codeact_kernel.worker.marks import mark
from codeact_kernel.worker.preview import FRAMES, SEQUENCES, clip, package, preview, type_name

T = TypeVar("T")
VARIABLES = 200
FUNCTIONS = 50
NAMES = 5_000
TEXT = 20_000
"""Characters of one variable in `values`."""

_SKIPPED = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
_BUILTIN_NAMES = tuple(sorted(vars(builtins)))


def surroundings(namespace: dict[str, Any], hidden: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to the query of this name."""
    bound = _bound(namespace, hidden)
    return {
        "variables": _of_variables(bound, describe),
        "functions": _functions(bound, namespace),
        "names": _names(namespace),
    }


def marks(namespace: dict[str, Any], hidden: Mapping[str, Any]) -> dict[str, str]:
    """The answer to the query of this name: of each variable in `surroundings` the mark alone."""
    return _of_variables(_bound(namespace, hidden), mark)


def _bound(namespace: dict[str, Any], hidden: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        (name, value)
        for name, value in list(namespace.items())
        if type(name) is str and name[:1] != "_" and not (name in hidden and hidden[name] is value)
    ]


def _of_variables(bound: list[tuple[str, Any]], tell: Callable[[Any], T]) -> dict[str, T]:
    values = [(name, value) for name, value in bound if type(value) not in _SKIPPED]
    found = {}
    for name, value in values[-VARIABLES:]:
        try:
            found[name] = tell(value)
        except Exception:  # noqa: BLE001, S112  a value that cannot be read is not told of
            continue
    return found


def describe(value: Any) -> dict[str, str]:
    """Type, shape, dtype, size, preview and mark of one value; what it has not is absent."""
    facts = {"type": type_name(value), "preview": preview(value), "mark": mark(value)}
    size = _size(value)
    if size:
        facts["size"] = size
    if package(value) in FRAMES:
        facts.update(_measures(value))
    return facts


def _size(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return f"{len(value):,} characters"
    if kind is bytes or kind is bytearray:
        return f"{len(value):,} bytes"
    if kind in SEQUENCES or (
        issubclass(kind, dict) and package(value) in ("builtins", "collections")
    ):
        return f"{len(value):,} items"
    return ""


def _measures(value: Any) -> dict[str, str]:
    facts = {}
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and all(type(n) is int for n in shape) and shape:
        facts["shape"] = (
            f"({', '.join(str(n) for n in shape)})" if len(shape) > 1 else f"({shape[0]},)"
        )
    dtype = getattr(value, "dtype", None)
    if dtype is not None and package(dtype) in FRAMES and not callable(dtype):
        facts["dtype"] = clip(str(dtype), 40)
    return facts


def _functions(bound: list[tuple[str, Any]], namespace: dict[str, Any]) -> list[dict[str, Any]]:
    """Functions that a cell has defined, the newest last."""
    own = [
        (name, value)
        for name, value in bound
        if type(value) is types.FunctionType and value.__globals__ is namespace
    ]
    found = []
    for name, function in own[-FUNCTIONS:]:
        try:
            found.append(_function(name, function))
        except Exception:  # noqa: BLE001, S112  as for variables
            continue
    return found


def _function(name: str, function: types.FunctionType) -> dict[str, Any]:
    doc = function.__doc__
    return {
        "name": name,
        "signature": clip(f"{_signature(function)}", 500),
        "doc": inspect.cleandoc(doc)[:2_000] if type(doc) is str else "",
        "async": bool(function.__code__.co_flags & inspect.CO_COROUTINE),
    }


class _Text:
    """Stands in a signature for a default or an annotation; its repr is harmless."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _signature(function: types.FunctionType) -> inspect.Signature:
    empty = inspect.Parameter.empty
    signature = inspect.signature(function, follow_wrapped=False)
    parameters = [
        parameter.replace(
            default=empty if parameter.default is empty else _Text(preview(parameter.default, 40)),
            annotation=_annotation(parameter.annotation),
        )
        for parameter in signature.parameters.values()
    ]
    returned = _annotation(signature.return_annotation)
    return inspect.Signature(parameters, return_annotation=returned)


def _annotation(annotation: Any) -> Any:
    if annotation is inspect.Parameter.empty:
        return annotation
    if type(annotation) is str:
        return _Text(clip(annotation, 80))
    if type(annotation) is type or annotation is None:
        return _Text("None" if annotation is None else annotation.__qualname__)
    if package(annotation) in ("types", "typing"):  # list[int], Optional[str], int | None
        return _Text(clip(repr(annotation).replace("typing.", ""), 80))
    return _Text(clip(preview(annotation).removeprefix("<class ").removesuffix(">"), 80))


def _names(namespace: dict[str, Any]) -> list[str]:
    names = [name for name in islice(namespace, NAMES) if type(name) is str]
    return [*names, *(name for name in _BUILTIN_NAMES if name not in namespace)]


def values(namespace: dict[str, Any], names: list[str]) -> dict[str, str]:
    """The bounded text of each variable that there is; for a task that mentions it."""
    return {
        name: _in_full(namespace[name])
        for name in names[:VARIABLES]
        if type(name) is str and name in namespace
    }


def _in_full(value: Any) -> str:
    """What `str` says for values whose class is not the user's own; the preview for others."""
    if type(value) is str:
        return value if len(value) <= TEXT else value[: TEXT - 1] + "…"
    home = package(value)
    if home in FRAMES or home in ("decimal", "datetime", "fractions", "pathlib", "uuid"):
        text = str(value)
        return text if len(text) <= TEXT else text[: TEXT - 1] + "…"
    return preview(value, TEXT)
