"""The life of a process that waits to become the kernel: a copy of the live one, or what was it.

Rules:
- It runs no code of the notebook's: signals are blocked, the loop is at rest, nothing is said.
- To become the kernel it forks once more, so that it can do so again; the copy comes back from here.
- Not random, not open files: what a fork changes or shares though nobody asked for it is put back.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal's own wrapper builds enums, tenfold cost
import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Iterable

from codeact_kernel.worker import process, tether
from codeact_kernel.worker.forking import fork_apart
from codeact_kernel.worker.place import Place


class Parked:
    """This process, at a place that it lets go of; `line` is its tether, at the place's number.

    `shared` is what it has in common with other processes, looked at before any of them went on.
    """

    def __init__(self, place: Place, line: socket.socket, shared: Shared) -> None:
        self._place = place
        self._line = line
        self._shared = shared

    def wait(self) -> None:
        """Until this is a copy that is the live kernel now. Ends with the supervisor."""
        mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        process.hide()
        self._shared.connect(link=None, stdout=None, stderr=None)
        self._shared.unlock_files()
        self._wait_for_wake()
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)

    def _wait_for_wake(self) -> None:
        tether.report(self._line, "parked")
        while True:
            order = tether.next_order(self._line)
            process.reap()  # programs that the kernel had started, where this was it
            if not order.word:
                os._exit(0)
            if order.word == "weigh":
                tether.report(self._line, f"weighs {process.weight()}")
            if order.word == "wake" and len(order.fds) == 4 and self._wakes(order.fds):
                self._connect(order.fds)
                return
            for fd in order.fds:
                os.close(fd)

    def _wakes(self, fds: tuple[int, ...]) -> bool:
        """Whether this is the copy that becomes the kernel; the original goes on waiting."""
        line = socket.socket(fileno=os.dup(fds[0]))
        try:
            return fork_apart(self._place.supervisor, line, lambda: None)
        except OSError:
            return False
        finally:
            line.close()

    def _connect(self, fds: tuple[int, ...]) -> None:
        line, link, stdout, stderr = fds
        os.dup2(line, self._place.tether, inheritable=False)
        self._shared.connect(link=link, stdout=stdout, stderr=stderr)
        self._shared.rewind_files()
        for fd in fds:
            os.close(fd)
        tether.report(self._line, "awake")


class Shared:
    """What a copy has in common with the process it was made from, and should not: see `connect`.

    Made before the copy is: who goes on moves positions in files for both.
    """

    def __init__(self, place: Place) -> None:
        self._link = place.link
        descriptors = process.descriptors()
        self._stdout = _same(place.stdout, descriptors)
        self._stderr = _same(place.stderr, descriptors)
        self._offsets = dict(_offsets(descriptors))

    def connect(self, *, link: int | None, stdout: int | None, stderr: int | None) -> None:
        """Put these where the old ones were, wherever code has copied them to; None: nothing."""
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(null if link is None else link, self._link, inheritable=False)
        for new, places in ((stdout, self._stdout), (stderr, self._stderr)):
            for fd, inheritable in places.items():
                os.dup2(null if new is None else new, fd, inheritable=inheritable)
        os.close(null)

    def rewind_files(self) -> None:
        """Position in open files is shared by all forks; it is part of the state that is restored."""
        for fd, offset in self._offsets.items():
            with contextlib.suppress(OSError):
                os.lseek(fd, offset, os.SEEK_SET)

    def unlock_files(self) -> None:
        """Give up this process's locks: who wakes could never have those of one that waits. Locks
        that belong to an open file are shared by all forks, like its position."""
        for fd in self._offsets:
            with contextlib.suppress(OSError):
                fcntl.lockf(fd, fcntl.LOCK_UN)


def _same(pipe: int, descriptors: Iterable[int]) -> dict[int, bool]:
    """Those that lead to this pipe: {descriptor: whether a program that is started gets it}."""
    wanted = os.fstat(pipe)
    found = {}
    for fd in descriptors:
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(fd), wanted):
                found[fd] = os.get_inheritable(fd)
    return found


def _offsets(descriptors: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Positions in open files."""
    for fd in descriptors:
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.fstat(fd).st_mode):
                yield fd, os.lseek(fd, 0, os.SEEK_CUR)
