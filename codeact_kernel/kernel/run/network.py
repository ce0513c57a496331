"""What the sandbox asked of the network: every request in a file, each step's in the run's trace.

Rule: nothing goes out untold. The file gets each request as it ends, whoever's code it was; a run
gets those of its steps, alike ones counted together, so that a flood cannot swell the notebook.
Only imported when there is an allowlist.
"""

from __future__ import annotations

import logging
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from codeact_kernel.kernel.run.journal import Journal
from codeact_kernel.trace.events import (
    CodeStarted,
    Event,
    NetworkUsed,
    Noticed,
    Observed,
    RunFinished,
)
from codeact_kernel.trace.values import NetworkRequest

log = logging.getLogger(__name__)
KINDS = 100
"""So many different requests are kept of one step; the others are counted together."""
_OTHERS = "(others)"
RECENT = 200
"""So many requests are remembered for whoever asks."""
LINES = 50_000
"""So many requests are written to the file; a flood must not fill the disk."""


class Network:
    """One kernel's. `flush` makes the sandbox's proxy tell of what still goes on; `spent` are the bytes
    so far, of all its sandboxes: ending one does not give code a new allowance."""

    def __init__(self, journals: Path) -> None:
        self.flush: Callable[[], None] = lambda: None
        self.spent = 0
        self._lines = 0
        self._journal = Journal(journals)
        self._name = f"network-{uuid.uuid4().hex[:12]}"
        self._run = ""
        self._step = 0
        self._kept: dict[tuple[str, ...], NetworkRequest] = {}
        self._said: set[str] = set()
        self.recent: deque[NetworkRequest] = deque(maxlen=RECENT)
        """The last requests, whoever's code made them; `step` 0: between runs."""

    def told(self, request: NetworkRequest) -> None:
        """One request, or the part of it that is known by now."""
        request = replace(request, step=self._step)
        self.spent += request.sent + request.received
        self._write(request)
        self.recent.append(request)
        if self._run:
            self._keep(request)

    def before(self, event: Event) -> Iterator[Event]:
        """What is to be told of the network before `event` of a run is."""
        match event:
            case CodeStarted():
                self._run, self._step = event.run, event.number
            case Observed() | RunFinished() if self._run == event.run:
                self.flush()
                yield from self._drain(event.run)
        if isinstance(event, RunFinished):
            self._run, self._step, self._said = "", 0, set()

    def _write(self, request: NetworkRequest) -> None:
        self._lines += 1
        if self._lines <= LINES:
            warned = self._journal.problem
            self._journal.write(NetworkUsed(run=self._name, request=request))
            if self._journal.problem and not warned:
                log.warning("%s", self._journal.problem)
        elif self._lines == LINES + 1:
            log.warning("the file of network requests is full; later ones are in the notebook only")

    def _keep(self, request: NetworkRequest) -> None:
        key = (request.method, request.host, str(request.port), request.path, request.problem)
        if key not in self._kept and len(self._kept) >= KINDS:
            key = ("", _OTHERS, "", "", "")
            request = replace(
                request, method="", host=_OTHERS, port=0, path="", address="", problem=""
            )
        before = self._kept.get(key)
        self._kept[key] = request if before is None else _sum(before, request)

    def _drain(self, run: str) -> Iterator[Event]:
        kept, self._kept = self._kept, {}
        for request in kept.values():
            yield NetworkUsed(run=run, request=request)
            if request.problem and request.problem not in self._said and len(self._said) < KINDS:
                self._said.add(request.problem)
                yield Noticed(run=run, sentence=f"The network refused a request: {request.problem}")


def _sum(one: NetworkRequest, other: NetworkRequest) -> NetworkRequest:
    return replace(
        one,
        address=one.address or other.address,
        count=one.count + other.count,
        sent=one.sent + other.sent,
        received=one.received + other.received,
        seconds=round(one.seconds + other.seconds, 3),
    )
