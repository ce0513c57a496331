"""What asking a model takes seconds for, begun when somebody is about to ask.

Rule: only for a person who is writing a task and has a model to ask, once, and never for a replay: it
takes 170 MB. What is wrong with it is said by the run that needs it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import suppress

from codeact_kernel.errors import ModelError

_REPLAY = "replay/"
_TASK = re.compile(r"[ \t\n]*%%?agent\b(?:[^\n]*?--model[ \t=]+(\S+))?", re.ASCII)


def load_provider() -> None:
    """Import what talks to the providers. Blocks for seconds."""
    from codeact_kernel.models.loading import load

    with suppress(ModelError):
        load()


class Readiness:
    """Calls `load` in the background. `configured` is the user's model, "" for none."""

    def __init__(self, configured: str, load: Callable[[], None]) -> None:
        self._configured = configured
        self._load = load
        self._begun = False

    def typed(self, code: str) -> None:
        """This is being written; it matters when it is a task."""
        if found := _TASK.match(code):
            self.begin(found.group(1))

    def begin(self, model: str | None = None) -> None:
        """Somebody is about to ask `model`; None: the one that is configured."""
        name = model or self._configured
        if name and not self._begun and not name.startswith(_REPLAY):
            self._begun = True
            # a daemon: a kernel that is shut down meanwhile does not wait for it
            threading.Thread(target=self._load, name="load-provider", daemon=True).start()
