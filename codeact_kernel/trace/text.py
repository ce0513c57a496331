"""What outputs say in plain text.

Rule: pure functions of their arguments; the same outputs give the same text for ever, because
saved traces refer to it by hash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from codeact_kernel.trace.values import Output

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


def plain_text(outputs: Iterable[Output]) -> str:
    """The outputs one below the other as text: streams, text/plain of results, tracebacks."""
    return "".join(_plain(output) for output in outputs)


def without_ansi(text: str) -> str:
    """The text without terminal colours and cursor movements."""
    return _ANSI.sub("", text)


def joined(value: Any) -> Any:
    """A multi-line text of a notebook file, which may be a list of lines there, as one text."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value


def _plain(output: Output) -> str:
    match output.get("output_type"):
        case "stream":
            return str(output.get("text", ""))
        case "error":
            lines = output.get("traceback")
            if not lines or not isinstance(lines, list):
                lines = [f"{output.get('ename')}: {output.get('evalue')}"]
            return without_ansi("\n".join(str(line) for line in lines)) + "\n"
        case _:
            data = output.get("data")
            shown = data.get("text/plain") if isinstance(data, Mapping) else None
            return f"{shown}\n" if isinstance(shown, str) else ""
