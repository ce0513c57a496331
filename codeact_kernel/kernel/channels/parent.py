"""Whether the program that started this kernel is still there.

Rule: a kernel whose client was killed ends; it would hold a sandbox for nobody.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

_EVERY = 1.0


def watch(pid: int | None, gone: Callable[[], None]) -> None:
    """Call `gone` once when process `pid` has ended; None or 1: there is nobody to watch."""
    if pid is None or pid <= 1:
        return
    loop = asyncio.get_running_loop()
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        loop.call_soon(gone)
        return
    except OSError:
        _poll(loop, pid, gone)
        return

    def ended() -> None:
        loop.remove_reader(fd)
        os.close(fd)
        gone()

    loop.add_reader(fd, ended)


def _poll(loop: asyncio.AbstractEventLoop, pid: int, gone: Callable[[], None]) -> None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        gone()
    except PermissionError:
        loop.call_later(_EVERY, _poll, loop, pid, gone)
    else:
        loop.call_later(_EVERY, _poll, loop, pid, gone)
