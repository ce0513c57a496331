"""The fork: a copy of this interpreter that belongs to the supervisor, waits, and becomes the kernel.

Rules:
- It is made on the main stack, between cells, with the event loop stopped; the copy comes back from
  the same call when it is woken, in a process of its own that has the same descriptors.
- A parked process only waits: to become the kernel it forks once more, so that it can do so again.
- Not random, not open files: what a fork changes or shares though nobody asked for it is put back.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import stat
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from codeact_kernel.worker import process, tether


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What connects a live kernel, made by the supervisor: descriptors, and its pid."""

    link: int
    stdout: int
    stderr: int
    tether: int
    answers: int
    """One line for all kernels of a sandbox: see asking.py."""
    supervisor: int


class Forks:
    """Owner of the process's place: copies of it find what connects them at the same descriptors."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._line = socket.socket(fileno=place.tether)

    @property
    def descriptors(self) -> frozenset[int]:
        """Those that are ours and not the notebook's."""
        place = self._place
        return frozenset((place.link, place.stdout, place.stderr, place.tether, place.answers))

    def fork(self, number: int, leave: Callable[[], None], say: Callable[[], None]) -> bool:
        """False in this process, at once; True in a copy of it, when and each time that is woken.

        `leave` is called in the copy before it waits, `say` in this process when the copy is made
        and not yet in its place. Raises OSError when there is no room for one.
        """
        line = socket.socket(fileno=self._line_for(number))
        try:
            between = _fork_apart(self._place.supervisor, line)
            if between:
                say()
                wait_for(between)
                return False
            self._park(line.fileno(), leave)
            return True
        finally:
            line.close()

    def forget(self, number: int) -> None:
        """There will be no fork for this order."""
        with contextlib.suppress(OSError):
            os.close(self._line_for(number))

    def _line_for(self, number: int) -> int:
        """The new process's tether, which was sent before the order itself."""
        while True:
            try:
                order = tether.next_order(self._line, wait=False)
            except BlockingIOError as error:
                raise ConnectionError("there is no line for a new process") from error
            if order.word == "park" and order.number == number and len(order.fds) == 1:
                return order.fds[0]
            for fd in order.fds:
                os.close(fd)
            if not order.word:
                raise ConnectionError("the supervisor is gone")

    def _park(self, line: int, leave: Callable[[], None]) -> None:
        """Let go of the live kernel's place, and wait. Returns in a kernel that was woken."""
        try:
            leave()
            process.hide()
            place = self._place
            shared = _Shared(place)
            os.dup2(line, place.tether, inheritable=False)
            shared.connect(link=None, stdout=None, stderr=None)
            tether.report(self._line, "parked")
            self._wait(shared)
        except BaseException:  # noqa: BLE001  nobody is there to tell; the supervisor sees the end
            os._exit(70)

    def _wait(self, shared: _Shared) -> None:
        while True:
            order = tether.next_order(self._line)
            if not order.word:
                os._exit(0)
            if order.word == "weigh":
                tether.report(self._line, f"weighs {process.weight()}")
            if order.word == "wake" and len(order.fds) == 4 and self._wakes(order.fds):
                self._connect(shared, order.fds)
                return
            for fd in order.fds:
                os.close(fd)

    def _wakes(self, fds: tuple[int, ...]) -> bool:
        """Whether this is the copy that becomes the kernel; the original goes on waiting."""
        line = socket.socket(fileno=os.dup(fds[0]))
        try:
            between = _fork_apart(self._place.supervisor, line)
        except OSError:
            return False
        finally:
            line.close()
        if between:
            wait_for(between)
        return not between

    def _connect(self, shared: _Shared, fds: tuple[int, ...]) -> None:
        line, link, stdout, stderr = fds
        os.dup2(line, self._place.tether, inheritable=False)
        shared.connect(link=link, stdout=stdout, stderr=stderr)
        shared.rewind_files()
        for fd in fds:
            os.close(fd)
        tether.report(self._line, "awake")


class _Shared:
    """What a copy has in common with the process it was made from, and should not: see `connect`."""

    def __init__(self, place: Place) -> None:
        self._link = place.link
        descriptors = _descriptors()
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


def _fork_apart(supervisor: int, line: socket.socket) -> int:
    """Fork a process that is the supervisor's child: 0 in it, here the pid of who is between.

    A grandchild whose parent ends at once: code that waits for its children does not see it. What
    goes wrong is reported on the new one's line. Raises OSError when nothing was forked.
    """
    process.flush_c_streams()
    state = random.getstate()
    try:
        between = fork()
    except OSError as error:
        tether.report(line, f"failed {error.errno}")
        raise
    if between:
        return between
    try:
        _fork_again(line)
        process.become_kernel(supervisor)
        random.setstate(state)  # the random module seeds itself anew in every fork
    except BaseException:  # noqa: BLE001  a copy must not return to where its original is
        os._exit(70)
    return 0


def _fork_again(line: socket.socket) -> None:
    """Returns in the child, when it has become the supervisor's."""
    parent = os.getpid()
    try:
        child = fork()
    except OSError as error:
        tether.report(line, f"failed {error.errno}")
        os._exit(1)
    with contextlib.suppress(OSError):  # both sides of the fork do it: neither may come too late
        os.setpgid(child, child)
    if child:
        os._exit(0)
    while os.getppid() == parent:
        os.sched_yield()


def fork() -> int:
    """os.fork without the warning about threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: of pools that outlive a fork
        return os.fork()


def wait_for(between: int) -> None:
    """Until the process between this one and its copy has ended; it does at once."""
    with contextlib.suppress(ChildProcessError):  # code ignores SIGCHLD
        os.waitpid(between, 0)


def _descriptors() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return list(range(256))


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
