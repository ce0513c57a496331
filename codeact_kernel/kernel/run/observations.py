"""What the person does about what the model will be shown: hold the run, change the newest observation.

Rule: only what the model has not answered yet can be changed, so the recorded prompts stay true: while
the run is held, or after its end and before it is continued. Whoever asks is told in a sentence when it
is too late.
"""

from __future__ import annotations

from collections.abc import Callable

from codeact_kernel.agent.hold import Hold
from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.rewind.rewinding import Rewinding
from codeact_kernel.trace.events import Event, ObservationEdited

NOTHING_RUNS = "There is no run to hold: it has ended already."
NOT_HELD = "The run is not held, so it goes on by itself."
ANSWERED = (
    "The model has been asked about this already, so it cannot be changed any more. Hold the run to "
    "change what comes next, or add words when you continue."
)
EMPTY = "The model has to be shown something: an empty observation cannot be sent."
BUSY = "The notebook is being taken to another state. Try again in a moment."


class Observations:
    """Owner of the hold of the run that is under way. `tell` says an event of a run that is over."""

    def __init__(
        self, rewinding: Rewinding, tell: Callable[[Event], None], busy: Callable[[], bool]
    ) -> None:
        self._rewinding = rewinding
        self._tell = tell
        self._busy = busy
        self._hold: Hold | None = None

    def run_began(self) -> Hold:
        """The hold of a run that begins."""
        self._hold = Hold()
        return self._hold

    def run_ended(self) -> None:
        """Nothing is under way any more."""
        self._hold = None

    def hold(self) -> None:
        """Let the run stand still before the model is asked. Raises UsageError."""
        if self._hold is None:
            raise UsageError(NOTHING_RUNS)
        self._hold.begin()

    def go_on(self) -> None:
        """Let it go on. Raises UsageError."""
        if self._hold is None or not self._hold.end():
            raise UsageError(NOT_HELD)

    def edit(self, run: str, step: int, text: str) -> None:
        """Show the model this text instead; a run that is held for it goes on. Raises UsageError."""
        if not text.strip():
            raise UsageError(EMPTY)
        if self._hold is not None:
            if self._hold.observation != step:
                raise UsageError(ANSWERED)
            self._hold.end(text)
            return
        if self._busy():
            raise UsageError(BUSY)
        kept = self._rewinding.kept
        if kept is None or kept.run != run or kept.conversation.unanswered != step:
            raise UsageError(ANSWERED)
        kept.conversation.amend(text)
        self._tell(ObservationEdited(run=run, number=step, text=text))
