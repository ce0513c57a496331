"""`sys.stdout` and `sys.stderr` of the kernel: every write is a frame, at once.

Rule: nothing is buffered here; joining small writes is the outer kernel's business. Text belongs
to the request of the task that prints it (context variables); a thread prints into the newest.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from contextvars import ContextVar, Token
from typing import Any

from codeact_kernel.worker.link import Link
from codeact_kernel.worker.session import parent_id


class Stream(io.TextIOBase):
    """Write-through text stream.

    `fd` is the descriptor a cell sees, `pipe` a private copy of where it leads (a cell may point
    1 and 2 elsewhere). What belongs to the newest request, nearly everything, goes into the pipe:
    the supervisor reads it in bulk, where a frame for each of the two writes of a `print` made
    floods ten times slower. So does the text of a fork made by a cell. Only what an older task
    prints needs a frame, which can name its request.
    """

    encoding = "UTF-8"
    errors = "backslashreplace"

    def __init__(self, link: Link, name: str, fd: int, pipe: int) -> None:
        super().__init__()
        self.name = name
        self.buffer = io.FileIO(fd, "wb", closefd=False)
        """Bytes written here come out in program order with the text."""
        self._link = link
        self._fd = fd
        self._pipe = pipe
        self._parent: ContextVar[str] = ContextVar(f"{name}_parent")
        self._newest = ""

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        if not text:
            return 0
        data = text.encode(errors="backslashreplace")
        parent = self._parent.get(self._newest)
        if parent != self._newest and self._link.mine:
            self._link.send({"t": "stream", "name": self.name, "parent": parent}, [data])
        else:
            self._link.wait_for_others(self._pipe)
            written = os.write(self._pipe, data)
            if written < len(data):
                _write_rest(self._pipe, data, written)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing waits."""

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    # ipykernel's shell calls these on whatever sys.stdout is.

    def set_parent(self, parent: Any) -> None:
        """Text from here on belongs to this request, in this context and in new threads."""
        self._newest = parent_id(parent)
        self._parent.set(self._newest)

    def set_thread_parent(self, parent: Any) -> Token[str]:
        """The same for the calling thread or task alone."""
        return self._parent.set(parent_id(parent))

    def reset_thread_parent(self, token: Token[str]) -> None:
        self._parent.reset(token)

    @property
    def parent_header(self) -> dict[str, str]:
        return {"msg_id": self._parent.get(self._newest)}

    def _is_master_process(self) -> bool:
        return self._link.mine  # asked by ipykernel's own tests


def _write_rest(fd: int, data: bytes, written: int) -> None:
    view = memoryview(data)[written:]
    while view:
        view = view[os.write(fd, view) :]
