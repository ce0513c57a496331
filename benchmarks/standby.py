"""A new sandbox: from the reply that says the old one is gone to a result with libraries imported.

Plain ipykernel has nothing that could be replaced: what is shown of it is a new kernel and the imports.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from benchmarks.kernels import OURS, PEER, TIMEOUT, launched, ready
from benchmarks.rows import Figure
from codeact_kernel.sandbox.usage import tree

IMPORTS = "import numpy, pandas, matplotlib; 1 + 1"
_STEADY = 20
"""Looks, a tenth of a second apart, at which it has all its processes: its imports are done."""
_PROCESSES = 5
"""Two that start it, the first one inside, the kernel, and who waits to mount the folder."""


def rows(quick: bool) -> Iterator[Figure]:
    """One row. Before each sample a sandbox stands by again."""
    os.environ["CODEACT_STANDBY"] = "true"
    with ready(OURS) as kernel:
        ours = []
        for _ in range(1 if quick else 7):
            _wait_for_another(kernel.pid)
            kernel.finish("import os; os._exit(1)")
            ours.append(kernel.execute(IMPORTS).seconds * 1000)
    os.environ["CODEACT_STANDBY"] = "false"
    peer = [_new_peer() * 1000 for _ in range(1 if quick else 3)]
    yield Figure(name="standby → result with libraries", ours=ours, peer=peer, budget=25, unit="ms")


def _wait_for_another(pid: int) -> None:
    alone = len(tree(pid))
    end, steady = time.monotonic() + TIMEOUT, 0
    while steady < _STEADY:
        if time.monotonic() > end:
            raise TimeoutError(f"no sandbox stood by within {TIMEOUT} s")
        steady = steady + 1 if len(tree(pid)) == alone + _PROCESSES else 0
        time.sleep(0.1)


def _new_peer() -> float:
    started = time.perf_counter()
    with launched(PEER) as kernel:
        kernel.reply(kernel.client.execute(IMPORTS))
        return time.perf_counter() - started
