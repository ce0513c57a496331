"""How the live kernel becomes one that waits: a copy of it does, or it does so itself.

Rules:
- It is done on the main stack, between cells, with the event loop stopped; a copy that is woken, in a
  process of its own with the same descriptors, comes back from the same call.
- A copy belongs to the supervisor: code that waits for its children does not see it.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator

from codeact_kernel.worker import process, tether
from codeact_kernel.worker.forking import fork_apart
from codeact_kernel.worker.parked import Parked, Shared
from codeact_kernel.worker.place import Place


class Forks:
    """Owner of the process's tether."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._line = socket.socket(fileno=place.tether)

    def fork(self, number: int, leave: Callable[[], None], say: Callable[[], None]) -> bool:
        """False in this process, at once; True in a copy of it, when and each time that is woken.

        `leave` is called in the copy before it waits, `say` in this process when the copy is made
        and not yet in its place. Raises OSError when there is no room for one.
        """
        line = socket.socket(fileno=self._line_for(number))
        try:
            shared = Shared(self._place)
            if not fork_apart(self._place.supervisor, line, say):
                return False
            with _or_end():
                leave()
                os.dup2(line.fileno(), self._place.tether, inheritable=False)
                Parked(self._place, self._line, shared).wait()
            return True
        finally:
            line.close()

    def stand_aside(self, number: int, leave: Callable[[], None], say: Callable[[], None]) -> bool:
        """`say` so, and wait for the supervisor's word: another kernel takes over, or none does.

        False: go on. True in a copy of this process, when and each time that is woken; the process
        itself calls `leave` and waits from then on.
        """
        shared = Shared(self._place)
        say()
        while True:
            order = tether.next_order(self._line)
            for fd in order.fds:
                os.close(fd)
            if not order.word:
                os._exit(0)
            if order.number == number and order.word in ("stay", "leave"):
                break
        if order.word == "stay":
            return False
        with _or_end():
            leave()
            process.leave_group(self._place.supervisor)
            Parked(self._place, self._line, shared).wait()
        return True

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


@contextlib.contextmanager
def _or_end() -> Iterator[None]:
    """A process that cannot wait ends: nobody is there to tell, and the supervisor sees it."""
    try:
        yield
    except BaseException:  # noqa: BLE001
        os._exit(70)
