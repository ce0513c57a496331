"""Section Settings: what this kernel's user has configured, and what this front end puts before it;
the tools that can be switched off.

Rule: no key leaves the kernel. What a front end sets here is its user's own, as in `comm_open`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codeact_kernel.agent.options import SHELL
from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.cells.agent_options import APPROVALS, Options, options_of
from codeact_kernel.kernel.panel import fields as read
from codeact_kernel.kernel.panel.panel import Comm
from codeact_kernel.kernel.panel.requests import Verb
from codeact_kernel.kernel.panel.verbs.state import Ask
from codeact_kernel.kernel.run.surroundings import surroundings_of
from codeact_kernel.settings import Settings
from codeact_kernel.trace.values import Function

SHELL_WORDS = "Shell commands (!ls, %%bash, subprocess) and the installation of packages."


def verbs(settings: Settings, strict: bool, ask: Ask) -> Mapping[str, Verb]:
    """`settings` are those the kernel was started with; `strict` its profile; `ask` asks inside."""

    async def configured(comm: Comm) -> dict[str, Any]:
        return {
            "configured": {name: getattr(settings, name) for name in Options.__slots__},
            "approvals": list(APPROVALS),
            "overrides": comm.overrides.given(),
        }

    async def override(comm: Comm, options: dict[str, Any]) -> dict[str, Any]:
        try:
            comm.overrides, comm.problem = options_of(options), ""
        except UsageError as error:
            comm.problem = str(error)
            raise
        return {"overrides": comm.overrides.given()}

    async def tools(comm: Comm) -> dict[str, Any]:
        functions = surroundings_of(await ask("surroundings", {})).functions
        shell = {"name": SHELL, "signature": "", "about": SHELL_WORDS, "off": strict}
        return {"tools": [shell, *map(_tool, sorted(functions, key=lambda each: each.name))]}

    return {
        "tools": Verb(carry_out=tools),
        "settings": Verb(carry_out=configured),
        "override": Verb(carry_out=override, fields={"options": read.table}),
    }


def _tool(function: Function) -> dict[str, Any]:
    """A function of the notebook, with the first line of what it says of itself."""
    about = next((line.strip() for line in function.doc.splitlines() if line.strip()), "")
    signature = function.signature
    return {"name": function.name, "signature": signature, "about": about, "off": False}
