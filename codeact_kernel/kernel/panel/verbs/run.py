"""Section Run: stop what is under way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.panel.panel import Comm
from codeact_kernel.kernel.panel.requests import Verb

NOTHING_RUNS = "There is no run to stop: it has ended already."


def verbs(stop: Callable[[], bool]) -> Mapping[str, Verb]:
    """`stop()` stops the run that is under way; false: there is none."""

    async def stop_run(comm: Comm) -> dict[str, Any]:
        if not stop():
            raise UsageError(NOTHING_RUNS)
        return {}

    return {"stop": Verb(carry_out=stop_run)}
