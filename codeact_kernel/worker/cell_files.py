"""The files that cells are compiled as: where breakpoints are set and tracebacks point.

Rule: the folder is named once, before the first fork, so that every kernel of this sandbox gives
the same code the same name. It is made when a debugger has a cell written, not before.
"""

from __future__ import annotations

import os
from pathlib import Path

from ipykernel.compiler import XCachingCompiler, get_file_name, get_tmp_directory

FOLDER = get_tmp_directory()
MAX_CELL = 4 * 1024 * 1024
"""Characters of a cell that is written for the debugger."""
_MAX_LINES = 100_000


def name_of(code: str) -> str:
    """The absolute path a cell with this source is compiled as."""
    path: str = get_file_name(code)
    return f"{FOLDER}{path.removeprefix(get_tmp_directory())}"


def write(code: str) -> str:
    """Write a cell's source where a debugger looks for it; the path. Raises OSError, ValueError."""
    if len(code) > MAX_CELL:
        raise ValueError("the cell is too long for a breakpoint")
    path = name_of(code)
    with open(_open(path, os.O_TRUNC), "w", encoding="utf-8") as file:
        file.write(code)
    return path


def expect(path: str, lines: int) -> None:
    """See that a cell's file is there, if `path` is one, with so many lines that can be stopped at.

    After a restart front ends set their breakpoints again and do not say the cells' sources again;
    pydevd looks into the file for where a breakpoint can be. What runs is compiled from the cell.
    """
    if Path(path).parent == Path(FOLDER) and not Path(path).exists():
        with open(_open(path, os.O_EXCL), "w", encoding="utf-8") as file:
            file.write("pass\n" * min(lines, _MAX_LINES))


def _open(path: str, flags: int) -> int:
    Path(FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | flags, 0o600)


class CellCompiler(XCachingCompiler):
    """IPython's compiler, with these names."""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        return name_of(raw_code)
