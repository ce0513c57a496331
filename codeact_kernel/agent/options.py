"""What shapes a run besides its limits. Frozen; the kernel room makes it from the user's options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

SHELL = "shell"
"""The tool that is no function: shell commands and what installs packages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What code may not do, said early. A linter that teaches, not a boundary: that is the sandbox.

    `imports`: the only modules that may be imported, None = any. `dynamic`: whether exec, eval and
    the like are allowed. `shell`: whether shell commands and pip are. `folders`: where files named
    by an absolute path may lie, None = anywhere. `hosts`: what of the network can be reached, None =
    there is none. `without`: tools that are switched off: functions of the notebook, by name.
    """

    imports: frozenset[str] | None = None
    dynamic: bool = True
    shell: bool = True
    folders: tuple[str, ...] | None = None
    hosts: tuple[str, ...] | None = None
    without: frozenset[str] = frozenset()

    @classmethod
    def strict(cls, imports: frozenset[str], folders: tuple[str, ...]) -> Rules:
        """The rules of profile `strict`."""
        return cls(imports=imports, dynamic=False, shell=False, folders=folders)

    def switched_off(self, tools: Iterable[str]) -> Rules:
        """These rules without these tools; SHELL is one of them."""
        off = frozenset(tools)
        return replace(self, shell=self.shell and SHELL not in off, without=off)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the loop behaves.

    `approve`: never, ask or risky; the gate does the asking, the loop only decides what it is told.
    `vision`: whether plots are shown to the model, None = as the model can. `record`: what else
    the run's header says (profile, grade), plain JSON.
    """

    approve: str = "never"
    vision: bool | None = None
    format: str = "fenced"
    rules: Rules = field(default_factory=Rules)
    record: Mapping[str, Any] = field(default_factory=dict)
