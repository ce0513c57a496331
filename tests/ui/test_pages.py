"""What can happen to the page in which an agent works: the kernel owns the run, and the page is its picture."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.scripted_server import agent, serving, step
from tests.ui.conftest import Lab, new_page, open_in_notebook_7, open_notebook
from tests.ui.runs import Run, opened, text, until_saved

pytestmark = pytest.mark.timeout(300)


def test_a_reload_in_the_middle_loses_and_doubles_nothing(lab: Lab, page: Page) -> None:
    """The run goes on without the page; cells, lines and count are there when it comes back."""
    code = "import time\nfor n in range(10_000):\n    print(n, flush=True)\n    time.sleep(0.1)"
    with serving(step(code)) as server:
        run = opened(page, lab, "reload", agent(server.url), "'mine'")
        run.start()
        run.until("steps.length && steps[0].outputs.length")
        page.reload()
        run.notebook.wait_for_notebook()
        run.until("steps.length && steps[0].outputs.length && steps[0].state === 'running'")
        assert run.cells()[0]["state"] == "running"
        run.notebook.command("notebook:interrupt-kernel")
        run.over()
    (only,) = run.steps()
    lines = [int(line) for line in text(only).splitlines() if line.isdigit()]
    assert lines == list(range(len(lines)))
    assert only["count"] == 2
    ids = [cell["id"] for cell in run.cells()]
    assert len(ids) == len(set(ids)) == 4


def test_the_browser_is_closed_and_opened_again(lab: Lab, browser: Browser) -> None:
    """The run goes on without it and ends; who opens the notebook later finds all of it, run once."""
    code = "import time\nran = globals().get('ran', 0) + 1\ntime.sleep(4)\nprint('ran', ran)"
    with serving(step("print('first')"), step(code), step("final_answer(ran)")) as server:
        run = opened(new_page(browser), lab, "closed", agent(server.url), "'mine'")
        run.start()
        run.until("steps.length === 2 && steps[1].state === 'running'")
        until_saved(run.page, lab, "closed", '"first\\n"')  # what was done is in the file
        run.page.context.close()
        page = new_page(browser)
        while len(server.requests) < 3:
            page.wait_for_timeout(50)
        run = Run(notebook=open_notebook(page, lab, "closed.ipynb"))
        run.over()
        assert [text(cell) for cell in run.steps()] == ["first\n", "ran 1\n", ""]
        assert [cell["count"] for cell in run.steps()] == [2, 3, 4]
        ids = [cell["id"] for cell in run.cells()]
        assert len(ids) == len(set(ids)) == 9
        page.context.close()


def test_the_kernel_is_restarted_in_the_middle(lab: Lab, page: Page) -> None:
    """Nothing looks as if it still ran; the cell run again has only its new run."""
    with serving(step("import time\nprint('on')\ntime.sleep(100)"), step("never()")) as server:
        run = opened(page, lab, "restarted", agent(server.url), "'mine'")
        run.start()
        run.until("steps.length && steps[0].state === 'running' && text(steps[0])")
        page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
        run.until("cells.every(c => c.state !== 'running')")
        page.get_by_role("note", name="Step 1 of the agent, not finished").wait_for()
    with serving(step("print('again')"), step("final_answer('end')")):
        run.notebook.wait_for_panel("Isolation: ")
        run.notebook.wait_for_kernel()
        run.start()
        run.over()
    assert [text(cell) for cell in run.steps()] == ["again\n", ""]


def test_two_tabs_show_one_run(lab: Lab, page: Page, browser: Browser) -> None:
    """A second tab has the same cells and outputs, live; the code ran once."""
    code = "import time\nran = globals().get('ran', 0) + 1\ntime.sleep(2)\nprint('ran', ran)"
    with serving(step(code), step("final_answer(ran)")) as server:
        run = opened(page, lab, "tabs", agent(server.url), "'mine'")
        other = new_page(browser)
        second = Run(notebook=open_notebook(other, lab, "tabs.ipynb"))
        second.notebook.wait_for_panel("Isolation: ")
        run.start()
        second.until("steps.length && steps[0].state === 'running'")
        run.over()
        second.over()
    assert [text(cell) for cell in run.steps()] == [text(cell) for cell in second.steps()]
    assert text(second.steps()[0]) == "ran 1\n"
    assert [cell["id"] for cell in run.cells()] == [cell["id"] for cell in second.cells()]
    other.context.close()


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
