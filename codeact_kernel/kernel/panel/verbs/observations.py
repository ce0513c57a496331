"""Section Observations: hold the run, change what the model is shown, let it go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codeact_kernel.kernel.panel import fields as read
from codeact_kernel.kernel.panel.panel import Comm
from codeact_kernel.kernel.panel.requests import Verb
from codeact_kernel.kernel.run.observations import Observations

_TEXT = 200_000
"""Characters; what the kernel writes itself is shorter."""


def verbs(observations: Observations) -> Mapping[str, Verb]:
    """Three."""

    async def hold(comm: Comm) -> dict[str, Any]:
        observations.hold()
        return {}

    async def go_on(comm: Comm) -> dict[str, Any]:
        observations.go_on()
        return {}

    async def edit(comm: Comm, run: str, step: int, text: str) -> dict[str, Any]:
        observations.edit(run, step, text)
        return {}

    fields = {"run": read.text(64), "step": read.whole(1, 10**6), "text": read.text(_TEXT)}
    return {
        "hold": Verb(carry_out=hold),
        "go_on": Verb(carry_out=go_on),
        "edit_observation": Verb(carry_out=edit, fields=fields),
    }
