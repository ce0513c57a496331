"""Python as a notebook cell understands it: IPython's syntax first, then the compiler.

Rule: nothing here runs anything. IPython is imported at the first question, not before: it is not
needed to start a kernel.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_UNREADABLE = (SyntaxError, ValueError, RuntimeError, MemoryError, OverflowError)
"""What the compiler raises for text: null bytes are a ValueError, deep nesting a RecursionError or
MemoryError, hundreds of magics a RuntimeError of IPython's."""
_SPECIAL = re.compile(r"^(?:In \[\d+\]: )?[ \t>.]*+[!%?,;/]|=[ \t]*+[!%]|\?$", re.MULTILINE)
"""What IPython transforms: it reads the whole cell again for each of these."""
_MOST_SPECIAL = 100
"""So many take half a second; five hundred take many, and then IPython gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntaxProblem:
    """Why code does not compile. `line` counts from 1 in the code as written, 0 when unknown."""

    message: str
    line: int
    text: str

    def __str__(self) -> str:
        where = f" (line {self.line})" if self.line else ""
        shown = f"\n    {self.text.strip()}" if self.text.strip() else ""
        return f"{self.message}{where}{shown}"


@dataclass(slots=True)
class Budget:
    """What may be compiled in all to find out where the blocks of one reply end."""

    tries: int = 64
    characters: int = 1_000_000
    """Of code, times the readings it takes."""

    def covers(self, code: str) -> bool:
        """Whether this may be compiled as well; if so, it counts."""
        self.tries -= 1
        self.characters -= len(code) * (1 + min(_specials(code), _MOST_SPECIAL))
        return self.tries >= 0 and self.characters >= 0


def transformed(code: str) -> str:
    """The code with magics, shell escapes, help and prompts turned into plain Python.

    Raises SyntaxError when not even that can be done. Code with a great many of these is taken
    for plain Python.
    """
    if _specials(code) > _MOST_SPECIAL and not code.lstrip().startswith("%%"):
        return code
    return str(_manager().transform_cell(code))


def _specials(code: str) -> int:
    return sum(1 for _ in _SPECIAL.finditer(code))


def tree_of(code: str) -> ast.Module:
    """The syntax tree of a cell, after IPython's transform. Raises what _UNREADABLE lists."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\d" in a string is the sandbox's to warn about
        flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        source = transformed(code)
        tree = compile(source, "<cell>", "exec", flags, dont_inherit=True)
        compile(source, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    assert isinstance(tree, ast.Module)  # noqa: S101 -- what ONLY_AST with "exec" gives
    return tree


def syntax_problem(code: str) -> SyntaxProblem | None:
    """Why the cell does not compile, None when it does."""
    try:
        tree_of(code)
    except SyntaxError as error:
        kind = type(error).__name__
        return SyntaxProblem(
            message=f"{kind}: {error.msg}", line=error.lineno or 0, text=str(error.text or "")
        )
    except _UNREADABLE as error:
        message = f"SyntaxError: the code cannot be compiled ({type(error).__name__}: {error})"
        return SyntaxProblem(message=message, line=0, text="")
    return None


def compiles(code: str) -> bool:
    """Whether the cell compiles, with IPython's syntax."""
    return syntax_problem(code) is None


def is_plain_code(text: str) -> bool:
    """Whether a whole reply is bare Python: it compiles and does something.

    "Yes", "42" and "a, b" compile too; they are answers.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(textwrap.dedent(text))
    except _UNREADABLE:
        return False
    return any(_does_something(statement) for statement in tree.body)


def _does_something(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.AnnAssign):
        return statement.value is not None  # "Note: text" is an annotation
    if not isinstance(statement, ast.Expr):
        return True
    return any(isinstance(node, ast.Call | ast.Await) for node in ast.walk(statement))


def warm() -> None:
    """Import what looking at code needs (half a second, once); may be called in a thread."""
    import pyflakes.checker  # noqa: F401 -- for checks.py

    _manager()


@lru_cache(maxsize=1)
def _manager() -> Any:
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager()  # type: ignore[no-untyped-call]
