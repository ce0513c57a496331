"""A sandbox in use: launched, checked, then a stream of frames both ways on the event loop.

Rule: nothing is sent to a sandbox that has not passed its self-test, and nothing is taken from one
that has sent what is not a frame. Reading and writing never block the loop.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codeact_kernel.errors import SandboxDied, SandboxRefused
from codeact_kernel.sandbox import admission, cgroups
from codeact_kernel.sandbox import ended as ends
from codeact_kernel.sandbox import folder as folders
from codeact_kernel.sandbox import report as reports
from codeact_kernel.sandbox.ended import Cause, Ended
from codeact_kernel.sandbox.gauges import Reading
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.report import Report
from codeact_kernel.sandbox.spawn import WORKER, Kind, Spawned, spawn
from codeact_kernel.sandbox.watched import watch
from codeact_kernel.wire import BadFrame, Bytes, Decoder, Frame, encode

if TYPE_CHECKING:
    from codeact_kernel.sandbox.egress.proxy import Proxy
    from codeact_kernel.trace.values import NetworkRequest

_CHUNK = 1 << 20
_MAX_PIECES = 64
_REST = 8 << 20
"""Far more bytes than a socket holds."""
_GRACE = 0.5

OnFrame = Callable[[Frame], None]
OnEnd = Callable[[Ended], None]


async def launch(
    policy: Policy,
    config: Mapping[str, Any],
    early: Spawned | None = None,
    *,
    module: str | None = WORKER,
    told: Callable[[NetworkRequest], None] = lambda request: None,
    spent: int = 0,
) -> Sandbox:
    """A sandbox whose self-test met every demand of `policy`.

    `early` is one that was spawned before with the same config and module; one of another policy is
    thrown away here, so nothing made under an older allowlist or limit is ever used. When a backend
    does not hold, the next weaker one that the policy allows is tried; one that stood by is no reason
    to try a weaker one. `told` gets each
    request to the network; `spent` bytes of what it may exchange are gone already. Raises SandboxRefused.
    """
    if early is not None and early.policy != policy:
        early.kill()
        early = None
    tried: dict[str, str] = {}
    while True:
        spawned = early or spawn(policy, config, module=module, failed=tried)
        early = None
        try:
            sandbox = await _admit(spawned, told, spent)
            if spawned.bell is None:  # where one stood by, somebody waits
                folders.sweep(policy.runtime)
                cgroups.sweep()
            return sandbox
        except SandboxRefused as error:
            if spawned.bell is None:
                tried[spawned.backend] = str(error)
            spawned.kill()
        except BaseException:
            spawned.kill()
            raise


async def _admit(spawned: Spawned, told: Callable[[NetworkRequest], None], spent: int) -> Sandbox:
    """Wait for the self-test and judge it. Raises SandboxRefused with the reason as a clause."""
    decoder = Decoder()
    spawned.ring()
    frames = await admission.first_frames(spawned, decoder)
    report = admission.read_selftest(frames[0], spawned)
    listener = admission.listener(spawned)
    sandbox = Sandbox(spawned, report, decoder, frames[1:])
    if listener is not None:
        sandbox.serve_network(listener, told, spent)
    return sandbox


class Sandbox:
    """A running sandbox. Owns the wire and the process; ends once, and says why."""

    def __init__(
        self, spawned: Spawned, report: Report, decoder: Decoder, frames: Sequence[Frame]
    ) -> None:
        self.report = report
        self.grade = reports.grade(report)
        self._spawned = spawned
        self._socket: socket.socket = spawned.socket
        self._decoder = decoder
        self._early = list(frames)
        self._unsent: deque[memoryview] = deque()
        self._on_frame: OnFrame | None = None
        self._on_end: OnEnd | None = None
        self._ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._pidfd = os.pidfd_open(spawned.process.pid)
        self._loop.add_reader(self._pidfd, self._exited)
        self._watch = watch(spawned, report, self._end)
        self._proxy: Proxy | None = None

    @property
    def pid(self) -> int:
        """The process we started; ending it ends the sandbox."""
        return self._spawned.process.pid

    @property
    def kind(self) -> Kind:
        """What another one like it needs."""
        return self._spawned.kind

    def serve_network(
        self, listener: socket.socket, told: Callable[[NetworkRequest], None], spent: int
    ) -> None:
        """Pass on what the policy's allowlist allows, until the sandbox ends."""
        from codeact_kernel.sandbox.egress.proxy import Proxy

        allowlist = self._spawned.policy.egress
        if allowlist is not None:
            self._proxy = Proxy(allowlist, told, spent=spent)
            self._proxy.start(listener)

    def flush_network(self) -> None:
        """Tell of requests that still go on, as far as they have gone."""
        if self._proxy is not None:
            self._proxy.log.flush()

    def listen(self, on_frame: OnFrame, on_end: OnEnd) -> None:
        """Deliver frames from now on, those that came before first; `on_end` once, with why.

        Both are called on the event loop, `on_frame` never after `on_end`.
        """
        self._on_frame = on_frame
        over = self._ended.done()
        early, self._early = self._early, []
        for frame in early:
            if over or not self._ended.done():
                on_frame(frame)
        if over:
            self._loop.call_soon(on_end, self._ended.result())
            return
        self._on_end = on_end
        if self._ended.done():
            on_end(self._ended.result())
        else:
            self._loop.add_reader(self._socket, self._readable)

    def hold(self, on: bool) -> None:
        """Read nothing more until told to go on; what it wants to say then waits inside."""
        if self._on_end is None or self._ended.done():
            return
        if on:
            self._loop.remove_reader(self._socket)
        else:
            self._loop.add_reader(self._socket, self._readable)

    def send(self, head: dict[str, Any], parts: Sequence[Bytes] = ()) -> None:
        """Send a frame, in order, without waiting. Raises SandboxDied, BadFrame."""
        if self._ended.done():
            raise SandboxDied(str(self._ended.result()))
        self._watch.stir()
        idle = not self._unsent
        for piece in encode(head, parts):
            view = memoryview(piece).cast("B")
            if view.nbytes:
                self._unsent.append(view)
        if idle:
            self._write()

    def kill(self) -> None:
        """End it at once, with everything in it. Idempotent."""
        self._end(Ended(cause=Cause.STOPPED, what="The sandbox was stopped."))

    def fate(self, status: int | None) -> Ended:
        """Why the program inside ended, with this exit code as the sandbox itself reports it.

        A limit that was reached is seen from outside and goes before what is reported.
        """
        return self._watch.verdict() or ends.exited(status, "The Python process of this notebook")

    def readings(self) -> tuple[Reading, ...]:
        """What it uses of each limit; empty where nothing is limited."""
        return self._watch.readings()

    async def closed(self) -> Ended:
        """Wait until it has ended and nothing is left of it; why."""
        return await asyncio.shield(self._ended)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._decode(data)
        else:
            # Nearly always the process is about to end too, and its exit code says more.
            self._loop.remove_reader(self._socket)
            closed = Ended(cause=Cause.CLOSED, what="The sandbox closed the wire.")
            self._loop.call_later(_GRACE, self._end, closed)

    def _decode(self, data: bytes) -> None:
        try:
            frames = list(self._decoder.feed(data))
        except BadFrame as error:
            what = f"The sandbox was stopped: it sent what is not a frame ({error})."
            self._end(Ended(cause=Cause.WIRE, what=what))
            return
        self._deliver(frames)

    def _deliver(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            if self._ended.done():
                return
            if self._on_frame is None:
                self._early.append(frame)
            else:
                self._on_frame(frame)

    def _writable(self) -> None:
        self._write()
        if not self._unsent:
            self._loop.remove_writer(self._socket)

    def _write(self) -> None:
        unsent = self._unsent
        try:
            while unsent:
                pieces = [unsent[index] for index in range(min(len(unsent), _MAX_PIECES))]
                self._drop_sent(self._socket.sendmsg(pieces))
        except BlockingIOError:
            self._loop.add_writer(self._socket, self._writable)
            return
        except OSError:
            # The reading side will tell; what was said last may still be on its way to us.
            unsent.clear()

    def _drop_sent(self, count: int) -> None:
        unsent = self._unsent
        while count:
            first = unsent[0]
            if count < first.nbytes:
                unsent[0] = first[count:]
                return
            count -= first.nbytes
            unsent.popleft()

    def _exited(self) -> None:
        """The process is gone: read what it still said, then end, though others may hold the wire."""
        self._loop.remove_reader(self._pidfd)
        self._read_rest()
        self._end(self._obituary())

    def _read_rest(self) -> None:
        """What lies in the socket; who holds the other end and goes on writing is not waited for."""
        left = _REST
        while left > 0 and not self._ended.done():
            try:
                data = self._socket.recv(_CHUNK)
            except OSError:
                return
            if not data:
                return
            left -= len(data)
            self._decode(data)

    def _obituary(self) -> Ended:
        return self._watch.verdict() or ends.exited(self._spawned.process.wait())

    def _end(self, reason: Ended) -> None:
        if self._ended.done():
            return
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._watch.stop()
        self._unsent.clear()
        if self._proxy is not None:
            self._proxy.close()
        self._spawned.kill()
        self._ended.set_result(reason)
        if self._on_end is not None:
            self._on_end(reason)
