"""Which run can be continued at which state, and how much of that is remembered."""

from __future__ import annotations

import gc
from typing import Any

from codeact_kernel.agent.context import Conversation
from codeact_kernel.kernel.cells.agent_options import Options
from codeact_kernel.kernel.rewind.rewinding import Kept, Rewinding
from tests.kernel.test_checkpoints import table, take

NOTHING: Any = None
"""What is not asked for anything."""


def run_of(name: str) -> Kept:
    """A run of one step."""
    conversation = Conversation(system="")
    conversation.begin()
    return Kept(run=name, own=Options(), written=Options(), conversation=conversation)


async def test_runs_are_forgotten_with_the_last_state_they_can_be_continued_at() -> None:
    """However many runs there were: the newest, and those of the checkpoints that are kept."""
    checkpoints, _ = table(most=3)
    rewinding = Rewinding(checkpoints, NOTHING, NOTHING, NOTHING, NOTHING)
    gc.collect()
    before = sum(isinstance(each, Kept) for each in gc.get_objects())
    for number in range(20):
        await take(checkpoints, "step", {}, run=f"r{number}", step=1)
        rewinding.run_ended(run_of(f"r{number}"))
    gc.collect()
    assert sum(isinstance(each, Kept) for each in gc.get_objects()) - before == 1 + 3
