"""`%%agent` and `%agent` as the kernel inside knows them: nothing to do here.

The outer kernel runs the agent. The cell still comes here, so that it has a number and is in the
history like every other.
"""

from __future__ import annotations

from IPython.core.magic import Magics, line_cell_magic, magics_class


@magics_class
class AgentMagics(Magics):
    """Holds the magic's name; the work is done outside."""

    @line_cell_magic
    def agent(self, line: str, cell: str | None = None) -> None:
        """Give a task to a language model, which works it out in cells of this notebook."""
