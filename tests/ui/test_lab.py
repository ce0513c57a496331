"""The kernel and the extension in a real JupyterLab, seen through a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.ui.conftest import Lab, open_notebook

pytestmark = pytest.mark.timeout(180)


def test_a_cell_runs_and_the_panel_is_connected(lab: Lab, page: Page) -> None:
    """A cell shows its result, and the panel says how the kernel is isolated, in both themes."""
    notebook = open_notebook(page, lab, lab.notebook("sum.ipynb", "1 + 1"))
    notebook.command("notebook:run-cell")
    notebook.wait_for_count(0, 1)
    assert notebook.text(0).strip().endswith("2")
    notebook.wait_for_panel("Isolation: ")
    notebook.picture("panel-light")
    notebook.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
    page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    notebook.wait_for_panel("Isolation: ")
    notebook.picture("panel-dark")


def test_the_panel_connects_again_after_a_restart(lab: Lab, page: Page) -> None:
    """A restart kills the comm silently; a new one is opened, and cells run in the new kernel."""
    notebook = open_notebook(page, lab, lab.notebook("restart.ipynb", "n = 1", "n"))
    notebook.wait_for_panel("Isolation: ")
    notebook.command("notebook:run-cell")
    notebook.wait_for_count(0, 1)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    notebook.wait_for_panel("Connecting")
    notebook.wait_for_panel("Isolation: ")
    notebook.wait_for_kernel()
    notebook.command("notebook:move-cursor-down")
    notebook.command("notebook:run-cell")
    notebook.wait_for_count(1, 1)
    assert "NameError" in notebook.text(1)


def test_the_panel_keeps_out_of_other_kernels(lab: Lab, page: Page) -> None:
    """A notebook with ipykernel is left alone, and the panel says what to change."""
    notebook = open_notebook(page, lab, lab.notebook("other.ipynb", "1", kernel="python3"))
    notebook.wait_for_panel("Another kernel")
    assert "“python3”" in notebook.panel()
