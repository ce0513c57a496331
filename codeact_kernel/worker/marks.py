"""A mark for any value: an opaque text that changes when the value does.

Rules: cheap before exact. Small values are read whole, large ones at a few places, so a change in
the middle of a very large value may go unseen; a mark never changes by itself. No code of the
value's class is run.
"""

from __future__ import annotations

import types
import zlib
from builtins import (  # noqa: UP029  bound here, so that a cell cannot replace them for us
    bytes,
    hash,
    id,
    issubclass,
    len,
    list,
    memoryview,
    object,
    range,
    str,
    type,
)
from itertools import chain, islice
from typing import Any

from codeact_kernel.worker.preview import MAPPINGS, SEQUENCES, from_library, package

_WHOLE = 256 * 1024  # bytes that are read whole
_PLACES = 48
_MEMBERS = 2_000  # members that are read of one value, at all depths together
_SCALARS = (int, float, complex, bool, type(None))


def mark(value: object) -> str:
    """The mark of a value as it is now."""
    kind = type(value)
    return f"{id(kind):x}-{id(value):x}-{_Reader().digest(value, 3) & 0xFFFFFFFF:x}"


class _Reader:
    """Reads one value down to some depth, and no more than so many members."""

    def __init__(self) -> None:
        self._left = _MEMBERS

    def digest(self, value: Any, depth: int) -> int:
        kind = type(value)
        if kind in _SCALARS:
            return hash(value)
        if kind is str:
            return hash((len(value), value if len(value) < 4096 else value[:1024] + value[-1024:]))
        if kind is bytes or kind is bytearray:
            return _crc(memoryview(value))
        if depth == 0 or self._left <= 0:
            return 0
        if kind in SEQUENCES:
            return self._items(kind, value, len(value), depth)
        if kind in MAPPINGS:
            items = chain.from_iterable(value.items())
            return self._items(kind, items, 2 * len(value), depth)
        home = package(value)
        if home == "numpy" and from_library(value, "numpy", "ndarray"):
            return hash((value.shape, str(value.dtype), self._array(value, depth)))
        if home == "pandas":
            return self._pandas(value, depth)
        return self._attributes(value, depth)

    def _items(self, kind: type, items: Any, size: int, depth: int) -> int:
        """All of a short sequence; of a long one both ends when it can be indexed."""
        if size <= 4 * _PLACES:
            some = list(islice(items, size))
        elif kind is list or kind is tuple:
            step = max(1, size // _PLACES)
            some = [*items[:_PLACES], *items[::step], *items[-_PLACES:]]
        else:
            some = list(islice(items, 4 * _PLACES))
        digests = [self._member(item, depth - 1) for item in some]
        unordered = kind is set or kind is frozenset
        return hash((size, sum(digests) if unordered else tuple(digests)))

    def _member(self, value: Any, depth: int) -> int:
        """A member changes when it becomes another object or when that object changes."""
        self._left -= 1
        if type(value) in _SCALARS or type(value) is str:
            return self.digest(value, 0)
        return hash((id(value), self.digest(value, depth)))

    def _attributes(self, value: object, depth: int) -> int:
        kind = type(value)
        if kind is types.ModuleType or kind is types.FunctionType or issubclass(kind, type):
            return 0  # the same object is the same value
        try:
            attributes = object.__getattribute__(value, "__dict__")
        except AttributeError:
            return 0
        if type(attributes) is not dict:
            return 0
        few = list(islice(attributes.values(), _PLACES))
        return hash((len(attributes), tuple(self._member(item, depth - 1) for item in few)))

    def _array(self, value: Any, depth: int) -> int:
        if value.dtype.hasobject:
            places = _places(value.size)
            return hash(tuple(self._member(value.flat[i], depth - 1) for i in places))
        if value.nbytes <= _WHOLE:
            return zlib.crc32(value.tobytes())
        if value.flags.c_contiguous:
            return _crc(memoryview(value.reshape(-1).view("u1")))
        return zlib.crc32(value.flat[_places(value.size, 8 * _PLACES)].tobytes())

    def _pandas(self, value: Any, depth: int) -> int:
        if from_library(value, "pandas", "DataFrame"):
            names = [self._member(name, 1) for name in islice(value.columns, 200)]
            few = range(min(value.shape[1], 64))
            columns = [self._column(value.iloc[:, i], depth) for i in few]
            index = self._column(value.index, depth)
            return hash((value.shape, tuple(names), index, tuple(columns)))
        if from_library(value, "pandas", "Series"):
            return hash((value.shape, self._column(value.index, depth), self._column(value, depth)))
        if from_library(value, "pandas", "Index"):
            return self._column(value, depth)
        return 0  # Timestamp and its like do not change

    def _column(self, column: Any, depth: int) -> int:
        """A Series or an Index: its numbers as an array, anything else at a few places."""
        if from_library(column, "pandas", "RangeIndex"):
            return hash((column.start, column.stop, column.step))
        dtype = str(column.dtype)
        if from_library(column.dtype, "numpy", "dtype") and not column.dtype.hasobject:
            return hash((dtype, self._array(column.to_numpy(), depth)))
        some = column.take(_places(len(column))).tolist()
        return hash((dtype, len(column), tuple(self._seen(item) for item in some)))

    def _seen(self, value: Any) -> int:
        """A member of a column; those that are made on reading have no identity."""
        if package(value) == "builtins":
            return self._member(value, 0) if type(value) in _SCALARS else self.digest(value, 1)
        return hash(str(value)) if package(value) in ("pandas", "datetime") else id(value)


def _crc(data: memoryview) -> int:
    size = data.nbytes
    if size <= _WHOLE:
        return hash((size, zlib.crc32(data)))
    digest = 0
    for start in range(0, size - 1024, size // 128):
        digest = zlib.crc32(data[start : start + 1024], digest)
    return hash((size, zlib.crc32(data[-1024:], digest)))


def _places(size: int, number: int = _PLACES) -> list[int]:
    """Indices spread over a sequence: both ends and what lies between."""
    if size <= 2 * number:
        return list(range(size))
    return [*range(0, size, size // number), *range(size - number // 4, size)]
