"""A run in a JupyterLab without our extension: widgets while it goes on, plain outputs afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page

from codeact_kernel.trace.notebook import survey
from tests.scripted_server import Reply, serving
from tests.ui.conftest import Lab, Notebook, open_in_notebook_7, open_notebook

pytestmark = pytest.mark.timeout(180)


def step(code: str, thought: str = "I go on.", **how: Any) -> Reply:
    """A reply with code."""
    return Reply(text=f"{thought}\n\n<execute>\n{code}\n</execute>", **how)


def agent(url: str, options: str = "") -> str:
    """An agent cell that asks the scripted server."""
    return f"%%agent --model openai/scripted --api-base {url} {options}\nCount the words."


WITHOUT = "() => !window.jupyterapp.hasPlugin('codeact-labextension:plugin')"


@pytest.fixture
def page(page: Page) -> Page:
    """A window into which our extension does not come."""
    page.route("**/extensions/codeact-labextension/**", lambda route: route.abort())
    page.set_default_timeout(90_000)  # the first question of a kernel waits for litellm
    return page


@dataclass(frozen=True, slots=True, kw_only=True)
class Inline:
    """A notebook of one agent cell."""

    notebook: Notebook

    def start(self) -> None:
        """Run the cell without waiting for its end."""
        assert self.notebook.page.evaluate(WITHOUT)
        self.notebook.page.evaluate(
            "() => void window.jupyterapp.commands.execute('notebook:run-cell')"
        )

    def asked(self, number: int) -> None:
        """Until this step waits for approval."""
        self.notebook.page.locator(f"b:text('Step {number} waits')").wait_for()

    def press(self, button: str) -> None:
        """Press one of our buttons."""
        self.notebook.page.get_by_role("button", name=button, exact=True).click()

    def over(self) -> list[dict[str, Any]]:
        """The outputs of the cell once it has ended."""
        page = self.notebook.page
        page.locator(".jp-Cell .jp-InputPrompt").first.get_by_text("[1]:").wait_for()
        found: list[dict[str, Any]] = page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.content.widgets[0].model.outputs.toJSON()"
        )
        return found


def dark(notebook: Notebook) -> None:
    """Look at it in the dark."""
    notebook.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
    notebook.page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    notebook.page.wait_for_selector("#jupyterlab-splash", state="detached")


def said(outputs: list[dict[str, Any]]) -> str:
    """All of their Markdown and text."""
    return "\n".join(
        str(output.get("data", {}).get("text/markdown", output.get("text"))) for output in outputs
    )


def test_approving_changing_and_rejecting(lab: Lab, page: Page) -> None:
    """What stands in the editor runs, a reason reaches the model, and plain outputs stay, which hold
    the run for the file."""
    replies = (
        step("import shutil\nshutil.rmtree('data')", "I **tidy up**.", pause=0.02),
        step("x = 'theirs'"),
        step("final_answer(x)"),
    )
    with serving(*replies) as server:
        name = lab.notebook("inline.ipynb", agent(server.url, "--approve ask"))
        run = Inline(notebook=open_notebook(page, lab, name))
        run.start()
        run.asked(1)
        run.notebook.picture("inline-asks-light")
        page.get_by_placeholder("Why not?").fill("Keep the data.")
        run.press("Reject")
        run.asked(2)
        page.locator(".codeact-editor textarea").fill("x = 'mine'\nx.upper()")
        dark(run.notebook)
        run.asked(2)
        run.notebook.picture("inline-asks-dark")
        run.press("Approve the rest")
        outputs = run.over()
    assert "Keep the data." in str(server.requests[1]["messages"][-1])
    shown = said(outputs)
    for words in ("Answered · 3 steps", "I **tidy up**", "x = 'mine'", "**Answer**\n\nmine"):
        assert words in shown
    assert "theirs" not in shown
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": outputs}
    (saved,) = survey({"cells": [cell]}).trace.runs
    assert [step.code for step in saved.steps][1:] == ["x = 'mine'\nx.upper()", "final_answer(x)"]
    assert saved.steps[1].proposed == "x = 'theirs'"
    assert "widget-view" not in str(outputs)
    run.notebook.picture("inline-over")


def test_stopping_code_that_runs(lab: Lab, page: Page) -> None:
    """The head says what happens while it happens, and its button ends it."""
    code = "import time\nfor n in range(600):\n    print(n)\n    time.sleep(0.1)"
    with serving(step(code, "I count.", pause=0.2)) as server:
        name = lab.notebook("inline-stop.ipynb", agent(server.url))
        run = Inline(notebook=open_notebook(page, lab, name))
        run.start()
        page.locator(".codeact-code .codeact-keyword").first.wait_for()
        run.notebook.picture("inline-writing")
        page.get_by_text("Step 1: the code is running").wait_for()
        page.locator(".jp-OutputArea pre:text('2')").first.wait_for()
        run.notebook.picture("inline-running")
        run.press("Stop")
        outputs = run.over()
    assert "Stopped · 1 step" in said(outputs)
    assert "The code was interrupted." in said(outputs)
    assert "widget-view" not in str(outputs)


def test_in_notebook_7(lab: Lab, page: Page) -> None:
    """The same in Notebook, which shows the same widgets."""
    with serving(step("final_answer(6 * 7)", "I compute.")) as server:
        name = lab.notebook("inline-7.ipynb", agent(server.url, "--approve ask"))
        run = Inline(notebook=open_in_notebook_7(page, lab, name))
        run.start()
        run.asked(1)
        run.notebook.picture("inline-notebook-7")
        run.press("Approve")
        assert "**Answer**\n\n42" in said(run.over())
