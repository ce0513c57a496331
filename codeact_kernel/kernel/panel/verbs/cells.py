"""A run's cells: what the user does to them besides running them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.panel.fields import text, texts
from codeact_kernel.kernel.panel.panel import Comm
from codeact_kernel.kernel.panel.requests import Verb
from codeact_kernel.kernel.run.projection import Projection
from codeact_kernel.kernel.run.turnstile import Turnstile

NOT_WAITING = "This step does not wait for approval any more."
REFUSED = "The user did not approve this step."
DELETED = "The user deleted the cell of this step instead of running it."
_ID = 64
_REASON = 10_000
_CELLS = 10_000


def verbs(
    projection: Projection, turnstile: Turnstile, drop: Callable[[Sequence[str]], None]
) -> Mapping[str, Verb]:
    """Refuse a step, approve the rest, and keep the kernel's picture of the notebook true. `drop`
    gives up what these cells wait for.
    """

    async def reject(comm: Comm, cell: str, reason: str) -> dict[str, Any]:
        if not turnstile.refuse(cell, reason.strip() or REFUSED):
            raise UsageError(NOT_WAITING)
        return {}

    async def approve_rest(comm: Comm, cell: str) -> dict[str, Any]:
        if cell != turnstile.asked:
            raise UsageError(NOT_WAITING)
        turnstile.rest = True
        return {}

    async def deleted(comm: Comm, cells: tuple[str, ...]) -> dict[str, Any]:
        projection.deleted(cells)
        drop(cells)
        if turnstile.asked in cells:
            turnstile.refuse(turnstile.asked, DELETED)
        return {}

    async def returned(comm: Comm, cells: tuple[str, ...]) -> dict[str, Any]:
        projection.returned(cells)
        projection.restore(comm)
        return {}

    async def restore(comm: Comm) -> dict[str, Any]:
        projection.restore(comm)
        return {}

    some = {"cells": texts(_ID, _CELLS)}
    return {
        "reject": Verb(carry_out=reject, fields={"cell": text(_ID), "reason": text(_REASON)}),
        "approve_rest": Verb(carry_out=approve_rest, fields={"cell": text(_ID)}),
        "deleted": Verb(carry_out=deleted, fields=some),
        "returned": Verb(carry_out=returned, fields=some),
        "restore": Verb(carry_out=restore),
    }
