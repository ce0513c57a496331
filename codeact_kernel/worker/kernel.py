"""The live kernel: ipykernel's IPythonKernel, single-threaded, over the link.

Rules:
- ipykernel's own methods dispatch, queue, abort and reply; this file gives them frames instead of
  sockets and mends what a notebook user would trip over.
- Every request is answered, whatever happened to it.
- SIGINT raises while a request is handled and is ignored between requests.
"""

from __future__ import annotations

import asyncio
import gc
import io
import json
import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any, NoReturn

from ipykernel.ipkernel import IPythonKernel
from ipykernel.subshell_manager import UnknownSubshellError
from traitlets import Any as AnyTrait
from traitlets import Instance, Type

from codeact_kernel.wire import Frame
from codeact_kernel.worker import loop as loops
from codeact_kernel.worker import queries
from codeact_kernel.worker.answer import make as make_final_answer
from codeact_kernel.worker.calls import Calls
from codeact_kernel.worker.link import Link
from codeact_kernel.worker.messages import error as error_content
from codeact_kernel.worker.messages import message
from codeact_kernel.worker.session import Channel, dump, parent_id
from codeact_kernel.worker.shell import WireShell
from codeact_kernel.worker.signals import Interrupts
from codeact_kernel.worker.stdin import Stdin
from codeact_kernel.worker.streams import Stream


class _Main:
    """Stands for ipykernel's shell channel thread, which a single-threaded kernel has not."""

    parent_thread = threading.main_thread()

    def __bool__(self) -> bool:
        return False


class _StopAborting:
    buffer = b"stop aborting"


_ASIDE = frozenset(
    f"{name}_request"
    for name in ("complete", "inspect", "is_complete", "history", "comm_info", "kernel_info")
)
"""Requests that do not run cells, so that they need not wait for one."""

Handler = Callable[[Any, Any, dict[str, Any]], Any]


class WireKernel(IPythonKernel):
    """An IPython kernel whose one connection is a Link."""

    shell_class = Type(WireShell)
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
        self._context: Context
        self._tasks: set[asyncio.Task[None]] = set()
        self._interrupts = Interrupts()
        self._unstarted: set[str] = set()
        self._interrupted: set[str] = set()
        self._offer_answer()
        for handlers in (self.shell_handlers, self.control_handlers):
            for kind, handler in handlers.items():
                handlers[kind] = self._answered(handler)

    def _offer_answer(self) -> None:
        def parent() -> str:
            return parent_id(self.get_parent("shell"))

        self.calls = Calls(self.link, parent)
        shell: Any = self.shell
        shell.extra_names = {"final_answer": make_final_answer(shell, self.calls, parent)}
        shell.bind_extra_names()

    # -- the life of the process ------------------------------------------------------------

    def live(self, sock: socket.socket, stdout: int, stderr: int) -> NoReturn:
        """Become the kernel on this link, in a fresh fork; ends with the process."""
        self._settle(stdout, stderr)
        self._loop = loops.new_loop()
        self._context = copy_context()
        self.start()
        self.link.open(sock, (stdout, stderr))
        self.link.inbound.wake = lambda: self._loop.call_soon_threadsafe(self._take_inbox)
        self._loop.add_reader(sock, self._on_readable)
        version = ".".join(str(part) for part in sys.version_info[:3])
        info = {"status": "ok", **self.kernel_info}
        self.link.send({"t": "ready", "pid": os.getpid(), "python": version}, [dump(info)])
        while True:
            try:
                self._loop.run_forever()
                break
            except KeyboardInterrupt:  # a second one, into a task that would not stop
                continue
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        loops.leave(0)

    def _settle(self, stdout: int, stderr: int) -> None:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._interrupts.settle()
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        for stream in (sys.__stdout__, sys.__stderr__):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True, write_through=True)
        sys.stdout = Stream(self.link, "stdout", 1, stdout)
        sys.stderr = Stream(self.link, "stderr", 2, stderr)
        random.seed()
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            numpy.random.seed()
        gc.enable()

    def stop(self) -> None:
        """Leave the loop; `live` then ends the process in order."""
        self._loop.stop()

    # -- frames in --------------------------------------------------------------------------

    def _on_readable(self) -> None:
        if not self.link.mine:
            os._exit(0)  # a fork made by a cell came back to the loop
        if not self.link.inbound.pump():
            self.stop()
        self._take_inbox()

    def _take_inbox(self) -> None:
        while self.link.inbound.inbox:
            frame = self.link.inbound.inbox.popleft()
            try:
                self._take(frame)
            except (ValueError, KeyError, IndexError, TypeError) as error:
                self.log.error("a frame that makes no sense was dropped: %r", error)

    def _take(self, frame: Frame) -> None:
        match frame.type:
            case "request":
                self._take_request(frame)
            case "query":
                self._spawn(self._answer_query(frame))
            case "mark":
                self._spawn(self.shell_main(None, [_StopAborting()]))
            case "interrupt":
                self._interrupted = set(self._unstarted)
            case "shutdown":
                self.stop()
            case kind:
                self.log.error("a frame of unknown type was dropped: %s", kind)

    def _take_request(self, frame: Frame) -> None:
        self._interrupts.forget()
        msg = message(frame)
        envelope = [None, msg]
        if frame.head.get("channel") == "control":
            self._spawn(self.dispatch_control(envelope))
        elif msg["header"].get("subshell_id"):
            error = UnknownSubshellError("This kernel has no subshells.")
            self._send_unknown_subshell_reply([], msg, error)
        elif frame.head.get("queued", True) or msg["msg_type"] not in _ASIDE:
            if msg["msg_type"] == "execute_request":
                self._unstarted.add(msg["msg_id"])
            self._spawn(self.shell_main(None, envelope))
        else:
            self._spawn(self._handle_aside(msg))

    async def _handle_aside(self, msg: dict[str, Any]) -> None:
        """Answer while a cell waits in an `await`: nothing of the cell's may be touched."""
        self._publish_status("busy", "shell", parent=msg)
        await self.shell_handlers[msg["msg_type"]](self.shell_stream, [], msg)
        self._publish_status("idle", "shell", parent=msg)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work, context=self._context)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.log.error("a request failed", exc_info=task.exception())

    async def _answer_query(self, frame: Frame) -> None:
        head: dict[str, Any] = {"t": "answer", "id": str(frame.head.get("id", ""))}
        async with self._main_asyncio_lock:
            try:
                arguments = json.loads(frame.parts[0]) if frame.parts else {}
                value = queries.answer(self.shell, str(frame.head.get("name")), arguments)
                ok = True
            except Exception as error:  # noqa: BLE001  whatever it is, the question gets an answer
                value, ok = f"{type(error).__name__}: {error}", False
            self.link.send({**head, "ok": ok}, [dump(value)])

    # -- what ipykernel calls ---------------------------------------------------------------

    def set_parent(self, ident: Any, parent: Any, channel: str = "shell") -> None:
        super().set_parent(ident, parent, channel)
        if channel == "shell":
            name = parent_id(parent)
            self.link.send({"t": "parent", "id": name})

    def pre_handler_hook(self) -> None:
        loops.wake_on_signals(self._loop)  # a cell may have taken it away

    def post_handler_hook(self) -> None:
        """ipykernel's would touch SIGINT; see `_answered`."""

    async def do_execute(self, code: str, silent: bool, *args: Any, **kwargs: Any) -> Any:
        content = await super().do_execute(code, silent, *args, **kwargs)
        if not self.link.mine:  # a fork made by the cell fell through to its end
            os._exit(0 if content.get("status") == "ok" else 1)
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
        self._unstarted.discard(msg["msg_id"])
        super()._send_abort_reply(stream, msg, idents)

    def _abort_queues(self, subshell_id: str | None = None) -> None:
        """Abort what has arrived; the supervisor sends the mark back behind it."""
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
            "supported_features": [],
        }

    async def do_debug_request(self, msg: Any) -> dict[str, Any]:
        return {
            "type": "response",
            "request_seq": msg.get("seq", 0),
            "success": False,
            "command": msg.get("command", ""),
            "message": "This kernel has no debugger.",
        }

    # -- every request is answered ----------------------------------------------------------

    def _answered(self, handler: Handler) -> Handler:
        """A handler around which SIGINT may raise, and behind which there is a reply."""

        async def handle(stream: Any, ident: Any, parent: dict[str, Any]) -> None:
            name = parent["msg_id"]
            reason = ("NotSupported", "This kernel does not support the request.")
            self._on_readable()
            try:
                try:
                    self._begin(name)
                    result = handler(stream, ident, parent)
                    if asyncio.iscoroutine(result):
                        await result
                finally:
                    self._interrupts.off(name)
            except (Exception, KeyboardInterrupt) as error:
                self._interrupts.off(name)
                self.log.debug("a %s failed", parent["msg_type"], exc_info=True)
                reason = (type(error).__name__, str(error))
            if parent["msg_type"].endswith("_request"):
                self._reply_at_least(parent, *reason)

        return handle

    def _begin(self, name: str) -> None:
        """Let SIGINT raise; raise at once when an interrupt was sent right behind the request."""
        self._unstarted.discard(name)
        self._interrupts.on(name)
        if name in self._interrupted:
            self._interrupted.clear()
            raise KeyboardInterrupt

    def _reply_at_least(self, parent: dict[str, Any], name: str, text: str) -> None:
        session: Any = self.session
        if session.was_answered(parent["msg_id"]):
            return
        kind = parent["msg_type"].removesuffix("_request")
        content = error_content(name, text)
        if kind == "execute":
            error = {"ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}
            session.send(self.iopub_socket, "error", error, parent)
            content = {**content, **error, "execution_count": self.execution_count}
            content |= {"user_expressions": {}, "payload": []}
            if parent["content"].get("stop_on_error", True):
                self._abort_queues()
        session.send(self.shell_stream, f"{kind}_reply", content, parent)
