"""The head of a run: what it is about, where it is, what it has used, and a button that stops it.

Rule: one display. While it is a widget only the widget changes; a front end that shows none is told
in text, and that text is all that is left of it in the end.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.inline import drawing, models
from codeact_kernel.kernel.inline.pace import Pace
from codeact_kernel.kernel.inline.style import SHEET
from codeact_kernel.kernel.inline.widgets import Group, is_click, state_in
from codeact_kernel.kernel.run.status_line import Status, line_data
from codeact_kernel.trace.events import Event, RunFinished, RunStarted

_SEEN = "codeact_seen"
_PATIENCE = 3.0
"""Seconds after which a front end that made no widgets is told in text."""


class Header:
    """Draws below the cell whose request has the header `agent`. `stop` stops the run.

    `answered` is set once a front end has made the widgets; `waits` while a person is asked.
    """

    def __init__(
        self, publisher: Publisher, agent: bytes, group: Group, stop: Callable[[], object]
    ) -> None:
        self.answered = asyncio.Event()
        self.waits = False
        self._publisher = publisher
        self._agent = agent
        self._group = group
        self._stop = stop
        self._display = f"codeact-{uuid.uuid4().hex}"
        self._status = Status()
        self._pace = Pace(self._draw, beat=1.0)
        self._began = time.monotonic()
        self._task = self._limits = ""
        self._words = ""
        self._button = ""
        self._panel: dict[str, Any] = {}
        self._told = ""

    def event(self, event: Event) -> None:
        """Show what this event changes."""
        self._status.event(event)
        match event:
            case RunStarted():
                self._task, self._limits = event.task, _limits(event.settings)
                self._open()
            case RunFinished():
                self._close()
            case _:
                self._pace.wish()

    async def until_answered(self) -> bool:
        """Whether a front end shows widgets; waits for it a little at the beginning of a run."""
        if not self.answered.is_set():
            left = _PATIENCE - (time.monotonic() - self._began)
            try:
                async with asyncio.timeout(max(0.0, left)):
                    await self.answered.wait()
            except TimeoutError:
                return False
        return True

    def _open(self) -> None:
        group = self._group
        sheet = group.open(models.html(SHEET, "codeact-style"))
        self._words = group.open(models.html(self._html(), "codeact-words"), self._hear)
        self._button = group.open(
            models.button("Stop", "Stop the run; what it has done is kept"), self._clicked
        )
        row = group.open(models.row([self._words, self._button], "codeact-head"))
        panel = group.open(models.column([sheet, row], "codeact-panel"))
        group.open(models.link(self._button, "description", self._words, _SEEN))
        self._panel = {models.MIME: models.view(panel)}
        self._tell("display_data")
        self._pace.wish()

    def _close(self) -> None:
        self._pace.stop()
        self._panel = {}
        self._tell("update_display_data")
        self._group.close()

    def _hear(self, data: Mapping[str, Any]) -> None:
        if _SEEN in state_in(data):
            self.answered.set()

    def _clicked(self, data: Mapping[str, Any]) -> None:
        if is_click(data):
            self._group.change(self._button, disabled=True, description="Stopping …")
            self._stop()

    def _draw(self) -> None:
        self._group.change(self._words, value=self._html())
        late = time.monotonic() - self._began > _PATIENCE
        if late and not self.answered.is_set() and self._status.line != self._told:
            self._tell("update_display_data")

    def _tell(self, kind: str) -> None:
        self._told = self._status.line
        content = {
            "data": {**line_data(self._told), **self._panel},
            "metadata": {},
            "transient": {"display_id": self._display},
        }
        self._publisher.say(kind, self._agent, content)

    def _html(self) -> str:
        status = self._status
        seconds = time.monotonic() - self._began
        details = (*status.details, self._limits)
        return drawing.progress(self._task, status.text, details, seconds, self.waits)


def _limits(settings: Mapping[str, Any]) -> str:
    """What the run may use at most."""
    steps, budget = settings.get("steps"), settings.get("budget")
    parts = (f"{steps} steps" if steps else "", f"${budget:g}" if budget else "")
    said = " and ".join(part for part in parts if part)
    return f"at most {said}" if said else ""
