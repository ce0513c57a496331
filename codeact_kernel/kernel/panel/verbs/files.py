"""Section Files: what steps wrote and nobody has decided about, with diffs; keep it, discard it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.cells.files import Files
from codeact_kernel.kernel.panel import fields as read
from codeact_kernel.kernel.panel.panel import Comm
from codeact_kernel.kernel.panel.requests import Verb
from codeact_kernel.sandbox.staging import diff
from codeact_kernel.sandbox.staging.layer import Change
from codeact_kernel.sandbox.staging.protected import is_protected

_PATHS = read.texts(4096, 500)


def verbs(files: Files) -> Mapping[str, Verb]:
    """All of them work in a thread: diffs and copies of large files take a while."""

    async def listed(comm: Comm) -> dict[str, Any]:
        try:
            found = await asyncio.to_thread(files.staged)
        except UsageError as error:
            return {"unavailable": str(error), "changes": []}
        return {"unavailable": "", "changes": [_row(change, lines) for change, lines in found]}

    async def decide(verb: str, paths: tuple[str, ...], force: bool) -> dict[str, Any]:
        if not paths:
            raise UsageError(f"There is no path to {verb}.")
        outcome = await asyncio.to_thread(files.decide, verb, paths, force)
        refused = [{"path": path, "reason": reason} for path, reason in outcome.refused]
        return {"done": list(outcome.done), "refused": refused}

    async def keep(comm: Comm, paths: tuple[str, ...], force: bool) -> dict[str, Any]:
        return await decide("keep", paths, force)

    async def discard(comm: Comm, paths: tuple[str, ...]) -> dict[str, Any]:
        return await decide("discard", paths, False)

    force = read.optional(read.flag, False)
    return {
        "files": Verb(carry_out=listed),
        "keep": Verb(carry_out=keep, fields={"paths": _PATHS, "force": force}),
        "discard": Verb(carry_out=discard, fields={"paths": _PATHS}),
    }


def _row(change: Change, lines: list[str]) -> dict[str, Any]:
    """`path` names it in a request, `shown` on the screen."""
    return {
        "path": change.path,
        "shown": diff.shown(change.path),
        "act": change.act,
        "kind": change.entry.kind,
        "size": change.entry.size,
        "protected": is_protected(change.path),
        "diff": lines,
    }
