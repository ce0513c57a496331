"""Section Run: stop what is under way, get ready for what is about to be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.panel.panel import Comm
from codeact_kernel.kernel.panel.requests import Verb
from codeact_kernel.kernel.run.readiness import Readiness

NOTHING_RUNS = "There is no run to stop: it has ended already."


def verbs(stop: Callable[[], bool], readiness: Readiness) -> Mapping[str, Verb]:
    """`stop()` stops the run that is under way; false: there is none."""

    async def stop_run(comm: Comm) -> dict[str, Any]:
        if not stop():
            raise UsageError(NOTHING_RUNS)
        return {}

    async def prepare(comm: Comm) -> dict[str, Any]:
        readiness.begin(comm.overrides.model)
        return {}

    return {"stop": Verb(carry_out=stop_run), "prepare": Verb(carry_out=prepare)}
