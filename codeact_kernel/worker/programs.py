"""What code has printed comes out before what a program prints that it starts.

Rule: only order hangs on it. stdout and stderr are two pipes, and whoever reads both cannot tell which
was written first; so before a program is started there is nothing left in either.
"""

from __future__ import annotations

import sys
from typing import Any

from codeact_kernel.worker.link import Link

_STARTS = frozenset(("os.system", "subprocess.Popen"))
"""Audit events. `!command` reads its program itself and prints what it says."""


def come_after_text(link: Link) -> None:
    """From now on, in this process; copies of it have no say in the order."""

    def before(event: str, _: tuple[Any, ...]) -> None:
        if event in _STARTS:
            link.wait_for_text()

    sys.addaudithook(before)
