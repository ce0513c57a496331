"""What one cell shows, for those who look at it and for those who come later.

Rule: a feed records and repeats, and never runs anything. A front end whose page was reloaded, or a
second tab, sends the cell's request again with `attach`; it is shown what was shown so far and then
each message as it comes, under its own header, and gets the same reply. Comm messages are not
repeated: every tab hears them whatever their parent is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from codeact_kernel.kernel.channels.messages import Bytes, Incoming, as_object, to_json
from codeact_kernel.kernel.relay.said import Said
from codeact_kernel.kernel.run.recording import Recording

_MAX_FRONTS = 16
"""Front ends that watch one cell; when one more comes the oldest is let go."""
CELLS, BYTES = 2000, 256 * 1024 * 1024
"""What is kept of cells that are over; with more the oldest go, and only the notebook has them."""


class Feed:
    """One cell's messages. `header` is that of the request it runs under."""

    def __init__(self, header: bytes) -> None:
        self.header = header
        self.fronts: list[Incoming] = []
        self.reply: Bytes | None = None
        self._input: Mapping[str, Any] | None = None
        self._shown = Recording()

    @classmethod
    def of(cls, outputs: Sequence[Mapping[str, Any]]) -> Feed:
        """The feed of a cell that was not run and shows these outputs."""
        feed = cls(b"")
        feed.reply = to_json({"status": "ok", "execution_count": None, "user_expressions": {}})
        for output in outputs:
            if output["output_type"] == "stream":
                feed.stream(str(output["name"]), str(output["text"]))
            else:
                content = {key: value for key, value in output.items() if key != "output_type"}
                feed.take(str(output["output_type"]), to_json(content), content)
        return feed

    @property
    def size(self) -> int:
        """What it keeps, in bytes."""
        return self._shown.size

    @property
    def is_over(self) -> bool:
        """Whether its reply has been sent."""
        return self.reply is not None

    def add(self, front: Incoming) -> Incoming | None:
        """One more watches; the one that is let go for it, None mostly."""
        self.fronts.append(front)
        return self.fronts.pop(0) if len(self.fronts) > _MAX_FRONTS else None

    def take(self, kind: str, content: Bytes, value: Mapping[str, Any] | None) -> None:
        """Record one iopub message."""
        if kind == "status" or kind.startswith("comm_"):
            return
        given = dict(value) if value is not None else as_object(bytes(content))
        if kind == "execute_input":
            self._input = given
        self._shown.take(Said(kind, bytes(content), given))

    def stream(self, name: str, text: str) -> None:
        """Record text."""
        self._shown.stream(name, text)

    def replay(self) -> Iterator[tuple[str, bytes]]:
        """What a cell has to be sent to look as this one does now: types and contents."""
        if self._input is not None:
            yield "execute_input", to_json(self._input)
        for kind, content in self._shown.messages():
            yield kind, to_json(content)


class Feeds:
    """The feeds by cell. Those that are over are bounded, in number and in bytes."""

    def __init__(self, cells: int = CELLS, size: int = BYTES) -> None:
        self._cells = cells
        self._size = size
        self._by_cell: OrderedDict[str, Feed] = OrderedDict()

    def get(self, cell: str) -> Feed | None:
        """The feed of a cell; None: nothing is known of it."""
        return self._by_cell.get(cell)

    def items(self) -> Iterator[tuple[str, Feed]]:
        """All of them, the newest last."""
        yield from self._by_cell.items()

    def keep(self, cell: str, feed: Feed) -> list[tuple[str, Feed]]:
        """The cell has this feed from now on; those that are let go for it, by cell."""
        before = self._by_cell.pop(cell, None)
        gone = [(cell, before)] if before is not None and before.is_over else []
        self._by_cell[cell] = feed
        count, room = 0, self._size
        for old, kept in reversed(list(self._by_cell.items())):
            count, room = count + 1, room - kept.size
            if (count > self._cells or room < 0) and kept.is_over:
                gone.append((old, self._by_cell.pop(old)))
        return gone
