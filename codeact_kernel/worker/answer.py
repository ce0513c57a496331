"""`final_answer(value)`: how a step says that the task is done.

Rule: nothing printed or displayed can end a run, only this call, and only outside is decided
whether it does. One step gives one answer: the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codeact_kernel.worker.calls import Calls
from codeact_kernel.worker.preview import preview

MOST = 20_000
"""Characters of an object's text form that go into the answer."""


def make(shell: Any, calls: Calls, parent: Callable[[], str]) -> Callable[[object], None]:
    """The function that cells call. `parent` gives the id of the running request."""
    answered = ""

    def final_answer(value: object) -> None:
        """Give `value` as the answer to the task; any object. It is displayed as usual."""
        nonlocal answered
        step = parent()
        if step and step == answered:
            raise RuntimeError("This step has given its answer already; the first one counts.")
        text = value if isinstance(value, str) else _display(shell, value)
        calls("final_answer", {"text": text, "type": type(value).__name__})
        answered = step

    final_answer.__qualname__ = "final_answer"
    final_answer.__module__ = "codeact"
    return final_answer


def _display(shell: Any, value: object) -> str:
    """Display an object as a cell's last line would; its text form, bounded."""
    data, metadata = shell.display_formatter.format(value)
    if data:
        shell.display_pub.publish(data, metadata)
    text = data.get("text/plain")
    if not isinstance(text, str):
        text = preview(value)
    return text if len(text) <= MOST else text[: MOST - 1] + "…"
