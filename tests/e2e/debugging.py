"""A client's side of the debugger: requests on the control channel, events on iopub."""

from __future__ import annotations

import itertools
import time
from typing import Any

from tests.e2e.conftest import SECONDS, Session

_numbers = itertools.count(1)


class Debugging:
    """Asks as JupyterLab does."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The content of the reply."""
        client = self.session.client
        content = {"type": "request", "seq": next(_numbers), "command": command}
        message = client.session.msg("debug_request", {**content, "arguments": arguments})
        client.control_channel.send(message)
        end = time.monotonic() + SECONDS
        while True:
            reply = client.get_control_msg(timeout=max(0.01, end - time.monotonic()))
            if reply["parent_header"]["msg_id"] == message["header"]["msg_id"]:
                answer: dict[str, Any] = reply["content"]
                assert answer["request_seq"] == content["seq"]
                return answer

    def body(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The body of a reply that has to be a good one."""
        answer = self.ask(command, **arguments)
        assert answer["success"], answer
        body: dict[str, Any] = answer["body"]
        return body

    def attach(self) -> None:
        """Start the debugger."""
        self.body("initialize", clientID="tests", adapterID="", linesStartAt1=True)
        self.body("attach")

    def detach(self) -> None:
        """End it."""
        self.body("disconnect", restart=False, terminateDebuggee=True)

    def break_at(self, code: str, *lines: int) -> str:
        """Breakpoints in a cell; the path it is compiled as."""
        path = str(self.body("dumpCell", code=code)["sourcePath"])
        places = [{"line": line} for line in lines]
        found = self.body("setBreakpoints", source={"path": path}, breakpoints=places)
        assert [place["verified"] for place in found["breakpoints"]] == [True] * len(lines)
        return path

    def event(self, name: str, seconds: float = SECONDS) -> dict[str, Any]:
        """Wait for an event; its body."""
        end = time.monotonic() + seconds
        while True:
            message = self.session.client.get_iopub_msg(timeout=max(0.01, end - time.monotonic()))
            content = message["content"]
            if message["msg_type"] == "debug_event" and content["event"] == name:
                body: dict[str, Any] = content["body"]
                return body

    def stop_in(self, code: str) -> tuple[str, list[dict[str, Any]]]:
        """Execute until a breakpoint; the request's id and the stack."""
        msg_id = self.session.client.execute(code)
        thread = self.event("stopped")["threadId"]
        return msg_id, self.body("stackTrace", threadId=thread)["stackFrames"]

    def names(self, frame: dict[str, Any], scope: str) -> dict[str, str]:
        """The variables of one scope of a frame."""
        scopes = self.body("scopes", frameId=frame["id"])["scopes"]
        (reference,) = (s["variablesReference"] for s in scopes if s["name"] == scope)
        found = self.body("variables", variablesReference=reference)["variables"]
        return {each["name"]: each["value"] for each in found}
