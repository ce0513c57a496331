"""What an editor is told when a cell runs that lets nobody answer: nothing known, at once.

Rule: each is a valid reply that claims nothing. Code inside answers nearly always (worker/beside.py);
C code that holds Python, a heap too large to fork or a hostile cell does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from codeact_kernel.kernel.channels.messages import BadMessage, Incoming

SECONDS = 1.5
"""How long a question may wait beside a cell."""
_BUSY = "A cell runs, and its code lets nobody look at the notebook meanwhile."


def content(kind: str, message: Incoming) -> dict[str, Any]:
    """The content of the reply."""
    try:
        asked = message.read_content()
    except BadMessage:
        asked = {}
    return _CONTENTS[kind](asked)


def _no_matches(asked: Mapping[str, Any]) -> dict[str, Any]:
    at = asked.get("cursor_pos")
    if type(at) is not int:
        at = len(str(asked.get("code", "")))
    return {"status": "ok", "matches": [], "cursor_start": at, "cursor_end": at, "metadata": {}}


_CONTENTS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "complete_request": _no_matches,
    "inspect_request": lambda asked: {"status": "ok", "found": False, "data": {}, "metadata": {}},
    "is_complete_request": lambda asked: {"status": "unknown"},
    "history_request": lambda asked: {"status": "ok", "history": []},
    # An empty table would say that there are no widgets.
    "comm_info_request": lambda asked: {
        "status": "error",
        "ename": "Busy",
        "evalue": _BUSY,
        "traceback": [],
    },
}
KINDS = frozenset(_CONTENTS)
"""Requests that may be answered beside running code."""
