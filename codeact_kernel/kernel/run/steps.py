"""The loop's Runtime: a step is an execute_request of this kernel's own.

Rule: every step ends as an Execution, whatever its code does: error, time limit, stop, death of the
sandbox. `final_answer` counts only as a call of the step that runs, once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol

from codeact_kernel.agent.ports import Execution, Surroundings
from codeact_kernel.errors import SandboxDied, SandboxError
from codeact_kernel.kernel.channels.messages import to_json
from codeact_kernel.kernel.relay.link import Link
from codeact_kernel.kernel.relay.relay import Relay
from codeact_kernel.kernel.relay.requests import CallRefused, Request
from codeact_kernel.kernel.relay.running import GRACE
from codeact_kernel.kernel.relay.said import Said
from codeact_kernel.kernel.run.recording import Cap, Recording
from codeact_kernel.kernel.run.stages import Place, Stage
from codeact_kernel.kernel.run.surroundings import surroundings_of
from codeact_kernel.sandbox.ended import Cause, Ended
from codeact_kernel.trace.text import plain
from codeact_kernel.trace.values import Status
from codeact_kernel.wire import BadFrame

_MAX_ANSWER = 1_000_000


class StepRequest(Request):
    """One step inside. `done` is set when it is over; `execution` then says how it went.

    What its code asks a person is marked as such: this kernel asks for approvals in the same place.
    """

    def __init__(
        self,
        msg_id: str,
        header: bytes,
        seconds: float | None,
        stage: Stage,
        untold: Callable[[], str] = str,
        hint: Callable[[Said], str] = lambda said: "",
    ) -> None:
        super().__init__(msg_id, "execute_request", header, seconds)
        self._hint = hint
        self.done = asyncio.Event()
        self.stopped = False
        self._stage = stage
        self._untold = untold
        self._cap = Cap()
        self._recording = Recording()
        self._answer: str | None = None
        self._status = Status.DIED
        self._reason = ""
        self._limit_hit = False
        self._sent = time.monotonic()
        self._began: float | None = None

    def publish(self, said: Said) -> None:
        if said.type == "status":
            self._stage.publish(said)
            if said.value["execution_state"] == "idle":
                self.done.set()
            elif self._began is None:
                self._begin()
        elif self.done.is_set() or self._recording.take(said):
            self._stage.publish(said)
        if not self.done.is_set() and (hint := self._hint(said)):
            self._show("stderr", hint)

    def _begin(self) -> None:
        self._began = time.monotonic()
        if sentence := self._untold():
            self._show("stderr", f"{sentence}\n")

    def stream(self, name: str, text: str) -> None:
        shown = self._cap.take(name, text)
        if shown:
            self._show(name, shown)

    def _show(self, name: str, text: str) -> None:
        if not self.done.is_set():
            self._recording.stream(name, text)
        self._stage.stream(name, text)

    def reply(self, said: Said) -> None:
        self._show_rest()
        self._judge(said)
        self._stage.reply(_reply(said.value))

    def _judge(self, said: Said) -> None:
        if said.value.get("status") == "ok":
            self._status = Status.OK
        elif self._limit_hit:
            self._end(
                Status.TIMEOUT,
                f"The time limit of {self.seconds:g} s for a step was over; the code was interrupted.",
            )
        elif self.stopped or said.value.get("status") == "aborted":
            self._end(Status.INTERRUPTED, "The code was interrupted.")
        else:
            self._status = Status.ERROR

    def _end(self, status: Status, reason: str) -> None:
        self._status, self._reason = status, reason
        self._show("stderr", f"{reason}\n")

    def _show_rest(self) -> None:
        for name, text in self._cap.rest():
            self._show(name, text)
        if self._recording.refused:
            self._show("stderr", f"\n… {self._recording.refused:,} outputs are left out here …\n")

    def prompt(self, text: str) -> str:
        return f"The code of this step asks: {plain(text)}"

    def call(self, name: str, arguments: Mapping[str, Any]) -> object:
        if name != "final_answer":
            raise CallRefused(f"There is no tool {name}.")
        if self._answer is not None:
            raise CallRefused("This step has already given its final answer.")
        text = arguments.get("text")
        if not isinstance(text, str):
            raise CallRefused("final_answer needs a value.")
        self._answer = text[:_MAX_ANSWER]
        return {}

    def timed_out(self) -> None:
        self._limit_hit = True

    def died(self, sentence: str, running: bool) -> None:
        if not self.answered:
            self._show_rest()
            status = Status.TIMEOUT if self._limit_hit else Status.DIED
            self._end(Status.INTERRUPTED if self.stopped else status, sentence)
            self._stage.reply(_error("SandboxDied", sentence))
        self._idle()

    def give_up(self, sentence: str) -> None:
        """It could not be sent."""
        self._status, self._reason = Status.DIED, sentence
        self._stage.reply(_error("SandboxDied", sentence))
        self._idle()

    def _idle(self) -> None:
        value = {"execution_state": "idle"}
        self._stage.publish(Said("status", to_json(value), value))
        self.done.set()

    def forget(self) -> None:
        """The execution has been taken; what is printed late is shown and not kept."""
        self._recording = Recording()

    @property
    def execution(self) -> Execution:
        """How it went."""
        return Execution(
            status=self._status,
            outputs=self._recording.outputs,
            answer=self._answer if self._status is Status.OK else None,
            seconds=time.monotonic() - (self._began or self._sent),
            count=self._recording.count,
            reason=self._reason,
        )


def _reply(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a front end learns of a step's reply: not what code asks it to do (`payload`)."""
    count = given.get("execution_count")
    number = count if type(count) is int else None
    if given.get("status") == "ok":
        return {"status": "ok", "execution_count": number, "user_expressions": {}, "payload": []}
    lines = given.get("traceback")
    return {
        "status": "error",
        "execution_count": number,
        "ename": str(given.get("ename", "Interrupted")),
        "evalue": str(given.get("evalue", "")),
        "traceback": [str(line) for line in lines] if isinstance(lines, list) else [],
    }


def _error(name: str, sentence: str) -> dict[str, Any]:
    return _reply({"status": "error", "ename": name, "evalue": sentence})


class Keeper(Protocol):
    """Who keeps the state of the notebook before each step of one run."""

    async def before_step(self, number: int, marks: Mapping[str, str]) -> None: ...
    def step_done(self, number: int) -> None: ...


class Steps:
    """agent.ports.Runtime for one run. `place` says under which request a step runs."""

    def __init__(
        self,
        relay: Relay,
        link: Link,
        place: Callable[[str, str], Awaitable[Place]],
        *,
        run: str,
        seconds: float | None,
        keeper: Keeper,
    ) -> None:
        self._relay = relay
        self._link = link
        self._place = place
        self._run = run
        self._seconds = seconds
        self._keeper = keeper
        self._marks: Mapping[str, str] = {}

    async def execute(self, number: int, cell: str, code: str) -> Execution:
        """Run `code`. When cancelled, the code is interrupted and the Execution says so.

        Raises SandboxRefused when there is no sandbox any more and will be none.
        """
        await self._link.until_ready()
        await self._keeper.before_step(number, self._marks)
        place = await self._place(cell, code)
        hint = partial(self._relay.files.hint, run=self._run)
        request = StepRequest(
            place.id, place.header, self._seconds, place.stage, self._relay.untold, hint
        )
        request.client = place.client
        began = time.time()
        self._send(request, number, code)
        try:
            await request.done.wait()
        except asyncio.CancelledError:
            await self._stop(request)
        self._relay.files.step_over(began)
        self._keeper.step_done(number)
        execution = request.execution
        request.forget()
        return execution

    def _send(self, request: StepRequest, number: int, code: str) -> None:
        metadata = to_json({"codeact": {"run": self._run, "step": number}})
        content = to_json(
            {
                "code": code,
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": request.client is not None,
                "stop_on_error": False,
            }
        )
        try:
            self._relay.send(request, "shell", (request.header, metadata, content))
        except (SandboxError, BadFrame) as error:
            self._relay.requests.finish(request)
            request.give_up(str(error))

    async def _stop(self, request: StepRequest) -> None:
        request.stopped = True
        self._relay.running.interrupt()
        try:
            async with asyncio.timeout(GRACE + 1.0):
                await request.done.wait()
        except TimeoutError:
            what = "The code did not stop, so its Python process was ended."
            self._link.kill(Ended(cause=Cause.STOPPED, what=what))

    async def surroundings(self) -> Surroundings:
        """What is in the notebook now. Raises SandboxError when nobody inside can say it."""
        try:
            value = await self._link.query("surroundings", {})
        except SandboxDied:
            await self._link.until_ready()
            value = await self._link.query("surroundings", {})
        around = surroundings_of(value)
        self._marks = {name: variable.mark for name, variable in around.variables.items()}
        return around

    async def keep(self, name: str, text: str) -> None:
        """Bind `text` to a variable inside. Raises SandboxError when that cannot be done."""
        await self._link.query("keep", {"name": name, "text": text})
