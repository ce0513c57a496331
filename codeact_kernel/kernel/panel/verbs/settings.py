"""Section Settings: what this kernel's user has configured, and what this front end puts before it.

Rule: no key leaves the kernel. What a front end sets here is its user's own, as in `comm_open`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.cells.agent_options import APPROVALS, Options, options_of
from codeact_kernel.kernel.panel import fields as read
from codeact_kernel.kernel.panel.panel import Comm
from codeact_kernel.kernel.panel.requests import Verb
from codeact_kernel.settings import Settings


def verbs(settings: Settings) -> Mapping[str, Verb]:
    """`settings` are those the kernel was started with."""

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

    return {
        "settings": Verb(carry_out=configured),
        "override": Verb(carry_out=override, fields={"options": read.table}),
    }
