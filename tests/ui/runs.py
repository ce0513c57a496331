"""Notebooks in which an agent works, as a page has them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

from tests.ui.conftest import Lab, Notebook, open_notebook

CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets.map(w => ({
    id: w.model.id, type: w.model.type, source: w.model.sharedModel.getSource(),
    ours: w.model.getMetadata('codeact') ?? {}, count: w.model.executionCount ?? null,
    state: w.model.executionState ?? '', hidden: w.isHidden,
    outputs: w.model.outputs ? w.model.outputs.toJSON() : []}))"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The cells of a notebook in which an agent works."""

    notebook: Notebook

    @property
    def page(self) -> Page:
        return self.notebook.page

    def start(self, cell: int = 0) -> None:
        """Run a cell without waiting for its end."""
        self.page.evaluate(
            """cell => { const app = window.jupyterapp;
            app.shell.currentWidget.content.activeCellIndex = cell;
            void app.commands.execute('notebook:run-cell'); }""",
            cell,
        )

    def select(self, cell: int) -> None:
        """Make a cell the active one."""
        self.page.evaluate(
            "at => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = at; }", cell
        )

    def cells(self) -> list[dict[str, Any]]:
        """Every cell of the notebook as the page has it."""
        cells: list[dict[str, Any]] = self.page.evaluate(CELLS)
        return cells

    def steps(self) -> list[dict[str, Any]]:
        """The code cells of steps."""
        return [cell for cell in self.cells() if cell["ours"].get("role") == "step"]

    def until(self, condition: str) -> None:
        """Wait for a condition on `cells` and `steps`, as JavaScript."""
        self.page.wait_for_function(
            f"() => {{ const cells = ({CELLS})(); "
            "const steps = cells.filter(c => c.ours.role === 'step'); "
            "const text = c => c.outputs.map(o => [o.text ?? ''].flat().join('')).join(''); "
            f"return {condition}; }}"
        )

    def place(self, step: int) -> int:
        """Where the code cell of this step is among the cells, from 0."""
        return self.cells().index(self.steps()[step])

    def over(self) -> None:
        """Until the run has ended and the kernel is idle."""
        self.until(
            "cells.some(c => c.ours.role === 'agent' && c.ours.run.outcome) && "
            "cells.every(c => c.state !== 'running')"
        )

    def type_in(self, cell: int, code: str) -> None:
        """Replace a cell's source, as a person does it."""
        self.page.locator(".jp-Notebook-cell").nth(cell).locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(code)


def text(cell: dict[str, Any]) -> str:
    """What a cell printed."""
    return "".join("".join(o["text"]) for o in cell["outputs"] if o["output_type"] == "stream")


def opened(page: Page, lab: Lab, name: str, *sources: str) -> Run:
    """A page of its own with a notebook of these cells whose kernel knows the page."""
    notebook = open_notebook(page, lab, lab.notebook(f"{name}.ipynb", *sources))
    notebook.wait_for_panel("Isolation: ")
    return Run(notebook=notebook)


class Desk:
    """A page with JupyterLab in which test after test opens its notebook: loading it takes longest.

    Its launcher stays open: JupyterLab opens one when there is nothing else, in front of what comes then.
    """

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page = page
        self.lab = lab

    def load(self) -> None:
        """Load JupyterLab, with its launcher."""
        self.page.goto(f"{self.lab.url}lab?token={self.lab.token}&reset")
        self.page.locator(".jp-Launcher").wait_for()

    def open(self, name: str, *sources: str) -> Run:
        """A notebook with these cells whose kernel knows the page."""
        file = self.lab.notebook(f"{name}.ipynb", *sources)
        self.page.evaluate(
            "path => window.jupyterapp.commands.execute('docmanager:open', {path}).then(() => null)",
            file,
        )
        notebook = Notebook(page=self.page)
        notebook.wait_for_kernel()
        notebook.wait_for_panel("Isolation: ")
        return Run(notebook=notebook)

    def clear(self) -> None:
        """Close all documents, asking nothing, and end the kernels."""
        self.page.evaluate(
            """async () => { const app = window.jupyterapp;
            [...app.shell.widgets('main')].forEach(widget => widget.context && widget.dispose());
            await app.serviceManager.sessions.shutdownAll(); }"""
        )


def until_saved(page: Page, lab: Lab, name: str, words: str) -> None:
    """Until the file of this notebook has these words, without anybody having saved it by hand."""
    deadline = time.monotonic() + 60
    while words not in (lab.folder / f"{name}.ipynb").read_text():
        assert time.monotonic() < deadline, f"{words!r} was not saved within 60 s"
        page.wait_for_timeout(50)
