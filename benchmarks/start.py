"""Start: from launching the process to the kernel_info reply, and to the first result."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.kernels import OURS, PEER, launched
from benchmarks.rows import Row


def rows(quick: bool) -> Iterator[Row]:
    """Two rows from the same starts."""
    pairs = [(start(OURS), start(PEER)) for _ in range(2 if quick else 9)]
    ours, peer = zip(*pairs, strict=True)
    for at, (name, budget) in enumerate((("kernel_info reply", 0.7), ("first result", 0.9))):
        yield Row(
            name=f"start → {name}",
            ours=[sample[at] for sample in ours],
            peer=[sample[at] for sample in peer],
            budget=budget,
        )


def start(name: str) -> tuple[float, float]:
    """Seconds to the kernel_info reply and to the reply that holds the value of `1+1`."""
    started = time.perf_counter()
    with launched(name) as kernel:
        kernel.reply(kernel.client.kernel_info())
        informed = time.perf_counter()
        content = kernel.reply(kernel.client.execute("1 + 1", user_expressions={"sum": "1 + 1"}))
        answered = time.perf_counter()
    if content["user_expressions"]["sum"]["data"]["text/plain"] != "2":
        raise RuntimeError(f"{name} says that 1 + 1 is {content['user_expressions']}")
    return informed - started, answered - started
