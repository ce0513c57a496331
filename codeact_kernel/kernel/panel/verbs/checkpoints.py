"""Section Rewind: the states of the notebook that one can go to.

Rule: it only tells. Going there is a cell of the user's, `%agent rewind N`, which waits its turn and is
answered like every other; a front end executes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codeact_kernel.kernel.panel.panel import Comm
from codeact_kernel.kernel.panel.requests import Verb
from codeact_kernel.kernel.rewind.checkpoints import OFF, Checkpoints


def verbs(checkpoints: Checkpoints) -> Mapping[str, Verb]:
    """One."""

    async def table(comm: Comm) -> dict[str, Any]:
        return {
            "unavailable": "" if checkpoints.on else OFF,
            "checkpoints": checkpoints.table(),
            "redo": checkpoints.redo,
        }

    return {"checkpoints": Verb(carry_out=table)}
