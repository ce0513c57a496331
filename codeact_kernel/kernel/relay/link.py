"""The one owner of the live sandbox: it starts it, queues for it, buries it, starts the next.

Rule: everybody else sends and listens here and never holds a Sandbox. What is sent before the
kernel inside is ready waits; what comes from a sandbox that was given up is not heard.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from codeact_kernel.errors import CodeActError, SandboxDied, SandboxRefused
from codeact_kernel.kernel.relay.bounded_log import BoundedLog
from codeact_kernel.kernel.relay.queries import Queries
from codeact_kernel.sandbox.ended import Ended
from codeact_kernel.wire import Bytes, Frame, encode

if TYPE_CHECKING:
    from codeact_kernel.sandbox.gauges import Reading

log = logging.getLogger(__name__)
_SHUTDOWN_SECONDS = 3.5  # inside it is interrupted after 1 s and killed after 3
_TRIES = 3
_YOUNG = 5.0
"""Seconds after which a sandbox that has been ready counts as one that works."""
_LONGEST_WAIT = 10.0
_OWN = frozenset({"selftest", "ready", "answer", "lost", "died", "log"})
"""Types of frames that are not the relay's."""


class Box(Protocol):
    """What the link needs of sandbox.process.Sandbox."""

    @property
    def grade(self) -> str: ...
    def listen(
        self, on_frame: Callable[[Frame], None], on_end: Callable[[Ended], None]
    ) -> None: ...
    def send(self, head: dict[str, Any], parts: Sequence[Bytes] = ()) -> None: ...
    def hold(self, on: bool) -> None: ...
    def kill(self) -> None: ...
    def fate(self, status: int | None) -> Ended: ...
    def readings(self) -> tuple[Reading, ...]: ...
    async def closed(self) -> object: ...


class State(Enum):
    """Where the sandbox is in its life."""

    STARTING = "starting"
    READY = "ready"
    REFUSED = "refused"
    CLOSED = "closed"


class Link:
    """`launch(first)` gives a Sandbox; `first` is true for the one spawned before the imports.

    `on_frame`, `on_end(ended)`, `on_ready()` and `on_woken()` (another process is the kernel inside)
    are set by the relay before `start`; `heard()` waits until all that an ended sandbox said has been dealt with. `ready_seconds`
    is how long the kernel inside may take to be ready once its sandbox stands.
    """

    def __init__(self, launch: Callable[[bool], Any], ready_seconds: float = 120.0) -> None:
        self._launch = launch
        self._ready_seconds = ready_seconds
        self._late: asyncio.TimerHandle | None = None
        self._inside = BoundedLog(log, logging.INFO)
        self.on_frame: Callable[[Frame], None] = lambda frame: None
        self.on_end: Callable[[Ended], None] = lambda ended: None
        self.on_ready: Callable[[], None] = lambda: None
        self.on_lost: Callable[[object], None] = lambda number: None
        self.on_refused: Callable[[str], None] = lambda sentence: None
        self.on_woken: Callable[[], Awaitable[None]] = _at_once
        self.heard: Callable[[], Awaitable[None]] = _at_once
        self.held = False
        self._full = False
        self._urgent = False
        self.state = State.STARTING
        self.refusal = ""
        self.grade = ""
        self.cells = ""
        """The folder whose files cells are compiled as, inside; a name, never a file out here."""
        self._box: Box | None = None
        self._waiting: deque[tuple[dict[str, Any], Sequence[Bytes]]] = deque()
        self._queries = Queries(self.send)
        self._early_deaths = 0
        self._young_deaths = 0
        self._ready_at = 0.0
        self._settled = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None

    def start(self, first: bool = True) -> None:
        """Begin to launch a sandbox."""
        self.state = State.STARTING
        self._settled.clear()
        self._starting = asyncio.get_running_loop().create_task(self._start(first))

    async def _start(self, first: bool) -> None:
        if self._young_deaths > 1:
            await asyncio.sleep(min(_LONGEST_WAIT, 0.5 * 2 ** min(self._young_deaths - 2, 10)))
        await self.heard()
        try:
            box: Box = await self._launch(first)
        except SandboxRefused as error:
            self._refuse(str(error))
            return
        except (CodeActError, OSError) as error:
            self._refuse(f"The sandbox did not start: {error} `codeact doctor` says more.")
            return
        except Exception as error:
            log.exception("a sandbox did not start")
            self._refuse(
                f"The sandbox did not start because of a mistake in this kernel ({error!r:.300}). "
                "Please report it with the kernel's log."
            )
            return
        self._box = box
        self.grade = box.grade
        self._late = asyncio.get_running_loop().call_later(self._ready_seconds, self._is_late)
        box.listen(lambda frame: self._frame(box, frame), lambda ended: self._ended(box, ended))
        self._hold()

    def _is_late(self) -> None:
        """Not tried again by itself: who asks for that has waited long enough to be told."""
        box, self._box = self._box, None
        if box is not None:
            box.kill()
        self._refuse(
            f"The kernel inside the sandbox was not ready within {self._ready_seconds:g} s, so nothing was "
            "run. Restart the kernel to try again; if that does not help, a module of the setting "
            "`preload` may hang while it is imported."
        )

    def _refuse(self, sentence: str) -> None:
        self.state = State.REFUSED
        self._settled.set()
        self.refusal = sentence
        self._queries.fail(SandboxRefused(sentence))
        self._waiting.clear()
        self.on_refused(sentence)

    def _frame(self, box: Box, frame: Frame) -> None:
        if box is not self._box:
            return
        kind = frame.head["t"]
        if kind not in _OWN:
            self.on_frame(frame)
        elif kind == "ready":
            cells = frame.head.get("cells")
            self.cells = cells[:4096] if isinstance(cells, str) else ""
            self._ready()
        elif kind == "answer":
            self._queries.answered(frame)
        elif kind == "lost":
            self.on_lost(frame.head.get("number"))
        elif kind == "died":
            status = frame.head.get("status")
            self._ended(box, box.fate(status if type(status) is int else None))
        elif kind == "log":
            text = str(frame.parts[0][:2000], "utf-8", "replace") if frame.parts else ""
            self._inside.say("inside: %r", text)

    def _ready(self) -> None:
        if self.state is not State.STARTING:
            return
        self.state = State.READY
        self._stop_waiting()
        self._settled.set()
        self._early_deaths = 0
        self._ready_at = asyncio.get_running_loop().time()
        while self._waiting and self.state is State.READY:
            self.send(*self._waiting.popleft())
        self.on_ready()

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    async def until_ready(self) -> None:
        """Wait while a sandbox starts. Raises SandboxRefused when there will be none."""
        while self.state is State.STARTING:
            await self._settled.wait()
        if self.state is not State.READY:
            raise SandboxRefused(self.refusal or "The kernel is shutting down.")

    def send(self, head: dict[str, Any], parts: Sequence[Bytes] = ()) -> None:
        """Send a frame, now or when the sandbox is ready. Raises SandboxRefused, wire.BadFrame."""
        if self.state is State.REFUSED:
            raise SandboxRefused(self.refusal)
        if self.state is State.STARTING:
            encode(head, parts)  # what is over the limits is said now
            self._waiting.append((head, parts))
        elif self._box is not None:
            try:
                self._box.send(head, parts)
            except SandboxDied:
                log.info("sent to a sandbox that has just ended")

    def hold(self, on: bool) -> None:
        """Read nothing more from inside, or go on."""
        self.held = on
        self._hold()

    def choke(self, full: bool) -> None:
        """Nobody can be told more for now: code that goes on writing has to wait."""
        self._full = full
        self._hold()

    def hurry(self, urgent: bool) -> None:
        """But not code that is being stopped: it is heard all the same."""
        if urgent != self._urgent:
            self._urgent = urgent
            self._hold()

    def _hold(self) -> None:
        if self._box is not None:
            self._box.hold(self.held or (self._full and not self._urgent))

    def withdraw(self) -> list[str]:
        """Take back the cells that still wait for a sandbox to start; the ids of their requests."""
        kept: deque[tuple[dict[str, Any], Sequence[Bytes]]] = deque()
        ids: list[str] = []
        for head, parts in self._waiting:
            if head.get("type") == "execute_request":
                ids.append(head["id"])
            else:
                kept.append((head, parts))
        self._waiting = kept
        return ids

    def readings(self) -> tuple[Reading, ...]:
        """What the sandbox uses of each limit; empty where nothing is limited, or there is none."""
        return () if self._box is None else self._box.readings()

    def interrupt(self) -> None:
        """SIGINT inside, ahead of everything queued."""
        if self.state is State.READY and self._box is not None:
            self.send({"t": "interrupt"})

    async def query(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Ask the live kernel something between cells. Raises SandboxError."""
        return await self._queries.ask(
            {"t": "query", "name": name}, (json.dumps(arguments).encode(),)
        )

    async def order(self, kind: str, **head: Any) -> Any:
        """Have the sandbox make, wake or weigh checkpoints between cells. Raises SandboxError."""
        value = await self._queries.ask({"t": kind, **head}, ())
        if kind == "rewind":
            await self.on_woken()
        return value

    def kill(self, why: Ended) -> None:
        """Give the sandbox up; `why` is what everybody who waits is told."""
        if self._box is not None:
            self._ended(self._box, why)

    def _ended(self, box: Box, ended: Ended) -> None:
        if box is not self._box:
            return
        self._box = None
        self._stop_waiting()
        box.kill()
        self._inside.close_count()
        was_ready = self.state is State.READY
        self._queries.fail(SandboxDied(str(ended)))
        if self.state is State.CLOSED:
            return
        if was_ready:
            self._waiting.clear()
            young = asyncio.get_running_loop().time() - self._ready_at < _YOUNG
            self._young_deaths = self._young_deaths + 1 if young else 0
        else:
            self._early_deaths += 1
        if self._early_deaths >= _TRIES:
            self._refuse(
                f"The sandbox ended {_TRIES} times while starting ({ended.what.rstrip('.')}). {ended.remedy} "
                "`codeact doctor` says what is missing."
            )
            return
        if was_ready:
            self.on_end(ended)
        self.start(first=False)

    async def close(self, restart: bool = False) -> None:
        """End the kernel inside in order (its atexit runs), then for certain."""
        starting = self._starting
        if self.state is State.STARTING and starting is not None and not starting.done():
            starting.cancel()
            await asyncio.wait([starting], timeout=_SHUTDOWN_SECONDS)
        was_ready, self.state = self.state is State.READY, State.CLOSED
        self._stop_waiting()
        self._settled.set()
        box = self._box
        if box is None:
            return
        try:
            if was_ready:
                box.send({"t": "shutdown", "restart": restart})
                async with asyncio.timeout(_SHUTDOWN_SECONDS):
                    await box.closed()
        except (TimeoutError, SandboxDied):
            pass
        finally:
            self._box = None
            box.kill()
            self._inside.close_count()


async def _at_once() -> None:
    """Nobody has to be waited for."""
