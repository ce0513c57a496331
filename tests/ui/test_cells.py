"""A run as real cells in a real JupyterLab: they appear, run, are approved, and survive whatever a page does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.scripted_server import Reply, serving
from tests.ui.conftest import Lab, Notebook, open_notebook

pytestmark = pytest.mark.timeout(180)


def step(code: str, thought: str = "I go on.", **how: Any) -> Reply:
    """A reply with code."""
    return Reply(text=f"{thought}\n\n<execute>\n{code}\n</execute>", **how)


def agent(url: str, options: str = "") -> str:
    """An agent cell that asks the scripted server."""
    return f"%%agent --model openai/scripted --api-base {url} {options}\nDo it."


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
            f"return {condition}; }}"
        )

    def over(self) -> None:
        """Until the run has ended and the kernel is idle."""
        self.until(
            "cells.some(c => c.ours.role === 'agent' && c.ours.run.outcome) && "
            "cells.every(c => c.state !== 'running')"
        )


def text(cell: dict[str, Any]) -> str:
    """What a cell printed."""
    return "".join("".join(o["text"]) for o in cell["outputs"] if o["output_type"] == "stream")


def opened(page: Page, lab: Lab, name: str, *sources: str) -> Run:
    """A notebook with these cells whose kernel knows the page."""
    notebook = open_notebook(page, lab, lab.notebook(f"{name}.ipynb", *sources))
    notebook.wait_for_panel("Isolation: ")
    return Run(notebook=notebook)


def test_a_run_becomes_cells(lab: Lab, page: Page) -> None:
    """Thought, code and answer are cells; the code grows while it is written, and runs as any cell."""
    code = "print('first')\nfor number in range(3):\n    print(number)\nnumber"
    with serving(step(code, pause=0.05), step("final_answer(40 + 2)", "Now I know.")) as server:
        run = opened(page, lab, "cells", agent(server.url), "'mine'")
        run.start()
        run.until("steps.length > 0 && steps[0].ours.status === 'writing'")
        early = run.steps()[0]["source"]
        assert code.startswith(early)
        assert early != code
        run.over()
    cells = run.cells()
    assert [c["ours"].get("role", "") for c in cells] == [
        "agent",
        "thought",
        "step",
        "thought",
        "step",
        "answer",
        "",
    ]
    first, second = run.steps()
    assert first["source"] == code
    assert text(first) == "first\n0\n1\n2\n"
    assert (cells[0]["count"], first["count"], second["count"]) == (1, 2, 3)
    assert first["ours"]["status"] == "ok"
    assert "42" in cells[5]["source"]
    run.notebook.picture("cells")


def test_a_reload_in_the_middle_loses_and_doubles_nothing(lab: Lab, page: Page) -> None:
    """The run goes on without the page; cells, lines and count are there when it comes back."""
    code = "import time\nfor n in range(40):\n    print(n, flush=True)\n    time.sleep(0.2)"
    with serving(step(code), step("final_answer('end')")) as server:
        run = opened(page, lab, "reload", agent(server.url), "'mine'")
        run.start()
        run.until("steps.length && steps[0].outputs.length")
        page.reload()
        run.notebook.wait_for_notebook()
        run.until("steps.length && steps[0].outputs.length && steps[0].state === 'running'")
        assert run.cells()[0]["state"] == "running"
        run.over()
    first, second = run.steps()
    assert text(first) == "".join(f"{n}\n" for n in range(40))
    assert (first["count"], second["count"]) == (2, 3)
    ids = [cell["id"] for cell in run.cells()]
    assert len(ids) == len(set(ids)) == 7


def test_undo_keeps_the_agents_cells(lab: Lab, page: Page) -> None:
    """Undo, during the run and after it, takes back what the user did and never a step."""
    with serving(step("print(1)", pause=0.03), step("final_answer('end')")) as server:
        run = opened(page, lab, "undo", agent(server.url), "'mine'")
        run.start()
        run.until("steps.length > 0")
        run.notebook.command("notebook:undo-cell-action")
        run.over()
        run.notebook.command("notebook:undo-cell-action")
    assert len(run.cells()) == 7
    assert text(run.steps()[0]) == "1\n"


def test_approval_is_running_the_cell(lab: Lab, page: Page) -> None:
    """Shift-Enter runs what is in the cell, edits included; the model is told, nothing ran before."""
    with serving(step("print('theirs')"), step("final_answer('end')")) as server:
        run = opened(page, lab, "approve", agent(server.url, "--approve ask"), "'mine'")
        run.start()
        run.until("steps.length && steps[0].ours.status === 'waiting'")
        run.notebook.picture("approval-waits")
        assert run.steps()[0]["count"] is None
        editor = page.locator(".jp-CodeCell").nth(1).locator(".cm-content")
        editor.click()
        page.keyboard.press("Control+a")
        page.keyboard.type("print('mine')")
        page.keyboard.press("Shift+Enter")
        run.until("steps.length === 2 && steps[1].ours.status === 'waiting'")
        first = run.steps()[0]
        assert (first["source"], text(first)) == ("print('mine')", "mine\n")
        assert first["ours"]["edited"] is True
        assert "print('mine')" in str(server.requests[-1]["messages"][-1])
        place = [cell["id"] for cell in run.cells()].index(run.steps()[1]["id"])
        run.start(place)
        run.over()
    assert "end" in run.cells()[-2]["source"]
