"""An nbclient that knows us: it opens the comm, applies edits, and hands outputs to the step cells.

Rule: a message belongs to the cell whose request is its parent, whichever cell is running now; so
what a step's thread prints late still lands in its cell. `_async_poll_output_msg` is private to
nbclient: the dependency is pinned to 0.11 and tests/headless would notice a change.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete, CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from codeact_kernel.headless import insert, told
from codeact_kernel.trace import edits, events

GRACE = 10.0
"""Seconds an interrupted cell has before the kernel is killed; the kernel itself needs about two."""

_UNREADABLE = (KeyError, TypeError, AttributeError, ValueError)
"""What nbclient raises for a message that lacks what its type needs; code inside can send one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFailed:
    """A cell of the notebook ended with an error, and the rest was not run."""

    index: int
    name: str
    value: str
    agent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Who is told: of each event of a run, that the notebook is worth saving now, that a cell starts,
    and what the sandbox does not show or hold."""

    event: Callable[[events.Event], None]
    changed: Callable[[], None]
    starts: Callable[[int], None]
    note: Callable[[str], None]


class Client(NotebookClient):  # type: ignore[misc]  # nbclient is not typed for us
    """Runs `nb` in the kernel of `km`. One run per object; `stop` may be called at any time."""

    def __init__(
        self,
        nb: NotebookNode,
        km: AsyncKernelManager,
        *,
        hooks: Hooks,
        overrides: Mapping[str, Any],
        cell_seconds: float | None = None,
    ) -> None:
        super().__init__(nb, km)
        self.stopped = ""
        self.completed = 0
        self._hooks = hooks
        self._overrides = dict(overrides)
        self._cell_seconds = cell_seconds
        self._comm = uuid.uuid4().hex
        self._homes: dict[str, NotebookNode] = {}
        self._waiting_clear: set[str] = set()
        self._inserted: set[str] = set()
        self._stopping: asyncio.Task[None] | None = None

    async def run(self, environment: Mapping[str, str], folder: str, log: Any) -> CellFailed | None:
        """Run every cell; the first error, or None. Raises DeadKernelError, RuntimeError."""
        self.reset_execution_trackers()
        try:
            await self.async_start_new_kernel(
                env=dict(environment), cwd=folder, stdout=log, stderr=log
            )
            await self.async_start_new_kernel_client()
            self._open_comm()
            await self._round_trip()
            return await self._run_cells()
        finally:
            if self._stopping is not None:
                self._stopping.cancel()
            self.set_widgets_metadata()
            if self.km is not None:
                await self._async_cleanup_kernel()

    def stop(self, reason: str) -> None:
        """Interrupt what runs and start nothing more; called again, kill the kernel."""
        if self._stopping is not None:
            self._stopping.cancel()
        self._stopping = asyncio.ensure_future(self._stop(kill=bool(self.stopped)))
        self.stopped = self.stopped or reason

    async def async_execute_cell(
        self,
        cell: NotebookNode,
        cell_index: int,
        execution_count: int | None = None,
        store_history: bool = True,
    ) -> NotebookNode:
        """As nbclient, but the kernel counts, and an overrun interrupts instead of giving up."""
        # As JupyterLab does: which cell it is, and whether an agent wrote it. nbclient says neither.
        ours = {"codeact": cell.metadata["codeact"]} if "codeact" in cell.metadata else {}
        self.kc.session.metadata = {"cellId": cell.id, **ours}
        if self._cell_seconds is None:
            return await super().async_execute_cell(cell, cell_index, None, store_history)
        sentence = f"cell {cell_index + 1} took longer than {self._cell_seconds:g} s (--timeout)"
        loop = asyncio.get_running_loop()
        alarm = loop.call_later(self._cell_seconds, self.stop, sentence)
        try:
            return await super().async_execute_cell(cell, cell_index, None, store_history)
        finally:
            alarm.cancel()

    async def _run_cells(self) -> CellFailed | None:
        for index, cell in enumerate(self.nb.cells):  # grows while it is walked
            if self.stopped:
                break
            if cell.id in self._inserted:
                continue
            self._hooks.starts(index)
            try:
                await self.async_execute_cell(cell, index)
                self.completed += cell.cell_type == "code"
            except CellExecutionError as error:
                return CellFailed(
                    index=index,
                    name=error.ename,
                    value=error.evalue,
                    agent=insert.is_agent(cell),
                )
            finally:
                self._hooks.changed()
        await self._round_trip()
        return None

    async def _async_poll_output_msg(
        self, parent_msg_id: str, cell: NotebookNode, cell_index: int
    ) -> None:
        self._homes[parent_msg_id] = cell
        while True:
            message = await self.kc.iopub_channel.get_msg(timeout=None)
            if self._take(message, cell) and message["parent_header"]["msg_id"] == parent_msg_id:
                return

    def _take(self, message: dict[str, Any], running: NotebookNode | None) -> bool:
        """Put one iopub message where it belongs; True when it says that its request is done."""
        content = message["content"]
        if message["msg_type"] == "comm_msg" and content.get("comm_id") == self._comm:
            self._told(content["data"], running)
            return False
        parent = message["parent_header"].get("msg_id", "")
        home = self._homes.get(parent)
        if home is None:
            return False
        home.metadata.setdefault("execution", {})
        self.clear_before_next_output = parent in self._waiting_clear
        try:
            self.process_message(message, home, self._index(home))
        except CellExecutionComplete:
            return True
        except _UNREADABLE as error:
            self.log.warning("left out a %s: %r", message["msg_type"], error)
        finally:
            self._waiting_clear.discard(parent)
            if self.clear_before_next_output:
                self._waiting_clear.add(parent)
        insert.join_streams(home)
        return False

    def _told(self, data: Mapping[str, Any], running: NotebookNode | None) -> None:
        match data.get("kind"):
            case "hello":
                for sentence in data.get("notes", ()):
                    self._hooks.note(str(sentence))
            case "event":
                event = told.event(data["event"])
                self._hooks.event(event)
                if isinstance(event, events.StepFinished | events.RunFinished):
                    self._hooks.changed()
            case "edit":
                self._apply(edits.from_json(data["edit"]), running)
            case _:
                pass

    def _apply(self, edit: edits.Edit, running: NotebookNode | None) -> None:
        if isinstance(edit, edits.FollowOutputs):
            home = insert.find(self.nb, edit.cell)
            if home is not None:
                self._homes[edit.msg_id] = home
            return
        before = [cell.id for cell in self.nb.cells]
        insert.apply(self.nb, edit, running.id if running is not None else "")
        if len(before) != len(self.nb.cells):
            self._moved(before)
            self._inserted.update({cell.id for cell in self.nb.cells} - set(before))

    def _moved(self, before: list[str]) -> None:
        """Cells changed their places; nbclient remembers displays by place."""
        now = {cell.id: place for place, cell in enumerate(self.nb.cells)}
        for displays in self._display_id_map.values():
            kept = {now[i]: at for place, at in displays.items() if (i := before[place]) in now}
            displays.clear()
            displays.update(kept)

    def _index(self, cell: NotebookNode) -> int:
        return next(index for index, each in enumerate(self.nb.cells) if each is cell)

    def _open_comm(self) -> None:
        data = {"client": "headless", "cells": True, "overrides": self._overrides}
        content = {"comm_id": self._comm, "target_name": "codeact", "data": data}
        self.kc.shell_channel.send(self.kc.session.msg("comm_open", content))

    async def _round_trip(self) -> None:
        """Ask for kernel_info and take what comes until it is idle again: nothing is left unread."""
        request = self.kc.kernel_info()
        info = await self.async_wait_for_reply(request)
        if info is not None and "language_info" in info["content"]:
            self.nb.metadata["language_info"] = info["content"]["language_info"]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await self._until_idle(request)

    async def _until_idle(self, request: str) -> None:
        while True:
            message = await self.kc.iopub_channel.get_msg(timeout=None)
            self._take(message, None)
            if (
                message["msg_type"] == "status"
                and message["parent_header"].get("msg_id") == request
                and message["content"]["execution_state"] == "idle"
            ):
                return

    async def _stop(self, *, kill: bool) -> None:
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            if not kill:
                await self.km.interrupt_kernel()
                await asyncio.sleep(GRACE)
            await self.km.shutdown_kernel(now=True)


__all__ = ["CellFailed", "Client", "DeadKernelError", "Hooks"]
