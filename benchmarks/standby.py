"""A new sandbox, and a restarted kernel: until there is a result with libraries imported.

The first from the reply that says that the old one is gone: plain ipykernel has nothing that could be
replaced, so what is shown of it is a new kernel and the imports. The second from Jupyter's restart on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from tempfile import TemporaryDirectory

from benchmarks.kernels import OURS, PEER, TIMEOUT, Kernel, launched, ready
from benchmarks.rows import Figure, Row
from codeact_kernel.sandbox.usage import tree

IMPORTS = "import numpy, pandas, matplotlib; 1 + 1"
_STEADY = 20
"""Looks, a tenth of a second apart, at which it has all its processes: its imports are done."""
_PROCESSES = 5
"""Two that start it, the first one inside, the kernel, and who waits to mount the folder."""


def rows(quick: bool) -> Iterator[Figure | Row]:
    """Two rows. Before each sample a sandbox stands by again."""
    with TemporaryDirectory(
        prefix="codeact-benchmark-"
    ) as folder:  # this one is read-only for code
        os.environ["CODEACT_STANDBY"] = "true"
        with ready(OURS, folder) as kernel:
            new = [_new_sandbox(kernel) for _ in range(1 if quick else 7)]
            again = [] if quick else [_restarted(kernel) for _ in range(3)]
        os.environ["CODEACT_STANDBY"] = "false"
        peer = [_new_peer(folder) * 1000 for _ in range(1 if quick else 3)]
        yield Figure(
            name="standby → result with libraries", ours=new, peer=peer, budget=25, unit="ms"
        )
        if again:
            with ready(PEER, folder) as kernel:
                peer = [_restarted(kernel, waits=False) for _ in range(3)]
            yield Row(name="restart → result with libraries", ours=again, peer=peer, budget=0.9)


def _new_sandbox(kernel: Kernel) -> float:
    _wait_for_another(kernel.pid)
    kernel.finish("import os; os._exit(1)")
    return kernel.execute(IMPORTS).seconds * 1000


def _restarted(kernel: Kernel, *, waits: bool = True) -> float:
    kernel.execute("1 + 1")
    if waits:
        _wait_for_another(kernel.pid)
    started = time.perf_counter()
    kernel.manager.restart_kernel()
    kernel.reply(kernel.client.execute(IMPORTS))
    return time.perf_counter() - started


def _wait_for_another(pid: int) -> None:
    alone = len(tree(pid))
    end, steady = time.monotonic() + TIMEOUT, 0
    while steady < _STEADY:
        if time.monotonic() > end:
            raise TimeoutError(f"no sandbox stood by within {TIMEOUT} s")
        steady = steady + 1 if len(tree(pid)) == alone + _PROCESSES else 0
        time.sleep(0.1)


def _new_peer(folder: str) -> float:
    started = time.perf_counter()
    with launched(PEER, folder) as kernel:
        kernel.reply(kernel.client.execute(IMPORTS))
        return time.perf_counter() - started
