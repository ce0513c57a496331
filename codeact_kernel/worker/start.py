"""From the launcher's arguments to a supervisor and its live kernel."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, Protocol

from codeact_kernel.worker import asking, config, process, tether
from codeact_kernel.worker.live import Ends
from codeact_kernel.worker.place import Place
from codeact_kernel.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from codeact_kernel.worker.kernel import WireKernel


class Late(Protocol):
    """What is left to do in a sandbox that stands by; see `sandbox/late.py`."""

    def complete(self) -> None:
        """In the kernel's process: wait until the sandbox is taken, and finish it. Raises OSError."""

    def leave(self) -> None:
        """In the other."""


def main(argv: list[str], late: Late | None = None) -> NoReturn:
    """Run on the stream argv[1] with the configuration argv[2]; ends with the kernel.

    `late`: what has to be done before any code runs, where there is something.
    """
    from codeact_kernel.worker import zygote

    outer = int(argv[1])
    settings = config.parse(argv[2] if len(argv) > 2 else "{}")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process.guard_supervisor()
    os.set_inheritable(outer, False)
    os.set_blocking(outer, False)
    line, answers = asking.pair()
    kernel = zygote.prepare(settings)
    if late is None:
        zygote.enter(settings.workspace)
        ends = fork(kernel, outer, line, answers)
    else:

        def complete() -> None:
            zygote.exercise(kernel)  # there is time: what a first cell touches is copied now
            late.complete()
            zygote.enter(settings.workspace)

        ends = fork(kernel, None, line, answers, complete)
        late.leave()
    Supervisor(outer, ends, line).run()
    os._exit(0)


def fork(
    kernel: WireKernel,
    outer: int | None,
    line: socket.socket,
    answers: int,
    first: Callable[[], None] = lambda: None,
) -> Ends:
    """Fork the live kernel; our ends of what connects us.

    `outer` is not the kernel's (None: `first` closes it). `line` and `answers`: the two ends of what
    forks answer questions on. `first` is called in the kernel before it is connected.
    """
    me = os.getpid()
    ours, theirs = process.wide_pair()
    our_line, their_line = tether.pair()
    stdout, stderr = process.wide_pipe(), process.wide_pipe()
    pid = os.fork()
    if pid == 0:
        try:
            process.become_kernel(me)
            mine = (ours.detach(), our_line.detach(), line.detach())
            for fd in (outer, *mine, stdout[0], stderr[0]):
                if fd is not None:
                    os.close(fd)
            place = Place(
                link=theirs.detach(),
                stdout=stdout[1],
                stderr=stderr[1],
                tether=their_line.detach(),
                answers=answers,
                supervisor=me,
            )
            kernel.live(place, first)
        except BaseException:  # noqa: BLE001  this stack is the supervisor's: it must not unwind
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(70)
    with contextlib.suppress(OSError):  # both sides of the fork do it: neither may come too late
        os.setpgid(pid, pid)
    theirs.close()
    their_line.close()
    for fd in (stdout[1], stderr[1], answers):
        os.close(fd)
    return Ends(pid=pid, link=ours.detach(), stdout=stdout[0], stderr=stderr[0], tether=our_line)
