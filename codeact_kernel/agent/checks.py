"""What can be said about code before it runs. Milliseconds, nothing is executed.

Rule: a linter that teaches early, never a boundary: the sandbox is that. A syntax error is told
without running; only the rules of the profile refuse; intents (shell, network, files) are
`concerns` for the person who approves; doubtful names are `hints`, which the model sees only when
the code fails, because names made by exec or %run are not known here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from codeact_kernel.agent.intents import concerns_of, imported_modules, outside_paths, shell_lines
from codeact_kernel.agent.options import SHELL, Rules
from codeact_kernel.agent.source import syntax_problem, tree_of

_SHELL_NAMES = frozenset(
    {"get_ipython", "display", "In", "Out", "_", "__", "___", "_i", "final_answer", "exit", "quit"}
)
_DYNAMIC = frozenset({"exec", "eval", "compile", "__import__"})
_MESSAGES = frozenset(
    {"UndefinedName", "UndefinedLocal", "UndefinedExport", "PercentFormatPositionalCountMismatch"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found. `problem`: it does not compile. `refusal`: the rules forbid it. Both are ""
    when the code may run."""

    problem: str = ""
    refusal: str = ""
    concerns: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


def check(code: str, *, names: frozenset[str], rules: Rules) -> Checked:
    """Look at one cell. `names` are those code may use: user namespace and builtins."""
    if problem := syntax_problem(code):
        return Checked(problem=str(problem))
    tree = tree_of(code)
    if refused := sorted(set(_refusals(tree, rules))):
        return Checked(refusal=" ".join(refused))
    return Checked(concerns=concerns_of(tree), hints=_hints(tree, names))


def _refusals(tree: ast.Module, rules: Rules) -> Iterator[str]:
    if rules.imports is not None:
        for module, line in imported_modules(tree):
            if not _allowed(module, rules.imports):
                yield (
                    f"Line {line}: importing {module} is not allowed here. "
                    f"Allowed: {', '.join(sorted(rules.imports))}."
                )
    if not rules.dynamic:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id in _DYNAMIC:
                yield f"Line {node.lineno}: {node.id} is not allowed here; write the code itself."
    if not rules.shell:
        for line in shell_lines(tree):
            yield f"Line {line}: shell commands and package installation are not allowed here."
    off = rules.without - {SHELL}
    for node in ast.walk(tree) if off else ():
        if isinstance(node, ast.Name) and node.id in off:
            yield (
                f"Line {node.lineno}: {node.id} is switched off, so no step may use this name; find "
                "another way."
            )
    if rules.folders is not None:
        for path, line in outside_paths(tree, rules.folders):
            allowed = ", ".join(rules.folders) or "none"
            yield f"Line {line}: {path} is outside the folders code may use ({allowed})."


def _allowed(module: str, imports: frozenset[str]) -> bool:
    """A module is allowed when it, or a package it is in, is on the list."""
    parts = module.split(".")
    return any(".".join(parts[:n]) in imports for n in range(1, len(parts) + 1))


def _hints(tree: ast.Module, names: frozenset[str]) -> tuple[str, ...]:
    """What pyflakes says about names and formats; a sentence each, in order of lines.

    It calls itself for each level of an expression: a sum of hundreds of terms is too deep for it.
    """
    from pyflakes.checker import Checker

    try:
        found = Checker(tree, filename="<cell>", builtins=names | _SHELL_NAMES).messages
    except RecursionError:
        return ()
    told = sorted(
        {
            (m.lineno, str(m.message % m.message_args))
            for m in found
            if type(m).__name__ in _MESSAGES
        }
    )
    return tuple(f"Line {line}: {text}." for line, text in told)
