"""From the launcher's arguments to a supervisor and its live kernel."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

from codeact_kernel.worker import asking, config, process, tether
from codeact_kernel.worker.live import Ends
from codeact_kernel.worker.place import Place
from codeact_kernel.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from codeact_kernel.worker.kernel import WireKernel


def main(argv: list[str]) -> NoReturn:
    """Run on the stream argv[1] with the configuration argv[2]; ends with the kernel."""
    from codeact_kernel.worker import zygote

    outer = int(argv[1])
    settings = config.parse(argv[2] if len(argv) > 2 else "{}")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process.guard_supervisor()
    os.set_inheritable(outer, False)
    os.set_blocking(outer, False)
    line, answers = asking.pair()
    ends = fork(zygote.prepare(settings), outer, line, answers)
    Supervisor(outer, ends, line).run()
    os._exit(0)


def fork(kernel: WireKernel, outer: int, line: socket.socket, answers: int) -> Ends:
    """Fork the live kernel; our ends of what connects us.

    `line` and `answers`: the two ends of what forks answer questions on.
    """
    me = os.getpid()
    ours, theirs = socket.socketpair()
    our_line, their_line = tether.pair()
    stdout, stderr = process.wide_pipe(), process.wide_pipe()
    pid = os.fork()
    if pid == 0:
        try:
            process.become_kernel(me)
            mine = (ours.detach(), our_line.detach(), line.detach())
            for fd in (outer, *mine, stdout[0], stderr[0]):
                os.close(fd)
            place = Place(
                link=theirs.detach(),
                stdout=stdout[1],
                stderr=stderr[1],
                tether=their_line.detach(),
                answers=answers,
                supervisor=me,
            )
            kernel.live(place)
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
