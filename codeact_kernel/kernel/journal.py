"""The events of a run on disk as they happen: what is left when the browser is gone.

Rule: one file per run, one JSON line per event, written at once. A journal that cannot be written
is said once and never stops a run. Files are the user's alone (0600), and the oldest go.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from codeact_kernel.kernel.encoding import event_json
from codeact_kernel.kernel.messages import to_json
from codeact_kernel.trace.events import Event, OutputArrived, ReplyGrew, RunStarted, Waited

KEPT = 200


class Journal:
    """Writes below `folder`; `problem` is one sentence once writing has failed, "" before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run = ""
        self.problem = ""

    def write(self, event: Event) -> None:
        """Append one event. What only animates is left out."""
        if self.problem or isinstance(event, ReplyGrew | OutputArrived | Waited):
            return
        run = event.id if isinstance(event, RunStarted) else event.run
        try:
            if run != self._run:
                self._open(run)
            self._append(run, to_json(event_json(event)) + b"\n")
        except OSError as error:
            self.problem = (
                f"The journal of this run cannot be written below {self._folder} "
                f"({error.strerror}); the run goes on, and is kept in the notebook only."
            )

    def path(self, run: str) -> Path:
        """The file of a run."""
        return self._folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', run)[:100]}.jsonl"

    def _open(self, run: str) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        old = sorted(self._folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
        for path in old[: max(0, len(old) - KEPT)]:
            path.unlink(missing_ok=True)
        self._run = run

    def _append(self, run: str, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        descriptor = os.open(self.path(run), flags, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
