"""What the model is told, in words. The system prompt is system.md, next to this file.

Rule: the same notebook gives the same words: no clock, no counter of tokens, no address, names
sorted. The system prompt never changes during a run; what does change goes into the newest user
message and stays there, so that every request extends the one before and can be cached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources

from codeact_kernel.agent.options import SHELL, Rules
from codeact_kernel.trace.values import Function, Variable

ANYTHING = Rules()
VARIABLES = 40
"""So many variables are listed; a notebook can hold thousands."""
DOC = 1500
"""Characters of a docstring."""


@lru_cache(maxsize=1)
def system() -> str:
    """The system prompt, the same for every run."""
    return resources.files(__package__).joinpath("system.md").read_text("utf-8").strip()


def opening(
    task: str,
    variables: Mapping[str, Variable],
    functions: Iterable[Function],
    steps: int,
    rules: Rules = ANYTHING,
) -> str:
    """The first user message: the task, what is there already and what is not allowed."""
    parts = [task_lines(task).strip()]
    if known := variable_lines(variables):
        parts.append("Variables that exist:\n" + "\n".join(known))
    known_functions = sorted(functions, key=lambda function: function.name)
    if offered := [_offer(f) for f in known_functions if f.name not in rules.without]:
        parts.append("Functions of the notebook you can call:\n" + "\n".join(offered))
    if SHELL in rules.without:
        parts.append("Shell commands and package installation are switched off.")
    if rules.imports is not None:
        parts.append(f"Only these modules can be imported: {', '.join(sorted(rules.imports))}.")
    if rules.hosts is not None:
        parts.append(
            f"The sandbox reaches these hosts and no others: {', '.join(rules.hosts)}. Use requests, "
            "urllib or pip as usual; they go through a proxy that says when it refuses."
        )
    parts.append(f"You have {steps} steps.")
    return "\n\n".join(parts)


def task_lines(task: str) -> str:
    """How the first user message begins; a replay knows its task by it."""
    return f"Task:\n{task.strip()}\n\n"


def continuation(said: str, steps: int) -> str:
    """What a continued run goes on with. `said` is what the user added, "" for nothing."""
    words = said.strip() or "Go on with the task from where you are."
    return f"{words}\n\nYou have {steps} more steps."


def rewound(taken: Sequence[int], following: int) -> str:
    """What a run is told when the person has taken the notebook to another state."""
    steps = ", ".join(map(str, taken))
    holds = f"what these steps did, and nothing else: {steps}" if taken else "nothing that you did"
    return (
        "The person took the notebook back. Its variables are those of an earlier state now; of your "
        f"steps it holds {holds}. Your next step has the number {following}."
    )


def variable_lines(variables: Mapping[str, Variable]) -> list[str]:
    """One line for each variable, sorted; at the end how many were left out."""
    names = sorted(variables)
    lines = [f"- {name}: {describe(variables[name])}" for name in names[:VARIABLES]]
    if len(names) > VARIABLES:
        lines.append(f"- and {len(names) - VARIABLES} more (see dir())")
    return lines


def describe(variable: Variable) -> str:
    """A variable in one line: "DataFrame (3, 2) 1.2 kB, a b c"."""
    facts = " ".join(
        fact for fact in (variable.type, variable.shape, variable.dtype, variable.size) if fact
    )
    preview = " ".join(variable.preview.split())
    return f"{facts} = {preview}" if preview else facts


def _offer(function: Function) -> str:
    signature = function.signature
    head = f"{function.name}{signature}" if signature.startswith("(") else signature
    head = head.removeprefix("def ").rstrip(":")
    doc = function.doc.strip()[:DOC]
    if not doc:
        return f"def {head}: ..."
    body = "\n".join(f"    {line}".rstrip() for line in f'"""{doc}"""'.splitlines())
    return f"def {head}:\n{body}"
