"""Behind every request there is a reply, whatever its handler did.

Rule: ipykernel answers what goes well and what it foresees; this file answers the rest: a handler
that raises, one that SIGINT broke off, a request that nobody handles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from codeact_kernel.worker.messages import error as error_content

if TYPE_CHECKING:
    from codeact_kernel.worker.kernel import WireKernel

Handler = Callable[[Any, Any, dict[str, Any]], Any]


def answered(kernel: WireKernel, handler: Handler) -> Handler:
    """The handler, with SIGINT raising while it works, and with a reply behind it."""

    async def handle(stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        name = parent["msg_id"]
        reason = ("NotSupported", "This kernel does not support the request.")
        kernel.intake.read_more()
        if parent["msg_type"] != "execute_request":  # that one says more before its code runs
            kernel.link.uncork()
        try:
            try:
                kernel.interrupts.on(name)
                result = handler(stream, ident, parent)
                if asyncio.iscoroutine(result):
                    await result
            finally:
                kernel.interrupts.off(name)
        except (Exception, KeyboardInterrupt) as error:
            kernel.interrupts.off(name)
            kernel.log.debug("a %s failed", parent["msg_type"], exc_info=True)
            reason = (type(error).__name__, str(error))
        if parent["msg_type"].endswith("_request"):
            _reply_at_least(kernel, parent, *reason)

    return handle


def _reply_at_least(kernel: WireKernel, parent: dict[str, Any], name: str, text: str) -> None:
    """An error reply, unless there was a reply."""
    session: Any = kernel.session
    if session.was_answered(parent["msg_id"]):
        return
    kind = parent["msg_type"].removesuffix("_request")
    content = error_content(name, text)
    if kind == "execute":
        error = {"ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}
        session.send(kernel.iopub_socket, "error", error, parent)
        content = {**content, **error, "execution_count": kernel.execution_count}
        content |= {"user_expressions": {}, "payload": []}
        if parent["content"].get("stop_on_error", True):
            kernel.abort_queued()
    session.send(kernel.shell_stream, f"{kind}_reply", content, parent)
