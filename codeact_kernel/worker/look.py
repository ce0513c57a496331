"""What is in a frame, an array or a collection: one page of it, as short texts.

Rules: bounded in rows, columns and characters whatever is asked for; only a slice is ever read, and
members are shown as `preview` shows them, without running code of their classes.
"""

from __future__ import annotations

import math
from builtins import (  # noqa: UP029  bound here, so that a cell cannot replace them for us
    len,
    list,
    max,
    min,
    range,
    str,
    type,
    zip,
)
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from codeact_kernel.worker.preview import MAPPINGS, SEQUENCES, clip, from_library, package, preview

ROWS = 50
COLUMNS = 20
WIDTH = 100
"""Characters of one cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows and columns of `height` x `width`, from (`row`, `column`) on."""

    height: int
    width: int
    row: int = 0
    column: int = 0
    index: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)


def look(value: Any, row: int, column: int) -> dict[str, Any]:
    """A page as JSON. Raises TypeError for a value that has no inside to show."""
    return asdict(_page(value, max(0, row), max(0, column)))


def _page(value: Any, row: int, column: int) -> Page:
    home = package(value)
    if home == "numpy" and from_library(value, "numpy", "ndarray"):
        return _array(value, row, column)
    if from_library(value, "pandas", "DataFrame"):
        return _frame(value, row, column)
    if from_library(value, "pandas", "Series"):
        return _frame(value.to_frame(), row, 0)
    if from_library(value, "pandas", "Index"):
        return _members(len(value), row, value[row : row + ROWS].tolist())
    if home == "polars" and from_library(value, "polars", "DataFrame"):
        return _polars(value, row, column)
    if type(value) in MAPPINGS:
        return _mapping(value, row)
    if type(value) in SEQUENCES:
        return _members(len(value), row, list(islice(value, row, row + ROWS)))
    raise TypeError("only frames, arrays and collections have an inside to show")


def _array(array: Any, row: int, column: int) -> Page:
    """The last dimension across, the others down; nothing is copied but the page."""
    if array.ndim == 0:
        raise TypeError("an array without dimensions has no inside to show")
    if array.ndim == 1:
        return _members(array.shape[0], row, array[row : row + ROWS].tolist())
    down, width = array.shape[:-1], array.shape[-1]
    height = math.prod(down)
    index, cells = [], []
    for number in range(row, min(row + ROWS, height)):
        place = _place(number, down)
        index.append(", ".join(str(each) for each in place))
        cells.append([_text(item) for item in array[place][column : column + COLUMNS].tolist()])
    names = [str(number) for number in range(column, min(column + COLUMNS, width))]
    return Page(
        height=height, width=width, row=row, column=column, index=index, columns=names, cells=cells
    )


def _place(number: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The number-th index of an array of this shape, the last one running fastest."""
    place: list[int] = []
    for size in reversed(shape):
        number, rest = divmod(number, size)
        place.insert(0, rest)
    return tuple(place)


def _frame(frame: Any, row: int, column: int) -> Page:
    part = frame.iloc[row : row + ROWS, column : column + COLUMNS]
    columns = [
        [_text(item) for item in part.iloc[:, number].tolist()] for number in range(part.shape[1])
    ]
    return Page(
        height=frame.shape[0],
        width=frame.shape[1],
        row=row,
        column=column,
        index=[_text(item) for item in part.index.tolist()],
        columns=[_text(name) for name in part.columns.tolist()],
        cells=[list(items) for items in zip(*columns, strict=True)],
    )


def _polars(frame: Any, row: int, column: int) -> Page:
    part = frame.slice(row, ROWS)[:, column : column + COLUMNS]
    return Page(
        height=frame.height,
        width=frame.width,
        row=row,
        column=column,
        index=[str(row + number) for number in range(part.height)],
        columns=[_text(name) for name in part.columns],
        cells=[[_text(item) for item in items] for items in part.rows()],
    )


def _mapping(mapping: Any, row: int) -> Page:
    items = list(islice(mapping.items(), row, row + ROWS))
    return Page(
        height=len(mapping),
        width=1,
        row=row,
        index=[_text(key) for key, _ in items],
        columns=["value"],
        cells=[[_text(item)] for _, item in items],
    )


def _members(size: int, row: int, items: list[Any]) -> Page:
    return Page(
        height=size,
        width=1,
        row=row,
        index=[str(row + number) for number in range(len(items))],
        columns=["value"],
        cells=[[_text(item)] for item in items],
    )


def _text(value: Any) -> str:
    """Text as it is, without quotation marks; anything else by its preview."""
    return clip(value, WIDTH) if type(value) is str else preview(value, WIDTH)
