"""A run as real cells in a real JupyterLab: they appear, run, are approved, and survive whatever a page does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.scripted_server import Reply, agent, serving, step
from tests.ui.conftest import Lab, Notebook, open_in_notebook_7, open_notebook

pytestmark = pytest.mark.timeout(180)


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
    with serving(
        Reply(text=step(code), pause=0.15), step("final_answer(40 + 2)", "Now I know.")
    ) as server:
        run = opened(page, lab, "cells", agent(server.url), "'mine'")
        run.start()
        run.until(f"steps.length > 0 && steps[0].source.length < {len(code)}")  # it grows
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


def test_undo_keeps_cells_and_removing_a_run_is_one_undo(lab: Lab, page: Page) -> None:
    """Undo takes no step away by accident; failed attempts fold; a run's cells go, and come back, at once."""
    replies = (
        Reply(text=step("1/0"), pause=0.03),
        step("print('mended')"),
        step("final_answer('end')"),
    )
    with serving(*replies) as server:
        run = opened(page, lab, "undo", agent(server.url), "'mine'")
        run.start()
        run.until("steps.length > 0")
        run.notebook.command("notebook:undo-cell-action")
        run.over()
    run.notebook.command("notebook:undo-cell-action")
    assert len(run.cells()) == 9
    attempts = page.get_by_role("button", name="1 failed attempt")
    attempts.wait_for()
    assert [cell["hidden"] for cell in run.cells()[1:5]] == [True, True, False, False]
    attempts.click()
    run.until("cells.every(cell => !cell.hidden)")
    page.get_by_role("note", name="Step 1 of the agent, failed").wait_for()
    run.notebook.picture("cells-attempts")
    run.select(2)
    run.notebook.command("codeact:remove-cells")
    assert [cell["source"][:7] for cell in run.cells()] == ["%%agent", "'mine'"]
    run.notebook.command("notebook:undo-cell-action")
    assert len(run.cells()) == 9
    run.until("text(steps[1]) === 'mended\\n' && steps.every(c => c.state !== 'running')")


def test_approval_is_running_the_cell(lab: Lab, page: Page) -> None:
    """Shift-Enter runs what is in the cell, edits included; the model is told, nothing ran before."""
    with serving(step("print('theirs')"), step("final_answer('end')")) as server:
        run = opened(page, lab, "approve", agent(server.url, options="--approve ask"), "'mine'")
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


def test_the_bar_of_a_waiting_step(lab: Lab, page: Page) -> None:
    """Reject with a reason, approve the rest, and a deleted cell: the model is told, nothing else runs."""
    replies = (
        step("print('one')"),
        step("print('two')"),
        step("print('three')"),
        step("print('four')"),
        step("final_answer('end')"),
    )
    with serving(*replies) as server:
        run = opened(page, lab, "bar", agent(server.url, options="--approve ask"), "'mine'")
        run.start()
        run.until("steps.length === 1 && steps[0].ours.status === 'waiting'")
        page.get_by_role("button", name="Reject…").click()
        page.locator(".jp-Dialog input").fill("Use the other file.")
        page.get_by_role("button", name="Reject", exact=True).click()
        run.until("steps.length === 2 && steps[1].ours.status === 'waiting'")
        assert "Use the other file." in str(server.requests[-1]["messages"][-1])
        assert "Use the other file." in text(run.steps()[0])
        run.select([cell["id"] for cell in run.cells()].index(run.steps()[1]["id"]))
        run.notebook.command("notebook:delete-cell")
        run.until("steps.length === 2 && steps[1].ours.status === 'waiting'")
        assert "deleted" in str(server.requests[-1]["messages"][-1])
        page.get_by_role("button", name="Run, and Approve the Rest").click()
        run.over()
    assert [text(cell) for cell in run.steps()[1:3]] == ["three\n", "four\n"]
    assert page.locator(".codeact-Approval").count() == 0


def test_what_runs_is_as_any_cell(lab: Lab, page: Page) -> None:
    """Widgets with callbacks, captured output and `input()` work in a step; Stop ends the run."""
    code = (
        "import ipywidgets as w\nout = w.Output()\nslider = w.IntSlider(value=4)\n"
        "@slider.observe\ndef moved(change):\n    with out:\n        print('moved', slider.value)\n"
        "display(slider, out)\nname = input('Name? ')\nprint('hello', name)"
    )
    endless = "import time\nfor n in range(1000):\n    print(n, flush=True)\n    time.sleep(0.1)"
    with serving(step(code), step(endless)) as server:
        run = opened(page, lab, "native", agent(server.url), "'mine'")
        run.start()
        page.locator(".jp-Stdin-input").fill("Ada")
        page.locator(".jp-Stdin-input").press("Enter")
        run.until("steps.length && text(steps[0]).includes('hello Ada')")
        run.until("steps.length === 2 && text(steps[1]).includes('3')")
        assert run.cells()[0]["state"] == "running"
        run.notebook.command("notebook:interrupt-kernel")
        run.over()
        page.locator(".noUi-handle").focus()
        page.keyboard.press("ArrowRight")
        page.get_by_text("moved 5").first.wait_for()
    assert run.steps()[1]["ours"]["status"] == "interrupted"
    assert run.cells()[0]["ours"]["run"]["outcome"] == "stopped"


def test_two_tabs_show_one_run(lab: Lab, page: Page, browser: Browser) -> None:
    """A second tab has the same cells and outputs, live; the code ran once."""
    code = "import time\nran = globals().get('ran', 0) + 1\ntime.sleep(2)\nprint('ran', ran)"
    with serving(step(code), step("final_answer(ran)")) as server:
        run = opened(page, lab, "tabs", agent(server.url), "'mine'")
        context = browser.new_context()
        other = context.new_page()
        other.set_default_timeout(30_000)
        second = Run(notebook=open_notebook(other, lab, "tabs.ipynb"))
        second.notebook.wait_for_panel("Isolation: ")
        run.start()
        second.until("steps.length && steps[0].state === 'running'")
        run.over()
        second.over()
    assert [text(cell) for cell in run.steps()] == [text(cell) for cell in second.steps()]
    assert text(second.steps()[0]) == "ran 1\n"
    assert [cell["id"] for cell in run.cells()] == [cell["id"] for cell in second.cells()]
    context.close()


def test_notebook_7(lab: Lab, page: Page) -> None:
    """The same extension makes the same cells in Notebook."""
    with serving(step("print('one')"), step("final_answer('end')")) as server:
        name = lab.notebook("seven.ipynb", agent(server.url, options="--approve ask"), "'mine'")
        run = Run(notebook=open_in_notebook_7(page, lab, name))
        run.notebook.wait_for_panel("Isolation: ")
        run.start()
        page.get_by_role("button", name="Run, and Approve the Rest").click()
        run.over()
    assert [text(cell) for cell in run.steps()] == ["one\n", ""]
    assert [cell["count"] for cell in run.steps()] == [2, 3]
    run.notebook.picture("notebook-7")
