"""Magics whose work is done outside the sandbox, or not at all.

Rule: nothing to do here but say so. The outer kernel takes `%%agent`, `%agent` and a cell that is
one `%pip install` line; what of them comes here all the same is told where it belongs.
"""

from __future__ import annotations

import os
import re
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class
from IPython.core.magics.packaging import PackagingMagics

PIP = (
    "%pip {verb} works outside the sandbox, in the kernel's environment, when it is the only line of "
    "a cell that you run yourself. In here the environment is read-only and there is no network, for "
    'an agent too; allow_net = ["pypi.org", "files.pythonhosted.org"] in the user\'s configuration '
    "lets code in here install packages for the session."
)
OTHER = (
    "%{name} cannot change the environment from inside the sandbox. Use it in a terminal, or write "
    "%pip install ... as the only line of a cell."
)
SHELL = (
    "The environment is read-only in here and there is no network. Write %pip {verb} ... as the only "
    "line of a cell: that runs outside the sandbox, in the kernel's environment."
)
_INSTALLS = re.compile(
    r"\s*(?:\S*/)?(?:python[\d.]*\s+-m\s+|uv\s+)?(?:\S*/)?pip[\d.]*\s+(?:-\S+\s+)*(install|uninstall)\b",
    re.ASCII,
)
_CHANGES = re.compile(r"\b(?:install|uninstall|remove|update|upgrade|create|add|sync|clean)\b")

_Packaging: Any = PackagingMagics
"""Its decorators hide what its methods take."""


@magics_class
class AgentMagics(Magics):
    """Holds the magic's name; the work is done outside."""

    @line_cell_magic
    def agent(self, line: str, cell: str | None = None) -> None:
        """Give a task to a language model, which works it out in cells of this notebook."""


@magics_class
class EnvironmentMagics(_Packaging):  # type: ignore[misc]
    """IPython's, for what they can do in here: list and show."""

    @line_magic
    def pip(self, line: str) -> Any:
        """Run pip. `install` and `uninstall` work as the only line of a cell."""
        verb = line.split(maxsplit=1)[0] if line.strip() else ""
        if verb in ("install", "uninstall") and not _can_install():
            raise UsageError(PIP.format(verb=verb))
        return super().pip(line)

    @line_magic
    def conda(self, line: str) -> Any:
        """Run conda, for what changes nothing."""
        _only_look("conda", line)
        return super().conda(line)

    @line_magic
    def mamba(self, line: str) -> Any:
        """Run mamba, for what changes nothing."""
        _only_look("mamba", line)
        return super().mamba(line)

    @line_magic
    def micromamba(self, line: str) -> Any:
        """Run micromamba, for what changes nothing."""
        _only_look("micromamba", line)
        return super().micromamba(line)

    @line_magic
    def uv(self, line: str) -> Any:
        """Run uv, for what changes nothing."""
        _only_look("uv", line)
        return super().uv(line)


def refuse_to_install(command: str) -> None:
    """Raises UsageError for a shell command that would install something and cannot."""
    match = _INSTALLS.match(command)
    if match and not _can_install():
        raise UsageError(SHELL.format(verb=match.group(1)))


def _only_look(name: str, line: str) -> None:
    if _CHANGES.search(line) and not _can_install():
        raise UsageError(OTHER.format(name=name))


def _can_install() -> bool:
    """Has the sandbox a network, and so a place of its own for packages?"""
    return "PIP_PREFIX" in os.environ
