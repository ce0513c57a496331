"""The step that goes on, at the end of the output: written, asked about, and then said in text.

Rule: one display for each step. It is a widget only as long as it changes; what is left in the
notebook is the text that every other client gets.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.inline import drawing, models
from codeact_kernel.kernel.inline.form import Form
from codeact_kernel.kernel.inline.pace import Pace
from codeact_kernel.kernel.inline.style import SHEET
from codeact_kernel.kernel.inline.text import Shown
from codeact_kernel.kernel.inline.widgets import Group
from codeact_kernel.kernel.run.views import display
from codeact_kernel.trace.text import plain


class StepCard:
    """Draws below the cell whose request has the header `agent`."""

    def __init__(self, publisher: Publisher, agent: bytes, group: Callable[[], Group]) -> None:
        self._publisher = publisher
        self._agent = agent
        self._group = group
        self._widgets: Group | None = None
        self._display = self._panel = self._sheet = self._words = ""
        self._step = (0, "", "")
        self._pace = Pace(self._draw)

    def write(self, number: int, thought: str, code: str) -> None:
        """So far the model has written this."""
        self._step = (number, thought, code)
        if self._widgets is None:
            self._open()
        self._pace.wish()

    def ask(
        self,
        number: int,
        thought: str,
        code: str,
        concerns: Sequence[str],
        stop: Callable[[], object],
    ) -> Form:
        """This code waits for a person."""
        self._step = (number, thought, code)
        widgets = self._widgets or self._open()
        form = Form(widgets, code, drawing.question(number, thought, concerns, code), stop)
        children = models.references((self._sheet, *form.parts))
        # The panel stays: a front end hides the output of a view that is taken away.
        widgets.change(
            self._panel, children=children, _dom_classes=["codeact-panel", "codeact-asks"]
        )
        return form

    def settle(self, shown: Sequence[Shown]) -> None:
        """Nothing changes any more: this is what stays, in place of the card if there is one."""
        left = list(shown)
        if self._widgets is not None:
            text, markdown = left.pop(0)
            data = {"text/plain": plain(text), "text/markdown": markdown}
            self._say("update_display_data", data)
            self._widgets.close()
            self._widgets = None
        for each in left:
            display(self._publisher, self._agent, *each)

    def leave(self) -> None:
        """The step that was written has no code and is over: only its title stays."""
        if self._widgets is not None:
            self.settle([self._title()])

    def _title(self) -> Shown:
        title = f"Step {self._step[0]}"
        return title, f"**{title}**"

    def _open(self) -> Group:
        widgets = self._widgets = self._group()
        self._display = f"codeact-{uuid.uuid4().hex}"
        self._sheet = widgets.open(models.html(SHEET, "codeact-style"))
        self._words = widgets.open(models.html(drawing.writing(*self._step), "codeact-words"))
        self._panel = widgets.open(models.column([self._sheet, self._words], "codeact-panel"))
        title, markdown = self._title()
        data = {"text/plain": title, "text/markdown": markdown}
        self._say("display_data", {**data, models.MIME: models.view(self._panel)})
        return widgets

    def _draw(self) -> None:
        if self._widgets is not None:
            self._widgets.change(self._words, value=drawing.writing(*self._step))

    def _say(self, kind: str, data: dict[str, Any]) -> None:
        content = {"data": data, "metadata": {}, "transient": {"display_id": self._display}}
        self._publisher.say(kind, self._agent, content)
