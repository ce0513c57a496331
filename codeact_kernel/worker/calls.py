"""What code inside asks of the outer kernel: a name, JSON arguments, a JSON value back.

Rule: the caller blocks until the answer is there; any thread may call, any number at a time.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

from codeact_kernel.worker.inbound import LinkClosed
from codeact_kernel.worker.link import Link
from codeact_kernel.worker.session import dump


class Calls:
    """`calls(name, arguments)` carries out one call. `parent` names the request that makes it."""

    def __init__(self, link: Link, parent: Callable[[], str]) -> None:
        self._link = link
        self._parent = parent
        self._numbers = itertools.count(1)

    def __call__(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """The value. Raises RuntimeError with the outer kernel's sentence; interruptible."""
        key = f"c{next(self._numbers)}"
        self._link.inbound.expect("result", key)
        try:
            head = {"t": "call", "id": key, "name": name, "parent": self._parent()}
            if not self._link.send(head, [dump(dict(arguments))]):
                raise RuntimeError(f"{name} can only be called in the notebook's own process.")
            frame = self._link.inbound.wait("result", key)
        except LinkClosed as error:
            raise RuntimeError(f"{name} got no answer: the sandbox is ending.") from error
        finally:
            self._link.inbound.forget("result", key)
        value = json.loads(frame.parts[0]) if frame.parts else None
        if not frame.head.get("ok"):
            raise RuntimeError(str(value))
        return value
