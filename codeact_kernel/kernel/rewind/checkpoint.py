"""One checkpoint as a value: where it stands in the tree, what it holds, whether it can be gone to.

Rule: pure. What of it comes from inside the sandbox, names of variables and sizes, is checked here or
where it is read.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from codeact_kernel.kernel.rewind.obstacles import Obstacle

_MARKS = 500
_CHANGED, _LONGEST = 50, 80
"""Names of one checkpoint that are told, and characters of one."""

Progress = Mapping[str, tuple[int, ...]]
"""By run: the steps whose effects are a part of the state."""


class State(StrEnum):
    """Whether one can go back to it."""

    KEPT = "kept"
    DROPPED = "given up for newer ones"
    HEAVY = "given up because checkpoints took too much memory"
    LOST = "its process has ended"
    PAST = "it was in a sandbox that has ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One state. `kind`: step (before that step of that run), named (by the user), left (by going
    elsewhere). `parent` is the number it came from, 0 for none; `changed` are the variables that
    differ from there. `size` is the memory it holds in bytes, `when` seconds since the epoch."""

    number: int
    kind: str
    parent: int
    name: str = ""
    run: str = ""
    step: int = 0
    when: float = 0.0
    marks: Mapping[str, int] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    progress: Progress = field(default_factory=dict)
    size: int = 0
    state: State = State.KEPT

    @property
    def title(self) -> str:
        """What a person calls it."""
        if self.name:
            return self.name
        return f"before step {self.step}" if self.kind == "step" else "the state that was left"

    def to_json(self) -> dict[str, Any]:
        """For a panel."""
        return {
            "number": self.number,
            "kind": self.kind,
            "title": self.title,
            "name": self.name,
            "parent": self.parent,
            "run": self.run,
            "step": self.step,
            "when": self.when,
            "changed": list(self.changed),
            "not_restored": [str(each) for each in self.obstacles],
            "size": self.size,
            "kept": self.state is State.KEPT,
            "why_gone": "" if self.state is State.KEPT else str(self.state),
        }


def short(marks: Mapping[str, str]) -> dict[str, int]:
    """Marks as they are kept: not too many, none of them long."""
    return {mark[0]: hash(mark[1]) for mark in itertools.islice(marks.items(), _MARKS)}


def changed(before: Mapping[str, int], now: Mapping[str, int]) -> tuple[str, ...]:
    """Names of variables that are new, other or gone, as far as their marks tell; not too many."""
    every = dict.fromkeys((*before, *now))
    found = (name for name in every if before.get(name) != now.get(name))
    return tuple(itertools.islice((name for name in found if _is_plain(name)), _CHANGED))


def _is_plain(name: str) -> bool:
    return name.isidentifier() and len(name) <= _LONGEST
