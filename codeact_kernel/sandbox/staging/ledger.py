"""What has been seen in the layer and decided about each path: its memory between cells and kernels.

Rule: values and one file. A path is decided about together with the stamp it had; written to again
it is undecided again. `base` is what lay in the folder when the path was first seen in the layer:
when something else lies there later, somebody outside has changed it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ABSENT = "absent"
UNKNOWN = "unknown"
"""It changed outside while the cell ran that wrote it: nobody can say which came first."""
_TABLES = ("seen", "base", "kept", "dropped", "shown")


@dataclass(slots=True)
class Ledger:
    """Tables by path. All hold stamps of the layer, but `base`, which holds marks of the folder."""

    seen: dict[str, str] = field(default_factory=dict)
    base: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)

    def is_decided(self, path: str, stamp: str) -> bool:
        """Kept or discarded, and not written to since."""
        return stamp in (self.kept.get(path), self.dropped.get(path))

    def forget_all_but(self, paths: Mapping[str, object]) -> None:
        """Drop what is not in the layer any more."""
        for name in _TABLES:
            table: dict[str, str] = getattr(self, name)
            for path in [path for path in table if path not in paths]:
                del table[path]


def mark(found: os.stat_result | None) -> str:
    """A text that changes when what lies in the folder under a name does."""
    if found is None:
        return ABSENT
    return f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_mode:o}"


def read(path: str) -> Ledger:
    """The ledger in a file; an empty one when there is none that can be read."""
    try:
        with open(path, encoding="utf-8") as file:
            values: Any = json.load(file)
        tables = {name: values[name] for name in _TABLES}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Ledger()
    for table in tables.values():
        if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
            return Ledger()
    return Ledger(**tables)


def write(ledger: Ledger, path: str) -> None:
    """Put it in place of the file, whole. Raises OSError."""
    fresh = f"{path}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(fresh, flags, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        json.dump({name: getattr(ledger, name) for name in _TABLES}, file)
    try:
        os.rename(fresh, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise
