"""What an editor asks while a cell runs, answered by a copy of the kernel that is thrown away.

Rules:
- The copy sees the notebook as it is in this moment and changes nothing in it: a fork, with nothing
  connected but the line for its answer. It has a second and a half, whatever it meets.
- The process that runs the cell is held up for the fork alone. One with a large heap is not forked.
- The signal is SIGURG: where code has taken our handler away it does nothing.

Supervisor's side: asking.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from codeact_kernel.wire import Bytes, Frame, Part, encode
from codeact_kernel.worker import process
from codeact_kernel.worker.asking import NUDGE
from codeact_kernel.worker.forking import fork, wait_for
from codeact_kernel.worker.link import Link
from codeact_kernel.worker.messages import message
from codeact_kernel.worker.place import Place
from codeact_kernel.worker.signals import undisturbed

if TYPE_CHECKING:
    from codeact_kernel.worker.kernel import WireKernel

SECONDS = 1.5
LARGEST = 2 * 1024**3
"""Bytes of memory in use above which nothing is forked: it would be felt in the cell."""
KINDS = frozenset(
    f"{name}_request"
    for name in ("complete", "inspect", "is_complete", "history", "comm_info", "kernel_info")
)
"""Requests that do not run cells, so that they need not wait for one."""


class Beside:
    """Answers in a fork. `open` after the fork that made the kernel."""

    def __init__(self, kernel: WireKernel) -> None:
        self._kernel = kernel
        self._loop: asyncio.AbstractEventLoop
        self._place: Place

    def open(self, loop: asyncio.AbstractEventLoop, place: Place) -> None:
        """Listen for the supervisor's signal."""
        self._loop, self._place = loop, place
        signal.signal(NUDGE, self._on_nudge)
        signal.siginterrupt(NUDGE, False)  # not every C library goes on after an interrupted call

    def _on_nudge(self, number: int, frame: Any) -> None:
        """In the main thread, anywhere in a cell."""
        kernel = self._kernel
        if not kernel.link.mine or asyncio.current_task(self._loop) is None:
            return  # between cells the loop itself reads
        try:
            questions = kernel.link.inbound.pick(is_aside)
            if questions and _resident() <= LARGEST:
                undisturbed(lambda: _in_a_copy(lambda: self._answer(questions)))
        except Exception:  # noqa: BLE001  never the cell's affair: there is no answer, then
            return

    def _answer(self, questions: Sequence[Frame]) -> None:
        self._let_go()
        for question in questions:
            os.write(self._place.answers, self._reply(question))

    def _let_go(self) -> None:
        """Of everything that is the running kernel's; and of all that could hold the copy up."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(NUDGE, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        process.offer_to_be_killed()
        gc.disable()
        sys.settrace(None)
        sys.setprofile(None)
        spare_jedi(self._kernel.shell)
        self._kernel.link.let_go()
        place = self._place
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for fd in (0, 1, 2, place.link, place.tether, place.stdout, place.stderr):
            os.dup2(null, fd, inheritable=False)

    def _reply(self, question: Frame) -> bytes:
        """Busy, the reply and idle in one piece, as for any request; b"" when there is no reply."""
        kernel = self._kernel
        request = message(question)
        said = _Said(request["msg_id"])
        session: Any = kernel.session
        session.link = said
        kernel._publish_status("busy", "shell", parent=request)
        reply = getattr(kernel, request["msg_type"])(kernel.shell_stream, [], request)
        if asyncio.iscoroutine(reply):
            with contextlib.suppress(StopIteration):
                reply.send(None)
                return b""  # it waits for something that will not come
        kernel._publish_status("idle", "shell", parent=request)
        return b"".join(said.pieces)


class _Said(Link):
    """Keeps what is said to one request; what code displays on its way is nobody's."""

    def __init__(self, request: str) -> None:
        super().__init__()
        self._request = request
        self.pieces: list[Bytes] = []

    @property
    def mine(self) -> bool:
        return True

    def send(self, head: dict[str, Any], parts: Sequence[Part] = ()) -> bool:
        if head.get("parent") == self._request:
            self.pieces += encode(head, parts)
        return True


def spare_jedi(shell: Any) -> None:
    """Complete without jedi when it would have to be got going first: that takes seconds."""
    shell.Completer.use_jedi = shell.Completer.use_jedi and "jedi.api" in sys.modules


def is_aside(frame: Frame) -> bool:
    """Whether this is a request that may be answered beside a cell."""
    return (
        frame.type == "request"
        and frame.head.get("queued") is False
        and frame.head.get("type") in KINDS
    )


def _in_a_copy(work: Callable[[], None]) -> None:
    """Do it in a fork that is not a child of this process. Returns here alone, and at once."""
    between = fork()
    if between:
        wait_for(between)
        return
    try:  # the stack below is a cell's: neither of the two forks may come back to it
        if not fork():
            work()
    finally:
        os._exit(0)


def _resident() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0
