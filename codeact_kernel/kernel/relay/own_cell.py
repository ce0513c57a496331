"""A cell of the user: what it wrote is in the folder before its reply is sent.

Rule: files are copied beside the event loop when there is much to copy; the reply, and whatever
comes from inside after it, waits for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from codeact_kernel.kernel.cells.files import Files
from codeact_kernel.kernel.channels.messages import Incoming
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.relay.in_order import InOrder
from codeact_kernel.kernel.relay.requests import FrontRequest
from codeact_kernel.kernel.relay.said import Said
from codeact_kernel.sandbox.staging.layer import Change
from codeact_kernel.sandbox.staging.staging import now

_AT_ONCE = 8 << 20
_FEW = 50
"""Bytes and paths that are put in place without a thread: a few milliseconds."""
_SOON = 1.0
"""Seconds after which it is said what takes so long."""


class OwnCell(FrontRequest):
    """`warning` is asked once it runs, and shown above its outputs."""

    def __init__(
        self,
        message: Incoming,
        publisher: Publisher,
        files: Files,
        order: InOrder,
        *,
        allow_stdin: bool,
        silent: bool,
        warning: Callable[[], str],
    ) -> None:
        super().__init__(message, publisher, allow_stdin)
        self._files = files
        self._order = order
        self._silent = silent
        self._warning = warning
        self._since: float | None = None

    def publish(self, said: Said) -> None:
        if self._since is None and said.type == "status":  # the first is busy
            self._since = now()
        super().publish(said)
        if said.type == "execute_input" and not self._silent and (words := self._warning()):
            self.stream("stderr", f"{words}\n")
        if hint := self._files.hint(said):
            self.stream("stderr", hint)

    def reply(self, said: Said) -> None:
        self._keep(lambda: super(OwnCell, self).reply(said))

    def died(self, sentence: str, running: bool) -> None:
        def end() -> None:
            super(OwnCell, self).died(sentence, running)

        if not self.answered and self._since is not None:
            self._keep(end)
        else:
            end()

    def _keep(self, then: Callable[[], None]) -> None:
        """Put in place what the cell wrote, then go on."""
        changes, lines = self._files.own_cell_over(self._since)

        def done(told: list[str]) -> None:
            if said := [*lines, *told]:
                self.stream("stderr", "\n".join(said) + "\n")
            then()

        if sum(change.entry.size for change in changes) > _AT_ONCE or len(changes) > _FEW:
            self._put_beside(changes, done)
        else:
            done(self._files.put(changes) if changes else [])

    def _put_beside(self, changes: Sequence[Change], then: Callable[[list[str]], None]) -> None:
        soon = asyncio.get_running_loop().call_later(
            _SOON,
            self.stream,
            "stderr",
            f"Putting what it wrote in the folder: {_much(changes)} …\n",
        )

        def done(told: list[str]) -> None:
            soon.cancel()
            then(told)

        self._order.work(lambda: self._files.put(changes), done)


def _much(changes: Sequence[Change]) -> str:
    size = sum(change.entry.size for change in changes)
    return f"{len(changes):,} {'file' if len(changes) == 1 else 'files'}, {size / 1e6:,.0f} MB"
