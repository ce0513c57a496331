"""`input()` and `getpass()`: one question over the wire, one answer."""

from __future__ import annotations

import threading

from codeact_kernel.worker.link import Link


class Stdin:
    """Asks the user. One question is open at a time; another thread's waits for its turn."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._turn = threading.Lock()

    def ask(self, prompt: str, parent: str, *, password: bool) -> str:
        """The user's line. Raises EOFError, and KeyboardInterrupt when it is interrupted."""
        with self._turn:
            self._link.inbound.expect("input", "")
            try:
                text = prompt.encode(errors="backslashreplace")
                self._link.send({"t": "ask", "parent": parent, "password": password}, [text])
                answer = self._link.inbound.wait("input", "")
            except KeyboardInterrupt:
                raise KeyboardInterrupt("Interrupted by user") from None
            finally:
                self._link.inbound.forget("input", "")
        value = str(answer.head.get("value", ""))
        if value == "\x04":
            raise EOFError
        return value
