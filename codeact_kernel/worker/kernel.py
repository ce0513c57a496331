"""The live kernel: ipykernel's IPythonKernel, single-threaded, over the link.

Rules:
- ipykernel's own methods dispatch, queue, abort and reply; this file gives them frames instead of
  sockets and mends what a notebook user would trip over. What comes in: intake.py; what must go
  out: replies.py.
- SIGINT raises while a request is handled and is ignored between requests.
"""

from __future__ import annotations

import asyncio
import gc
import io
import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, NoReturn

from ipykernel.ipkernel import IPythonKernel
from traitlets import Any as AnyTrait
from traitlets import Instance, Type

from codeact_kernel.worker import cell_files, programs
from codeact_kernel.worker import loop as loops
from codeact_kernel.worker.answer import make as make_final_answer
from codeact_kernel.worker.beside import Beside
from codeact_kernel.worker.calls import Calls
from codeact_kernel.worker.debugger import Debugger
from codeact_kernel.worker.inspector import Inspector
from codeact_kernel.worker.intake import Intake
from codeact_kernel.worker.link import Link
from codeact_kernel.worker.parking import Parking
from codeact_kernel.worker.place import Place
from codeact_kernel.worker.replies import answered
from codeact_kernel.worker.session import Channel, dump, parent_id
from codeact_kernel.worker.shell import WireShell
from codeact_kernel.worker.signals import Interrupts, undisturbed
from codeact_kernel.worker.stdin import Stdin
from codeact_kernel.worker.streams import Stream


class _Main:
    """Stands for ipykernel's shell channel thread, which a single-threaded kernel has not."""

    parent_thread = threading.main_thread()

    def __bool__(self) -> bool:
        return False


class WireKernel(IPythonKernel):
    """An IPython kernel whose one connection is a Link."""

    shell_class = Type(WireShell)
    compiler_class = Type(cell_files.CellCompiler)
    shell_stream = AnyTrait()
    control_stream = AnyTrait()
    shell_channel_thread = AnyTrait()
    debugger_class = AnyTrait()
    link = Instance(Link)

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("shell_stream", Channel("shell"))
        kwargs.setdefault("control_stream", Channel("control"))
        kwargs.setdefault("shell_channel_thread", _Main())
        super().__init__(**kwargs)
        self._execute_sleep = 0.0  # frames keep their order: nothing to wait for
        self._stdin = Stdin(self.link)
        self._loop: asyncio.AbstractEventLoop
        self.intake = Intake(self)
        self.parking = Parking(self)
        self.beside = Beside(self)
        self.interrupts = Interrupts()
        self._offer_answer()
        self.inspector = Inspector(self.shell)
        self.debugger = Debugger(self)
        for handlers in (self.shell_handlers, self.control_handlers):
            for kind, handler in handlers.items():
                handlers[kind] = answered(self, handler)

    def _offer_answer(self) -> None:
        def parent() -> str:
            return parent_id(self.get_parent("shell"))

        self.calls = Calls(self.link, parent)
        shell: Any = self.shell
        shell.extra_names = {"final_answer": make_final_answer(shell, self.calls, parent)}
        shell.bind_extra_names()

    # -- the life of the process ------------------------------------------------------------

    def live(self, place: Place, first: Callable[[], None]) -> NoReturn:
        """Become the kernel at this place, in a fresh fork; ends with the process.

        `first` is called when it only has to be connected.
        """
        self._settle(place.stdout, place.stderr)
        self._loop = loops.new_loop()
        context = copy_context()
        self.parking.open(self._loop, place)
        self.beside.open(self._loop, place)
        self.start()
        first()
        sock = socket.socket(fileno=place.link)
        self.link.open(sock, (place.stdout, place.stderr))
        self.intake.open(self._loop, context, sock)
        version = ".".join(str(part) for part in sys.version_info[:3])
        info = {"status": "ok", **self.kernel_info}
        head = {"t": "ready", "pid": os.getpid(), "python": version, "cells": cell_files.FOLDER}
        self.link.send(head, [dump(info)])
        while True:
            try:
                self._loop.run_forever()
            except KeyboardInterrupt:  # a second one, into a task that would not stop
                continue
            if not self.parking.carry_out():
                break
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        loops.leave(0)

    def _settle(self, stdout: int, stderr: int) -> None:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.interrupts.settle()
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        for stream in (sys.__stdout__, sys.__stderr__):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True, write_through=True)
        sys.stdout = Stream(self.link, "stdout", 1, stdout)
        sys.stderr = Stream(self.link, "stderr", 2, stderr)
        programs.come_after_text(self.link)
        random.seed()
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            numpy.random.seed()
        gc.enable()

    def stop(self) -> None:
        """Leave the loop; `live` then ends the process in order."""
        self._loop.stop()

    # -- what ipykernel calls ---------------------------------------------------------------

    def set_parent(self, ident: Any, parent: Any, channel: str = "shell") -> None:
        super().set_parent(ident, parent, channel)
        if channel == "shell":
            name = parent_id(parent)
            self.link.send({"t": "parent", "id": name})

    def pre_handler_hook(self) -> None:
        loops.wake_on_signals(self._loop)  # a cell may have taken it away

    async def dispatch_shell(self, msg: Any, /, *args: Any, **how: Any) -> None:
        """As ipykernel's, which does not say that a comm message beside a cell is done.

        What is said before code of a cell can run, and after it has run, is sent in one piece.
        """
        self.link.cork()
        try:
            await super().dispatch_shell(msg, *args, **how)
            if how.get("concurrent"):
                self._publish_status("idle", "shell", parent=msg[1])
        finally:
            self.link.uncork()

    def post_handler_hook(self) -> None:
        """ipykernel's would touch SIGINT; see `replies.answered`."""

    async def do_execute(self, code: str, silent: bool, *args: Any, **kwargs: Any) -> Any:
        self.link.uncork()
        self.debugger.before_cell()
        shell: Any = self.shell
        with shell.transforming_once():
            content = await super().do_execute(code, silent, *args, **kwargs)
        if not self.link.mine:  # a fork made by the cell fell through to its end
            os._exit(0 if content.get("status") == "ok" else 1)
        self.link.cork()
        return content

    @contextmanager
    def _cancel_on_sigint(self, future: Any) -> Iterator[None]:
        """First SIGINT: raise in the cell when it runs, cancel it when it waits. Second: raise."""
        seen = False

        def on_sigint(number: int, frame: Any) -> None:
            nonlocal seen
            if seen or asyncio.current_task(self._loop) is future:
                signal.default_int_handler(number, frame)
            seen = True
            self._loop.call_soon_threadsafe(future.cancel)

        before = signal.signal(signal.SIGINT, on_sigint)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _input_request(self, prompt: str, ident: Any, parent: Any, password: bool = False) -> str:
        return self._stdin.ask(prompt, parent_id(parent), password=password)

    def _send_abort_reply(self, stream: Any, msg: dict[str, Any], idents: Any) -> None:
        self.interrupts.give_up(msg["msg_id"])
        super()._send_abort_reply(stream, msg, idents)

    def _abort_queues(self, subshell_id: str | None = None) -> None:
        self.abort_queued()

    def abort_queued(self) -> None:
        """Abort what has arrived; the supervisor sends the mark back behind it.

        Undisturbed: without the mark everything would be aborted from here on.
        """
        undisturbed(self._abort_until_mark)

    def _abort_until_mark(self) -> None:
        self._aborting = True
        self.link.send({"t": "mark"})

    @property
    def _supports_kernel_subshells(self) -> bool:
        return False

    @property
    def kernel_info(self) -> dict[str, Any]:
        return {
            "protocol_version": "5.5",
            "implementation": self.implementation,
            "implementation_version": self.implementation_version,
            "language_info": self.language_info,
            "banner": self.banner,
            "help_links": self.help_links,
            "supported_features": ["debugger"],
        }

    async def do_debug_request(self, msg: Any) -> dict[str, Any]:
        return self.inspector.answer(msg)
