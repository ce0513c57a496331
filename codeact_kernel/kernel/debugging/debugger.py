"""The visual debugger outside: one client request after the other, each answered, whatever happens inside.

Rules:
- pydevd runs inside and is hostile data (questions.py says what counts). No path or text that
  comes from there is opened or evaluated here.
- Breakpoints hold for agents' steps as for cells. While code stands at one its clock stands still,
  as for `input()`; running.py bounds that.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from codeact_kernel.errors import SandboxError
from codeact_kernel.kernel.channels.messages import EMPTY, BadMessage, Incoming, as_object
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.debugging import dap
from codeact_kernel.kernel.debugging.questions import DapQuestions, Failed
from codeact_kernel.kernel.display import terminal
from codeact_kernel.kernel.display.firewall import Firewall
from codeact_kernel.kernel.relay.link import Link
from codeact_kernel.kernel.relay.running import Running
from codeact_kernel.wire import BadFrame, Frame

log = logging.getLogger(__name__)
_QUIET = 0.3
"""Seconds after a burst of requests until the front end is told again that a cell runs."""
_HASH_SEED = 0xC70F6907  # of the names of cells' files; ipykernel's, front ends compute them too
_LASTING = (
    "initialize",
    "attach",
    "setBreakpoints",
    "setFunctionBreakpoints",
    "setExceptionBreakpoints",
)
"""What makes a session, in this order."""
_SHOWN = "__import__('codeact_kernel.worker.inspector', fromlist=['Shown']).Shown({})"
Body = dict[str, Any]


class Debugger:
    """The one owner of the debugging session: whether there is one, its breakpoints, what stands still.

    `still_busy()` says again that a cell runs, if one does.
    """

    def __init__(
        self,
        link: Link,
        publisher: Publisher,
        running: Running,
        firewall: Firewall,
        still_busy: Callable[[], None],
    ) -> None:
        self._link = link
        self._publisher = publisher
        self._running = running
        self._firewall = firewall
        self._still_busy = still_busy
        self.questions = DapQuestions(link)
        self._attached = False
        self._rules: list[Body] = []
        self._session: dict[tuple[str, str], dap.Request] = {}
        self._breakpoints: dict[str, Any] = {}
        self._stopped: dict[int, None] = {}
        self._numbers = itertools.count(1)
        self._parent: bytes = EMPTY
        self._waiting: deque[Callable[[], Awaitable[None]]] = deque()
        self._work: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._here: dict[str, Callable[[dap.Request], Awaitable[Body]]] = {
            "debugInfo": self._debug_info,
            "initialize": self._initialize,
            "attach": self._attach,
            "configurationDone": self._configuration_done,
            "disconnect": self._disconnect,
            "terminate": self._disconnect,
            "setBreakpoints": self._set_breakpoints,
            "continue": self._all_threads,
            "pause": self._all_threads,
            "dumpCell": self._ask_kernel,
            "source": self._ask_kernel,
            "modules": self._ask_kernel,
            "inspectVariables": self._variables,
            "variables": self._variables,
            "richInspectVariables": self._rich_inspect,
            "copyToGlobals": self._copy_to_globals,
        }

    # -- the client's side -------------------------------------------------------------------

    def on_message(self, message: Incoming) -> None:
        """A debug_request. Raises BadMessage."""
        request = dap.read_request(message.read_content())
        self._do(partial(self._answer, message, request))

    def _do(self, work: Callable[[], Awaitable[None]]) -> None:
        self._waiting.append(work)
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        try:
            while self._waiting:
                await self._waiting.popleft()()
        finally:
            self._work = None
        if self._later is not None:
            self._later.cancel()
        self._later = asyncio.get_running_loop().call_later(_QUIET, self._still_busy)

    async def _answer(self, message: Incoming, request: dap.Request) -> None:
        self._parent = message.header
        self._publisher.status("busy", message.header)
        self._publisher.reply(message, await self._response(request))
        self._publisher.status("idle", message.header)

    async def _response(self, request: dap.Request) -> Body:
        response = {
            "type": "response",
            "request_seq": request.seq,
            "command": request.command,
            "success": False,
            "body": {},
        }
        self._hold_clock()
        try:
            body = await self._here.get(request.command, self._ask_pydevd)(request)
            response = self._firewall.debug({**response, "success": True, "body": body})
            if request.command in _LASTING and self._attached:
                self._session[request.command, _path(request)] = request
        except (Failed, SandboxError, BadFrame) as error:
            response["message"] = terminal.clean(str(error))
        except Exception as error:  # noqa: BLE001  whatever a body does to us, there is an answer
            log.warning("a debugger's request failed: %.200r", error)
            response["message"] = f"The request or its answer makes no sense ({error!r:.300})."
        return {**response, "seq": next(self._numbers)}

    # -- the session -------------------------------------------------------------------------

    async def _debug_info(self, request: dap.Request) -> Body:
        await self._link.until_ready()
        breakpoints = [{"source": key, "breakpoints": b} for key, b in self._breakpoints.items()]
        return {
            "isStarted": self._attached,
            "hashMethod": "Murmur2",
            "hashSeed": _HASH_SEED,
            "tmpFilePrefix": self._link.cells + os.sep,
            "tmpFileSuffix": ".py",
            "breakpoints": breakpoints,
            "stoppedThreads": list(self._stopped),
            "richRendering": True,
            "exceptionPaths": ["Python Exceptions"],
            "copyToGlobals": True,
        }

    async def _initialize(self, request: dap.Request) -> Body:
        if not self._attached:
            try:
                value = await self._link.query("debugger", {"attach": True})
            except SandboxError:
                self._detach()  # it may come late
                raise
            modules = value.get("modules") if isinstance(value, dict) else None
            paths = [each for each in modules or () if isinstance(each, str)][:10_000]
            self._rules = [{"path": path, "include": False} for path in paths]
            self._attached = True
        return await self._ask_pydevd(request)

    async def _attach(self, request: dap.Request) -> Body:
        options = {"debugOptions": ["DebugStdLib"], "rules": self._rules}
        arguments = {**request.arguments, **options}
        body = await self._pydevd("attach", arguments)
        await self._pydevd("configurationDone", {})
        return body

    async def _configuration_done(self, request: dap.Request) -> Body:
        """Sent with `attach` already: front ends set breakpoints at any time."""
        self._check_attached()
        return {}

    async def _disconnect(self, request: dap.Request) -> Body:
        """The debugger goes, the kernel stays."""
        if self._attached:
            try:
                await self._pydevd("disconnect", {"terminateDebuggee": False})
            finally:
                self.forget()
                self._detach()
        return {}

    def _detach(self) -> None:
        """Between cells; nobody waits for it."""
        task = asyncio.get_running_loop().create_task(self._end_inside())
        task.add_done_callback(lambda done: done.exception())

    async def _end_inside(self) -> None:
        try:
            await self._link.query("debugger", {"attach": False})
        except SandboxError as error:
            log.info("the debugger did not detach: %s", error)

    async def woken(self) -> None:
        """Another process is the kernel inside, one without a debugger: all is asked of it again.

        Returns when that is done, so that the next cell meets its breakpoints.
        """
        if self._attached:
            session, done = list(self._session.values()), asyncio.Event()
            self.forget()
            self._do(partial(self._again, session, done))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.questions.patience):
                    await done.wait()

    async def _again(self, session: Sequence[dap.Request], done: asyncio.Event) -> None:
        try:
            for request in session:
                await self._response(request)
        finally:
            done.set()

    def forget(self) -> None:
        """There is no session any more; who waits is told."""
        self._attached = False
        self._session.clear()
        self._breakpoints.clear()
        self._stopped.clear()
        self.questions.close()

    def _check_attached(self) -> None:
        if not self._attached:
            raise Failed("The debugger is not attached.")

    # -- requests that are more than passed on -----------------------------------------------

    async def _set_breakpoints(self, request: dap.Request) -> Body:
        self._check_attached()
        path = _path(request)
        lines = max(
            (each["line"] for each in request.arguments.get("breakpoints") or ()), default=0
        )
        await self.questions.kernel("expectCell", {"path": path, "lines": lines})
        body = await self._ask_pydevd(request)
        places = body.get("breakpoints")
        self._breakpoints[path] = [
            {"line": each["line"]}  # pydevd may have moved it
            for each in (places if isinstance(places, list) else ())
            if isinstance(each, dict) and type(each.get("line")) is int
        ]
        return body

    async def _all_threads(self, request: dap.Request) -> Body:
        return await self._pydevd(request.command, {**request.arguments, "threadId": "*"})

    async def _variables(self, request: dap.Request) -> Body:
        if request.command == "variables" and self._stopped:
            return dap.shown_variables(await self._ask_pydevd(request))
        return dap.shown_variables(await self._ask_kernel(request))

    async def _rich_inspect(self, request: dap.Request) -> Body:
        name = str(request.arguments["variableName"])
        if not name.isidentifier():  # `special variables` and their like
            return {"data": {}, "metadata": {}}
        if not self._stopped:
            return await self._ask_kernel(request)
        place = {"frameId": request.arguments.get("frameId"), "context": "clipboard"}
        body = await self._pydevd("evaluate", {"expression": _SHOWN.format(name), **place})
        shown = as_object(str(body.get("result")).encode("utf-8", "replace"))
        return {"data": shown.get("data"), "metadata": shown.get("metadata")}

    async def _copy_to_globals(self, request: dap.Request) -> Body:
        source, target = (
            str(request.arguments[f"{which}VariableName"]) for which in ("src", "dst")
        )
        if not (source.isidentifier() and target.isidentifier()):
            raise Failed("srcVariableName and dstVariableName have to be identifiers.")
        expression = {"expression": f"globals()['{target}']", "value": source}
        return await self._pydevd(
            "setExpression", {**expression, "frameId": request.arguments["srcFrameId"]}
        )

    # -- the way in and back -----------------------------------------------------------------

    async def _ask_pydevd(self, request: dap.Request) -> Body:
        return await self._pydevd(request.command, request.arguments)

    async def _pydevd(self, command: str, arguments: Body) -> Body:
        self._check_attached()
        return await self.questions.pydevd(command, arguments)

    async def _ask_kernel(self, request: dap.Request) -> Body:
        ask = self.questions.kernel if self._attached else self.questions.between_cells
        return await ask(request.command, request.arguments)

    def on_frame(self, frame: Frame) -> None:
        """A `dap` frame from inside. Raises BadMessage."""
        if not self._attached:  # what was on its way when it was detached
            return
        message = dap.read(frame.parts[0] if frame.parts else b"")
        if isinstance(message, dap.Event):
            self._happened(message)
        else:
            self.questions.answered(message)

    def _happened(self, event: dap.Event) -> None:
        thread = dap.thread_of(event.body)
        if event.name == "stopped" and thread is not None:
            self._stopped[thread] = None
            if len(self._stopped) > 1000:
                raise BadMessage("too many threads that stand still")
            self._hold_clock()
        elif event.name == "continued":
            if event.body.get("allThreadsContinued") is not False or thread is None:
                self._stopped.clear()
            else:
                self._stopped.pop(thread, None)
            if not self._stopped:
                self._running.resume()
        content = {"type": "event", "seq": next(self._numbers), "event": event.name}
        shown = self._firewall.debug({**content, "body": event.body})
        self._publisher.say("debug_event", self._parent, shown)

    def _hold_clock(self) -> None:
        """What is evaluated at a breakpoint may print, and what prints is taken to run on."""
        if self._stopped and self._running.current is not None:
            self._running.pause(self._running.current)


def _path(request: dap.Request) -> str:
    """The file a request is about, if it is about one."""
    source = request.arguments.get("source")
    return str(source.get("path")) if isinstance(source, dict) else ""
