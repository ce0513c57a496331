"""What a front end asks on its comm, and what it is answered (docs/panel.md).

Rule: a request is read field by field against one table; whatever is wrong with it, or with carrying
it out, is a sentence in `problem`. Every request with an id gets one reply. The page that asks is the
user's; what runs inside never gets here, because the comm is this kernel's own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codeact_kernel.errors import CodeActError, UsageError
from codeact_kernel.kernel.channels.messages import to_json
from codeact_kernel.kernel.panel.fields import MISSING, Reader

if TYPE_CHECKING:
    from codeact_kernel.kernel.panel.panel import Comm

log = logging.getLogger(__name__)
_MAX_ID = 2**53
_MAX_OPEN = 64
_MAX_REPLY = 4_000_000
"""Bytes."""
_OURS = frozenset(("kind", "id", "do"))
_INTERNAL = (
    "This could not be done because of a mistake in this kernel ({error!r:.200}). Please report it "
    "with the kernel's log."
)

Say = Callable[[dict[str, Any]], None]
Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One thing that can be asked. `carry_out(comm, **fields)` gives the reply's data.

    It may raise a CodeActError, whose sentence becomes the reply's problem.
    """

    carry_out: Callable[..., Awaitable[Data]]
    fields: Mapping[str, Reader] = field(default_factory=dict)


class PanelRequests:
    """The table of verbs, and the requests that are being carried out."""

    def __init__(self) -> None:
        self._verbs: dict[str, Verb] = {}
        self._open: set[asyncio.Task[None]] = set()

    def offer(self, verbs: Mapping[str, Verb]) -> None:
        """Let these be asked from now on. Raises ValueError for a name that is taken."""
        if any(_OURS & verb.fields.keys() for verb in verbs.values()):
            raise ValueError(f"a field may not be called {sorted(_OURS)}")
        if taken := verbs.keys() & self._verbs.keys():
            raise ValueError(f"two parts of the kernel answer {sorted(taken)}")
        self._verbs.update(verbs)

    def take(self, comm: Comm, data: object, say: Say) -> None:
        """One message of a front end; `say` sends the reply to it. Never raises."""
        given = data if isinstance(data, dict) else {}
        number = given.get("id")
        if given.get("kind") != "request" or type(number) is not int or not 0 <= number < _MAX_ID:
            log.warning("dropped a comm message that is not a request: %.200r", data)
            return
        try:
            verb, fields = self._read(given)
        except UsageError as error:
            say(_reply(number, problem=str(error)))
            return
        task = asyncio.get_running_loop().create_task(
            self._carry_out(verb, comm, fields, number, say)
        )
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    def _read(self, given: Mapping[str, Any]) -> tuple[Verb, dict[str, Any]]:
        name = given.get("do")
        verb = self._verbs.get(name) if isinstance(name, str) else None
        if verb is None:
            raise UsageError(
                f"This kernel does not know the request {name!r:.60}. Reload the page; if that does "
                "not help, the kernel and the extension are of different versions."
            )
        if unknown := sorted(str(each)[:40] for each in given.keys() - _OURS - verb.fields.keys()):
            raise UsageError(f"{unknown[0]} is not a field of the request {name}.")
        fields = {each: read(each, given.get(each, MISSING)) for each, read in verb.fields.items()}
        if len(self._open) >= _MAX_OPEN:
            raise UsageError(
                "The kernel is still busy with earlier requests. Ask again in a moment."
            )
        return verb, fields

    async def _carry_out(
        self, verb: Verb, comm: Comm, fields: Mapping[str, Any], number: int, say: Say
    ) -> None:
        try:
            reply = _reply(number, data=await verb.carry_out(comm, **fields))
            if len(to_json(reply)) > _MAX_REPLY:
                raise UsageError("The answer is too large to be shown here.")
        except CodeActError as error:
            reply = _reply(number, problem=str(error))
        except Exception as error:
            log.exception("a request of a front end failed")
            reply = _reply(number, problem=_INTERNAL.format(error=error))
        say(reply)

    async def close(self) -> None:
        """The kernel ends: what is open is not answered any more."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)


def _reply(number: int, *, problem: str = "", data: Data | None = None) -> dict[str, Any]:
    return {"kind": "reply", "id": number, "problem": problem, "data": dict(data or {})}
