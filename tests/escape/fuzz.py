"""Coverage-guided: bytes for the decoder of either side, and behind it the outer's checks."""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
from typing import Any

atheris: Any = importlib.import_module("atheris")

with atheris.instrument_imports(include=["codeact_kernel"]):
    from codeact_kernel.wire import BadFrame, Decoder, decode, encode, head_of
    from tests.escape.frames import CELL, STEP, Bench


def one(data: bytes) -> None:
    """The first byte says who reads the rest."""
    if not data:
        return
    who, rest = data[0] % 3, data[1:]
    if who == 0:
        for read in (decode, head_of):
            with contextlib.suppress(BadFrame):
                read(rest)
        with contextlib.suppress(BadFrame):
            for raw in Decoder(max_frame=1 << 16).split(rest):
                head_of(raw)
    elif who == 1:
        Bench().feed(rest)
    else:
        framed(rest)


def framed(data: bytes) -> None:
    """A frame that is whole, so that what is behind the decoder is reached: its fields are fuzzed."""
    source = atheris.FuzzedDataProvider(data)
    bench = Bench()
    while source.remaining_bytes():
        head = {
            "t": source.PickValueInList(["publish", "stream", "reply", "ask", "call", "dap"]),
            "type": source.PickValueInList(
                ["display_data", "error", "execute_reply", "status", "comm_open", "execute_result"]
            ),
            "parent": source.PickValueInList([CELL, STEP, "", "other"]),
            "name": source.PickValueInList(["stdout", "stderr", "final_answer"]),
            "id": source.ConsumeInt(2),
        }
        sizes = range(source.ConsumeIntInRange(0, 3))
        parts = [source.ConsumeBytes(source.ConsumeIntInRange(0, 200)) for _ in sizes]
        bench.feed(b"".join(bytes(piece) for piece in encode(head, [b"{}", *parts])))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
