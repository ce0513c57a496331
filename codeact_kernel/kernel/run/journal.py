"""The events of a run on disk as they happen: what is left when the browser is gone.

Rule: one file per run, one JSON line per event, written at once and whole or not at all: half a line,
left by a full disk or a kill, is taken back before the next one. A journal that cannot be written is
said once and never stops a run; what is missing is written, in order, when it can be again. Files are
the user's alone (0600), and the oldest go. Outputs are written once, with the step they belong to.
Other kernels write and prune in the same folder.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from codeact_kernel.kernel.channels.messages import to_json
from codeact_kernel.kernel.run.encoding import event_json, without_outputs
from codeact_kernel.trace.events import (
    Event,
    Held,
    Observed,
    OutputArrived,
    Released,
    ReplyGrew,
    RunStarted,
    Waited,
)

_ANIMATES = (ReplyGrew, OutputArrived, Waited, Held, Released)
KEPT = 200
BYTES = 1024**3
"""What the journals of earlier runs may take together."""
_HELD = 64 * 1024 * 1024
"""Bytes that wait to be written, beyond which nothing more is."""


class Journal:
    """Writes below `folder`; `problem` is one sentence once writing has failed, "" before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run = ""
        self._unwritten: deque[tuple[str, bytes]] = deque()
        self._given_up = False
        self.problem = ""

    def write(self, event: Event) -> None:
        """Append one event. What only animates is left out."""
        if self._given_up or isinstance(event, _ANIMATES):
            return
        run = event.id if isinstance(event, RunStarted) else event.run
        # a step is finished right behind its observation, and has the outputs
        kept = without_outputs(event) if isinstance(event, Observed) else event
        self._unwritten.append((run, to_json(event_json(kept)) + b"\n"))
        try:
            self._write_all()
        except OSError as error:
            self._given_up = sum(len(line) for _, line in self._unwritten) > _HELD
            if self._given_up:
                self._unwritten.clear()
            self.problem = self.problem or (
                f"The journal of this run cannot be written below {self._folder} "
                f"({error.strerror}); the run goes on, and is kept in the notebook."
            )

    def _write_all(self) -> None:
        while self._unwritten:
            run, line = self._unwritten[0]
            if run != self._run:
                self._open(run)
            self._append(run, line)
            self._unwritten.popleft()

    def path(self, run: str) -> Path:
        """The file of a run."""
        return self._folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', run)[:100]}.jsonl"

    def _open(self, run: str) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = 0
        for number, (_, size, path) in enumerate(sorted(self._found(), reverse=True)):
            taken += size
            if number >= KEPT or (number and taken > BYTES):
                path.unlink(missing_ok=True)
        self._run = run

    def _found(self) -> Iterator[tuple[float, int, Path]]:
        """Time of the last change, size and path of each journal."""
        for path in self._folder.glob("*.jsonl"):
            with suppress(FileNotFoundError):  # another kernel prunes here, too
                found = path.stat()
                yield found.st_mtime, found.st_size, path

    def _append(self, run: str, line: bytes) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.path(run), flags, 0o600)
        try:
            end = _mend(descriptor)
            try:
                left = memoryview(line)
                while left:
                    left = left[os.write(descriptor, left) :]
            except OSError:
                os.ftruncate(descriptor, end)
                raise
        finally:
            os.close(descriptor)


def _mend(descriptor: int) -> int:
    """The length of the file, which ends with a whole line now."""
    size = os.fstat(descriptor).st_size
    if not size or os.pread(descriptor, 1, size - 1) == b"\n":
        return size
    with mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) as text:
        start = text.rfind(b"\n") + 1
        last = text[start:]
    if _is_json(last):
        return size + os.write(descriptor, b"\n")
    os.ftruncate(descriptor, start)
    return start


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
