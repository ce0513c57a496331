"""The visual debugger inside: pydevd at one end of a socket pair, its messages as `dap` frames.

Rules:
- Nothing here is imported or started before a debugger attaches, and detaching takes it all away:
  its threads are what stands between this kernel and a checkpoint.
- No socket is opened. pydevd is handed an end of a pair; who talks to it at the other end is
  `_Carrier`, a thread, because a cell that is stopped at a breakpoint holds up the event loop.
- A frame says who is asked: `pydevd`, or `kernel` for what pydevd does not know (inspector.py).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.inputtransformer2 import leading_empty_lines

from codeact_kernel.wire import Frame
from codeact_kernel.worker.inbound import LinkClosed
from codeact_kernel.worker.link import Link
from codeact_kernel.worker.standstill import Standstill

if TYPE_CHECKING:
    from codeact_kernel.worker.kernel import WireKernel

_READ = 256 * 1024
_OURS = str(Path(__file__).parents[1])
_END_OF_HEADER = b"\r\n\r\n"
Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Debugger:
    """The one owner of the session with pydevd. Called between cells, in the main thread."""

    def __init__(self, kernel: WireKernel) -> None:
        self._kernel = kernel
        self._carrier: _Carrier | None = None
        self._transforms: list[Any] | None = None
        self._watches_forks = False

    def attach(self) -> dict[str, Any]:
        """Start pydevd; the files of the kernel itself, which nobody steps into.

        Raises ImportError when it is not installed.
        """
        modules = {"modules": self._kernel._kernel_modules}
        if self._carrier is not None:
            return modules
        pydevd = import_pydevd()
        if not self._watches_forks:
            os.register_at_fork(after_in_child=self._leave_in_fork)
            self._watches_forks = True
        self._keep_empty_lines()
        ours, theirs = socket.socketpair()
        self._carrier = _Carrier(self._kernel.link, ours, self._kernel.inspector.answer)
        try:
            _connect(pydevd, theirs)
            sys.breakpointhook = importlib.import_module("debugpy").breakpoint
            Standstill(pydevd.get_global_debugger(), self._carrier.go_on)
            self._carrier.start()
        except BaseException:
            self.detach()
            raise
        return modules

    def detach(self) -> dict[str, Any]:
        """End the session; the threads are gone when this returns."""
        carrier, self._carrier = self._carrier, None
        if carrier is None:
            return {}
        pydevd = import_pydevd()
        sys.breakpointhook = sys.__breakpointhook__
        debugger = pydevd.get_global_debugger()
        threads = list(debugger.created_pydb_daemon_threads) if debugger is not None else []
        carrier.close()  # first, so that who reads the other end comes to its end
        pydevd.stoptrace()
        for thread in threads:
            thread.join(2.0)
        pydevd.SetupHolder.setup = None
        if self._transforms is not None:
            shell: Any = self._kernel.shell
            shell.input_transformer_manager.cleanup_transforms = self._transforms
            self._transforms = None
        return {}

    def before_cell(self) -> None:
        """Trace again after a KeyboardInterrupt at a breakpoint: Python then stops tracing."""
        if self._carrier is None or sys.gettrace() is not None:
            return
        pydevd = import_pydevd()
        if not pydevd.PYDEVD_USE_SYS_MONITORING:  # Python 3.12's, which goes on
            pydevd.settrace(suspend=False, trace_only_current_thread=True)

    @property
    def attached(self) -> bool:
        """Whether there is a session, and with it threads that no checkpoint can have."""
        return self._carrier is not None

    def _keep_empty_lines(self) -> None:
        """IPython drops them at a cell's start, and a breakpoint would be on another line."""
        shell: Any = self._kernel.shell
        manager = shell.input_transformer_manager
        self._transforms = manager.cleanup_transforms
        manager.cleanup_transforms = [
            each for each in manager.cleanup_transforms if each is not leading_empty_lines
        ]

    def _leave_in_fork(self) -> None:
        """A child has the tracing and none of the threads: at a breakpoint it would wait for ever."""
        if self._carrier is not None:
            self._carrier = None
            sys.settrace(None)
            threading.settrace(None)
            with contextlib.suppress(Exception):
                pydevd = import_pydevd()
                if pydevd.PYDEVD_USE_SYS_MONITORING:
                    pydevd.pydevd_sys_monitoring.stop_monitoring(all_threads=True)
                pydevd.settrace_forked(setup_tracing=False)


def import_pydevd() -> Any:
    """The module, wherever debugpy keeps it. Raises ImportError."""
    # It would warn that breakpoints in frozen modules of the library may be missed.
    name = "PYDEVD_DISABLE_FILE_VALIDATION"
    before, hook = os.environ.get(name), sys.breakpointhook
    os.environ[name] = "1"
    try:
        importlib.import_module("debugpy.server.api")  # puts its own pydevd on the path
        pydevd = importlib.import_module("pydevd")
    finally:
        sys.breakpointhook = hook  # it takes `breakpoint()` for itself, attached or not
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
    return pydevd


def _connect(pydevd: Any, sock: socket.socket) -> None:
    start_client = pydevd.start_client
    pydevd.start_client = lambda host, port: sock
    try:
        pydevd.settrace(
            host="nowhere",
            port=0,
            suspend=False,
            block_until_connected=True,
            wait_for_ready_to_run=False,
            notify_stdin=False,
            protocol="dap",
            # The threads of this room are never stopped: who stops a reader stops everything.
            dont_trace_start_patterns=(_OURS, str(Path(sys.modules["debugpy"].__path__[0]))),
        )
    finally:
        pydevd.start_client = start_client


class _Carrier(threading.Thread):
    """Carries messages between link and pydevd, and answers what the interpreter is asked."""

    def __init__(self, link: Link, sock: socket.socket, answer: Answer) -> None:
        super().__init__(name="debugger", daemon=True)
        self.pydev_do_not_trace = True
        self.is_pydev_daemon_thread = True
        self._link = link
        self._socket = sock
        self._answer = answer
        self._frames: deque[Frame] = deque()
        self._bell, self._button = socket.socketpair()
        self._bell.setblocking(False)
        self._button.setblocking(False)
        self._over = False
        self._buffer = bytearray()
        link.inbound.on_dap = self._arrived

    def _arrived(self, frame: Frame) -> None:
        """From whichever thread reads the link."""
        self._frames.append(frame)
        self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(OSError):
            self._button.send(b"1")

    def close(self) -> None:
        """End the thread; messages under way are lost."""
        self._link.inbound.on_dap = None
        self._over = True
        self._ring()
        if self.is_alive() and threading.current_thread() is not self:
            self.join(2.0)
        for each in (self._socket, self._bell, self._button):
            each.close()

    def go_on(self) -> None:
        """Let every thread run, as if a client had asked. From any thread or signal handler."""
        request = {"type": "request", "seq": 0, "command": "continue"}
        raw = json.dumps({**request, "arguments": {"threadId": "*"}}).encode()
        self._arrived(Frame({"t": "dap", "to": "pydevd"}, (raw,)))

    def run(self) -> None:
        """Until `close`, or until the supervisor is gone."""
        poll = select.poll()
        link = self._link.inbound.socket
        if link is None:
            return
        for each in (link, self._socket, self._bell):
            poll.register(each, select.POLLIN)
        while not self._over:
            ready = {fd for fd, _ in poll.poll()}
            if link.fileno() in ready and not self._read_link():
                return
            if self._bell.fileno() in ready:
                with contextlib.suppress(OSError):
                    self._bell.recv(4096)
            if self._socket.fileno() in ready and not self._read_pydevd():
                poll.unregister(self._socket)
            while self._frames and not self._over:
                self._take(self._frames.popleft())

    def _read_link(self) -> bool:
        inbound = self._link.inbound
        alive = inbound.pump()
        if inbound.inbox or not alive:
            inbound.wake()
        return alive

    def _take(self, frame: Frame) -> None:
        raw = frame.parts[0] if frame.parts else b""
        if frame.head.get("to") == "kernel":
            reply = self._answer(json.loads(raw))
            self._say(json.dumps(reply).encode())
        else:
            with contextlib.suppress(OSError):
                self._socket.sendall(b"Content-Length: %d%s%s" % (len(raw), _END_OF_HEADER, raw))

    def _read_pydevd(self) -> bool:
        try:
            data = self._socket.recv(_READ)
        except OSError:
            return False
        self._buffer += data
        while True:
            header, found, rest = self._buffer.partition(_END_OF_HEADER)
            size = int(header.rpartition(b":")[2]) if found else 0
            if not found or len(rest) < size:
                return bool(data)
            self._say(bytes(rest[:size]))
            self._buffer = rest[size:]

    def _say(self, raw: bytes) -> None:
        try:
            self._link.send({"t": "dap"}, [raw])
        except LinkClosed:
            self._over = True
