"""What a sandbox that stands by lacks until it is taken.

Rule: standard library only, runs inside. The layer that takes the writes can be mounted by one
sandbox at a time, so it is mounted when this one is taken; Landlock has to name it, so it comes
after that; the self-test comes last of all, in the very process that will run code, before any does.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codeact_kernel.sandbox import selftest
from codeact_kernel.sandbox.layers import landlock, overlay
from codeact_kernel.sandbox.layers.mounter import Mounter
from codeact_kernel.wire import encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """Made in the launcher. Of the two processes that come of it one completes it, the other leaves it.

    `bell` is rung from outside when the sandbox is taken; where there is a mounter it is the mounter's.
    `legacy`: as the self-test saw it before anything was imported.
    """

    wire: int
    bell: int
    mounter: Mounter | None
    orders: Mapping[str, Any]
    ports: tuple[int, ...]
    legacy: Mapping[str, Any]

    def complete(self) -> None:
        """Say that only this is missing, wait until the sandbox is taken, finish and test it.

        Raises OSError, also when nobody takes it.
        """
        self._say({"t": "warm"})
        look = {**self.orders["look"], "ours": [os.getppid()]}
        if self.mounter is not None:
            overlay.note(look, self.orders["stage"]["path"], self.mounter.wait())
            look["ours"].append(self.mounter.pid)
        elif not os.read(self.bell, 1):
            raise OSError(errno.EPIPE, "nobody wants this sandbox")
        self.leave()
        abi = landlock.restrict(self.orders["grants"], self.ports) if self.orders["walls"] else 0
        report = json.dumps(selftest.run(look, abi, self.legacy)).encode()
        self._say({"t": "selftest"}, report)
        os.close(self.wire)

    def leave(self) -> None:
        """What completes it is the other process's."""
        if self.mounter is not None:
            self.mounter.close()
        else:
            os.close(self.bell)

    def _say(self, head: dict[str, Any], *parts: bytes) -> None:
        stream = socket.socket(fileno=os.dup(self.wire))
        with stream:
            stream.sendall(b"".join(bytes(piece) for piece in encode(head, parts)))
