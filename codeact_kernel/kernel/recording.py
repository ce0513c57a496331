"""What a step put out, as a notebook has it, within bounds.

Rule: what is recorded is what is shown, so the saved cell and the trace agree. Text beyond `HEAD`
characters is held back, and at the end its last `TAIL` characters follow a line that says how much
is missing; outputs beyond `OUTPUTS`, or `BYTES` in all, are counted and said. A flood then cannot reach a front end's
rate limit, where messages of every kind are dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from codeact_kernel.kernel.requests import Said
from codeact_kernel.trace.values import Output

HEAD = 700_000
TAIL = 300_000
OUTPUTS = 500
BYTES = 64 * 1024 * 1024


class Cap:
    """Lets the first `HEAD` characters of text pass and keeps the last `TAIL` of the rest."""

    def __init__(self, head: int = HEAD, tail: int = TAIL) -> None:
        self._left = head
        self._tail = tail
        self._held: deque[tuple[str, str]] = deque()
        self._size = 0
        self._dropped = 0

    def take(self, name: str, text: str) -> str:
        """The part of `text` to show now."""
        now = text[: self._left] if not self._held else ""
        self._left -= len(now)
        later = text[len(now) :]
        if later:
            self._hold(name, later)
        return now

    def _hold(self, name: str, text: str) -> None:
        self._held.append((name, text))
        self._size += len(text)
        while self._size > self._tail:
            first, words = self._held[0]
            extra = min(self._size - self._tail, len(words))
            self._size -= extra
            self._dropped += extra
            if extra == len(words):
                self._held.popleft()
            else:
                self._held[0] = (first, words[extra:])

    def rest(self) -> Iterator[tuple[str, str]]:
        """What was held back, once, at the end."""
        if self._dropped:
            yield "stderr", f"\n… {self._dropped:,} characters are left out here …\n"
        held, self._held = self._held, deque()
        self._size = self._dropped = 0
        yield from held


class Recording:
    """The nbformat outputs of one execution; updates and clears do to it what they do to a cell."""

    def __init__(self) -> None:
        self.count: int | None = None
        self._outputs: list[dict[str, Any]] = []
        self._displays: dict[str, list[dict[str, Any]]] = {}
        self._clear = False
        self._refused = 0
        self._bytes = 0

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs so far, text of a stream in one piece."""
        done: list[Output] = []
        for output in self._outputs:
            if output["output_type"] == "stream":
                done.append({**output, "text": "".join(output["text"])})
            else:
                done.append(output)
        return tuple(done)

    @property
    def refused(self) -> int:
        """How many outputs were too many."""
        return self._refused

    def stream(self, name: str, text: str) -> None:
        """Text of stdout or stderr."""
        self._cleared()
        last = self._outputs[-1] if self._outputs else None
        if last is not None and last["output_type"] == "stream" and last["name"] == name:
            last["text"].append(text)
        else:
            self._outputs.append({"output_type": "stream", "name": name, "text": [text]})

    def take(self, said: Said) -> bool:
        """An iopub message; False when it is one output too many and must not be shown either."""
        value = said.value
        if self._bytes + len(said.content) > BYTES:
            self._refused += 1
            return False
        match said.type:
            case "display_data" | "execute_result" | "error":
                self._cleared()
                if len(self._outputs) >= OUTPUTS:
                    self._refused += 1
                    return False
                self._bytes += len(said.content)
                self._add(said.type, value)
            case "update_display_data":
                self._update(value)
            case "clear_output":
                self._clear = value.get("wait") is True
                if not self._clear:
                    self._outputs.clear()
            case "execute_input":
                count = value.get("execution_count")
                self.count = count if type(count) is int else None
            case _:
                pass
        return True

    def _cleared(self) -> None:
        if self._clear:
            self._outputs.clear()
            self._clear = False

    def _add(self, kind: str, value: Mapping[str, Any]) -> None:
        output = _output(kind, value)
        self._outputs.append(output)
        if (display := _display_id(value)) is not None:
            self._displays.setdefault(display, []).append(output)

    def _update(self, value: Mapping[str, Any]) -> None:
        fresh = _output("display_data", value)
        for output in self._displays.get(_display_id(value) or "", []):
            output["data"], output["metadata"] = fresh["data"], fresh["metadata"]


def _display_id(value: Mapping[str, Any]) -> str | None:
    transient = value.get("transient")
    display = transient.get("display_id") if isinstance(transient, Mapping) else None
    return display if isinstance(display, str) else None


def _output(kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """The message's content as nbformat has it, nothing else from inside taken along."""
    if kind == "error":
        return {
            "output_type": "error",
            "ename": value["ename"],
            "evalue": value["evalue"],
            "traceback": [str(line) for line in value["traceback"]],
        }
    metadata = value.get("metadata")
    output: dict[str, Any] = {
        "output_type": kind,
        "data": value["data"],
        "metadata": metadata if isinstance(metadata, dict) else {},
    }
    if kind == "execute_result":
        count = value.get("execution_count")
        output["execution_count"] = count if type(count) is int else None
    return output
