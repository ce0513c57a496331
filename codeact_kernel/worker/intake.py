"""Frames from the supervisor: each becomes a task of the kernel's loop.

Rule: nothing here runs code of a cell or waits; a frame that makes no sense is dropped and logged.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any

from ipykernel.subshell_manager import UnknownSubshellError

from codeact_kernel.wire import Frame
from codeact_kernel.worker import queries
from codeact_kernel.worker.beside import is_aside, spare_jedi
from codeact_kernel.worker.messages import message
from codeact_kernel.worker.session import dump

if TYPE_CHECKING:
    from codeact_kernel.worker.kernel import WireKernel


class _StopAborting:
    buffer = b"stop aborting"


class Intake:
    """Reads the link and hands on what comes. `open` after the fork."""

    def __init__(self, kernel: WireKernel) -> None:
        self._kernel = kernel
        self._link = kernel.link
        self._loop: asyncio.AbstractEventLoop
        self._context: Context
        self._tasks: set[asyncio.Task[None]] = set()
        self._holding = False

    def open(self, loop: asyncio.AbstractEventLoop, context: Context, sock: socket.socket) -> None:
        """Read the link's socket on this loop; requests share one context, as cells expect."""
        self._loop, self._context = loop, context
        self._link.inbound.wake = lambda: loop.call_soon_threadsafe(self._take_inbox)
        loop.add_reader(sock, self.read)

    def read(self) -> None:
        """Take what has arrived."""
        if not self._link.mine:
            os._exit(0)  # a fork made by a cell came back to the loop
        if not self._link.inbound.pump():
            self._kernel.stop()
        self._take_inbox()

    def read_more(self) -> None:
        """Take what has arrived since the loop looked."""
        if self._link.inbound.has_more:
            self.read()

    @property
    def under_way(self) -> set[asyncio.Task[None]]:
        """What has been taken and is not done, but for the one that asks."""
        return {task for task in self._tasks if task is not asyncio.current_task(self._loop)}

    def go_on(self) -> None:
        """Take the frames that came behind a `fork`."""
        self._holding = False
        self._loop.call_soon(self._take_inbox)

    def _take_inbox(self) -> None:
        while self._link.inbound.inbox and not self._holding:
            frame = self._link.inbound.inbox.popleft()
            try:
                self._take(frame)
            except (ValueError, KeyError, IndexError, TypeError) as error:
                self._kernel.log.error("a frame that makes no sense was dropped: %r", error)

    def _take(self, frame: Frame) -> None:
        match frame.type:
            case "request":
                self._take_request(frame)
            case "query":
                self._spawn(self._answer(frame))
            case "mark":
                self._spawn(self._kernel.shell_main(None, [_StopAborting()]))
            case "interrupt":
                self._kernel.interrupts.hit_waiting()
            case "fork":
                self._holding = True
                self._spawn(self._kernel.parking.fork(int(frame.head["number"])))
            case "leave":
                self._holding = True
                self._spawn(self._kernel.parking.leave(int(frame.head["number"])))
            case "shutdown":
                self._kernel.stop()
            case kind:
                self._kernel.log.error("a frame of unknown type was dropped: %s", kind)

    def _take_request(self, frame: Frame) -> None:
        kernel = self._kernel
        kernel.interrupts.forget()
        msg = message(frame)
        envelope = [msg["header"].get("session"), msg]
        if frame.head.get("channel") == "control":
            self._spawn(kernel.dispatch_control(envelope))
        elif msg["header"].get("subshell_id"):
            error = UnknownSubshellError("This kernel has no subshells.")
            kernel._send_unknown_subshell_reply([], msg, error)
        elif is_aside(frame):
            self._spawn(self._handle_aside(msg))
        else:
            if msg["msg_type"] == "execute_request":
                kernel.interrupts.wait(msg["msg_id"])
            self._spawn(kernel.shell_main(None, envelope))

    async def _handle_aside(self, msg: dict[str, Any]) -> None:
        """Answer while a cell waits in an `await`: nothing of the cell's may be touched."""
        kernel = self._kernel
        shell: Any = kernel.shell
        kernel._publish_status("busy", "shell", parent=msg)
        jedi = shell.Completer.use_jedi
        spare_jedi(shell)
        try:
            await kernel.shell_handlers[msg["msg_type"]](kernel.shell_stream, [], msg)
        finally:
            shell.Completer.use_jedi = jedi
        kernel._publish_status("idle", "shell", parent=msg)

    async def _answer(self, frame: Frame) -> None:
        kernel = self._kernel
        head: dict[str, Any] = {"t": "answer", "id": str(frame.head.get("id", ""))}
        async with kernel._main_asyncio_lock:
            try:
                arguments = json.loads(frame.parts[0]) if frame.parts else {}
                value = queries.answer(kernel.shell, str(frame.head.get("name")), arguments)
                ok = True
            except Exception as error:  # noqa: BLE001  whatever it is, the question gets an answer
                value, ok = f"{type(error).__name__}: {error}", False
            self._link.send({**head, "ok": ok}, [dump(value)])

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work, context=self._context)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._kernel.log.error("a request failed", exc_info=task.exception())
