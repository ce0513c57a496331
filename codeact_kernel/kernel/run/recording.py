"""What a step put out, as a notebook has it, within bounds.

Rule: what is recorded is what is shown, so the saved cell and the trace agree. Text beyond `HEAD`
characters is held back, and at the end its last `TAIL` characters follow a line that says how much
is missing; outputs beyond `OUTPUTS`, or `BYTES` at one time, are
counted and said. What the outer keeps of a step is bounded by that, however often code updates it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from codeact_kernel.kernel.relay.said import Said
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


@dataclass(slots=True)
class _Shown:
    """One output that is there now: what it takes, in bytes, and the display id it can be updated by."""

    output: dict[str, Any]
    size: int = 0
    display: str | None = None


class Recording:
    """The nbformat outputs of one execution; updates and clears do to it what they do to a cell.

    Only what is there counts: what was cleared away or replaced makes room.
    """

    def __init__(self) -> None:
        self.count: int | None = None
        self._shown: list[_Shown] = []
        self._clear = False
        self._refused = 0

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs so far, text of a stream in one piece."""
        done: list[Output] = []
        for shown in self._shown:
            output = shown.output
            if output["output_type"] == "stream":
                done.append({**output, "text": "".join(output["text"])})
            else:
                done.append(output)
        return tuple(done)

    def messages(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The iopub messages, type and content, that make an empty cell show these outputs."""
        for shown in self._shown:
            output = dict(shown.output)
            kind = str(output.pop("output_type"))
            if kind == "stream":
                output["text"] = "".join(output["text"])
            elif kind != "error":
                display = {} if shown.display is None else {"display_id": shown.display}
                output["transient"] = display
            yield kind, output
        if self._clear:
            yield "clear_output", {"wait": True}

    @property
    def size(self) -> int:
        """What the outputs take, in bytes; text counts by characters."""
        streams = (each.output["text"] for each in self._shown if not each.size)
        return _size(self._shown) + sum(len(piece) for text in streams for piece in text)

    @property
    def refused(self) -> int:
        """How many outputs were too many."""
        return self._refused

    def stream(self, name: str, text: str) -> None:
        """Text of stdout or stderr."""
        self._cleared()
        last = self._shown[-1].output if self._shown else None
        if last is not None and last["output_type"] == "stream" and last["name"] == name:
            last["text"].append(text)
        else:
            self._shown.append(_Shown({"output_type": "stream", "name": name, "text": [text]}))

    def take(self, said: Said) -> bool:
        """An iopub message; False when it is one output too many and must not be shown either."""
        match said.type:
            case "display_data" | "execute_result" | "error":
                return self._add(said)
            case "update_display_data":
                return self._update(said)
            case "clear_output":
                self._clear = True
                if said.value.get("wait") is not True:
                    self._cleared()
            case "execute_input":
                count = said.value.get("execution_count")
                self.count = count if type(count) is int else None
            case _:
                pass
        return True

    def _cleared(self) -> None:
        if self._clear:
            self._shown.clear()
            self._clear = False

    def _add(self, said: Said) -> bool:
        kept = [] if self._clear else self._shown
        if len(kept) >= OUTPUTS or _size(kept) + len(said.content) > BYTES:
            self._refused += 1
            return False
        self._cleared()
        output = _output(said.type, said.value)
        self._shown.append(_Shown(output, len(said.content), _display_id(said.value)))
        return True

    def _update(self, said: Said) -> bool:
        """All displays of this id; those of an earlier step are not kept here, and take no room."""
        display = _display_id(said.value)
        meant = [each for each in self._shown if display is not None and each.display == display]
        size = len(said.content)
        if _size(self._shown) - _size(meant) + size * max(len(meant), 1) > BYTES:
            self._refused += 1
            return False
        fresh = _output("display_data", said.value)
        for each in meant:
            each.output["data"], each.output["metadata"] = fresh["data"], fresh["metadata"]
            each.size = size
        return True


def _size(shown: Iterable[_Shown]) -> int:
    return sum(each.size for each in shown)


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
