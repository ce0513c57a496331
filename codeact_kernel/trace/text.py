"""What outputs say in plain text, and text that no terminal obeys.

Rule: pure functions of their arguments. The same outputs give the same `plain_text` for ever,
because saved traces refer to it by hash. Nothing that did not come from us reaches a terminal
unless it went through `plain`, `printed` or `visible`: a terminal obeys what is printed on it
(titles, clipboard, cursor, colours, direction of writing).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from codeact_kernel.trace.values import Output

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")

_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS ...
    r"|\x1b[ -/]*[0-~]"  # two characters
)
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # changes of direction
)


def plain(text: str) -> str:
    """`text` without escape sequences, control characters (but newline and tab) and changes of direction."""
    return _CONTROLS.sub("", _SEQUENCE.sub("", text.replace("\r\n", "\n")))


def printed(text: str) -> str:
    """`plain`, but with the carriage returns that a progress bar is drawn with: they stay in their line."""
    return "\r".join(map(plain, text.replace("\r\n", "\n").split("\r")))


def visible(code: str) -> str:
    """Code for a person to judge: what a terminal would obey, and what nobody sees, as escapes."""
    return "".join(_escaped(char) if _is_hidden(char) else char for char in code)


def plain_text(outputs: Iterable[Output]) -> str:
    """The outputs one below the other as text: streams, text/plain of results, tracebacks."""
    return "".join(_plain(output) for output in outputs)


def without_ansi(text: str) -> str:
    """The text without terminal colours and cursor movements."""
    return _ANSI.sub("", text)


def some(names: Sequence[str], most: int) -> str:
    """At most so many of them, and how many more there are."""
    shown, more = ", ".join(names[:most]), len(names) - most
    return f"{shown} and {more:,} more" if more > 0 else shown


def joined(value: Any) -> Any:
    """A multi-line text of a notebook file, which may be a list of lines there, as one text."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value


def _is_hidden(char: str) -> bool:
    return _CONTROLS.match(char) is not None or unicodedata.category(char) == "Cf"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


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
