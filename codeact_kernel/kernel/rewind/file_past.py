"""What was staged at each checkpoint, so that files go back with the state.

Rules:
- Only what steps wrote and the user has not decided about: what is staged now, or was then. What the
  user's own cells wrote, and what was kept or discarded since, is not touched.
- Contents are copied out of the layer without following anything, up to a size for all checkpoints
  together; each version of a file once. What is too large is said.
- They are put back by the woken kernel, through its own mount: a layer that is changed under a mount
  would show code what is not there any more.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from codeact_kernel.errors import SandboxError
from codeact_kernel.kernel.cells.files import Files
from codeact_kernel.sandbox.staging import diff
from codeact_kernel.sandbox.staging.layer import Change, Entry
from codeact_kernel.trace.text import some

BUDGET = 64 * 1024 * 1024
"""Bytes of all contents together."""
MOST = 500
"""Staged files of one checkpoint."""
_SHOWN = 5
Ask = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


@dataclass(slots=True)
class _Plan:
    """What has to be done: inside, and to the list of what is staged."""

    delete: list[str] = field(default_factory=list)
    write: list[tuple[str, int, bytes]] = field(default_factory=list)
    forget: list[str] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """Those that go back."""
        return sorted({*self.delete, *(path for path, _, _ in self.write), *self.forget})


class FilePast:
    """Owner of the copies. `ask` is a query of the live kernel, `folder` where the workspace is inside."""

    def __init__(self, files: Files, ask: Ask, folder: str) -> None:
        self._files = files
        self._ask = ask
        self._folder = folder
        self._then: dict[int, dict[str, Entry]] = {}
        self._contents: dict[tuple[str, str], bytes] = {}
        self._put_aside: set[str] = set()
        """Paths that look as if the user had discarded them; it was us."""

    def keep(self, number: int, kept: Collection[int]) -> None:
        """Remember what is staged at this checkpoint; of the others only those in `kept`. Slow."""
        changes, _ = self._files.undecided()
        self._put_aside.difference_update(changes)
        self._then = {each: then for each, then in self._then.items() if each in kept}
        self._then[number] = then = {path: change.entry for path, change in changes.items()}
        used = {(path, entry.stamp) for each in self._then.values() for path, entry in each.items()}
        self._contents = {key: data for key, data in self._contents.items() if key in used}
        room = BUDGET - sum(map(len, self._contents.values()))
        for path, entry in list(then.items())[:MOST]:
            key = (path, entry.stamp)
            if entry.kind != "file" or key in self._contents or entry.size > room:
                continue
            data = self._files.content(path, staged=True, most=room)
            if data is not None:
                self._contents[key] = data
                room -= len(data)

    async def restore(self, number: int, left: int) -> list[str]:
        """Put files back as they were at this checkpoint; what to tell the user, mostly nothing.

        `left` is the checkpoint of the state that was left a moment ago, 0 when there is none.
        """
        if number not in self._then or self._then[number] == self._then.get(left):
            return []
        plan = await asyncio.to_thread(self._plan, number)
        if not plan.paths and not plan.stays:
            return []
        failed = await self._put_back(plan)
        self._files.step_over()  # what was written now is no doing of the user's cells
        if plan.forget:
            await asyncio.to_thread(self._files.decide, "discard", plan.forget, False)
            self._put_aside.update(plan.forget)
        return list(_told([path for path in plan.paths if path not in failed], plan.stays, failed))

    async def _put_back(self, plan: _Plan) -> set[str]:
        """The paths for which it could not be done."""
        prefix = f"{self._folder}/"
        arguments = {
            "delete": [prefix + path for path in plan.delete],
            "write": [
                {"path": prefix + path, "mode": mode, "base64": base64.b64encode(data).decode()}
                for path, mode, data in plan.write
            ],
        }
        try:
            answer = await self._ask("put_back", arguments)
        except SandboxError:
            return set(plan.paths)
        failed = answer.get("failed") if isinstance(answer, dict) else None
        named = {str(path) for path in failed} if isinstance(failed, list) else set()
        return {path for path in plan.paths if prefix + path in named}

    def _plan(self, number: int) -> _Plan:
        then = self._then[number]
        now, every = self._files.undecided()
        plan = _Plan()
        for path in sorted({*then, *now}):
            old, new = then.get(path), now.get(path)
            if old is None and new is not None:
                self._undo(plan, new)
                continue
            decided = new is None and path in every and path not in self._put_aside
            if old is not None and not decided and (new is None or new.entry.stamp != old.stamp):
                self._redo(plan, path, old)
        return plan

    def _undo(self, plan: _Plan, new: Change) -> None:
        """It came later: the folder's own is what was seen then."""
        if new.act == "created":
            plan.delete.append(new.path)
        elif new.act in ("changed", "deleted"):
            data = self._files.content(new.path, staged=False, most=BUDGET)
            if data is None:
                plan.stays.append(new.path)
                return
            plan.write.append((new.path, new.entry.mode or 0o644, data))
            plan.forget.append(new.path)
        else:
            plan.stays.append(new.path)

    def _redo(self, plan: _Plan, path: str, old: Entry) -> None:
        """It was staged then, and was changed or deleted since."""
        data = self._contents.get((path, old.stamp))
        if old.kind == "deleted":
            plan.delete.append(path)
        elif old.kind == "file" and data is not None:
            plan.write.append((path, old.mode, data))
        elif old.kind != "folder":
            plan.stays.append(path)


def _told(back: list[str], stays: list[str], failed: Collection[str]) -> Iterator[str]:
    if back:
        yield f"What steps had staged is as it was then, too: {_names(back)}."
    if stays or failed:
        yield f"These stay as they are, too large or no plain files: {_names([*stays, *failed])}."


def _names(paths: Collection[str]) -> str:
    return some([diff.shown(path) for path in sorted(paths)], _SHOWN)
