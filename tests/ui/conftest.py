"""A real JupyterLab with this checkout's kernel and extension, and a real Chromium looking at it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from scripts.build_hook import build
from tests.scripted_server import USUAL

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "artefacts" / "ui"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
QUIET = [
    "--no-sandbox",  # Chromium's own needs a user who is not root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {"notification": {"fetchNews": "false", "checkForUpdates": False}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A running JupyterLab: its address (with a slash at the end), its token, the folder it serves."""

    url: str
    token: str
    folder: Path

    def notebook(self, name: str, *sources: str, kernel: str = "codeact") -> str:
        """Write a notebook with these code cells; its name."""
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), self.folder / name)
        return name


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab, with folders of its own for everything it reads and writes."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    home = tmp_path_factory.mktemp("lab")
    with jupyterlab(home) as lab:
        yield lab
    PICTURES.mkdir(parents=True, exist_ok=True)
    process = os.environ.get("PYTEST_XDIST_WORKER", "tests")
    shutil.copy(home / "log", PICTURES / f"jupyterlab-{process}.log")


@contextmanager
def jupyterlab(home: Path) -> Iterator[Lab]:
    """A JupyterLab that reads and writes only below `home`."""
    share = home / "share"
    (share / "kernels").mkdir(parents=True)
    (share / "labextensions").mkdir()
    built = ROOT / "codeact_kernel" / "labextension"
    build(ROOT / "labextension", built)
    (share / "labextensions" / "codeact-labextension").symlink_to(built)
    (share / "kernels" / "codeact").symlink_to(ROOT / "codeact_kernel" / "kernelspec")
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    for name, value in SETTINGS.items():
        (settings / f"{name}.jupyterlab-settings").write_text(json.dumps(value))
    folder = home / "work"
    folder.mkdir()
    environ = {
        **os.environ,
        "JUPYTER_PATH": str(share),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "CODEACT_API_BASE": USUAL,
        "CODEACT_STANDBY": "false",  # the processors are for the tests
    }
    options = [
        "--no-browser",
        "--allow-root",
        "--port=0",
        "--LabApp.expose_app_in_browser=True",
        "--ServerApp.jpserver_extensions=notebook=True",  # Notebook from the same server
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]
    command = [sys.executable, "-m", "jupyterlab", *options, f"--ServerApp.root_dir={folder}"]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            command, env=environ, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        info = _announced(home / "runtime" / f"jpserver-{server.pid}.json", server)
        yield Lab(url=info["url"], token=info["token"], folder=folder)
    finally:
        server.terminate()
        server.wait(30)


def _announced(file: Path, server: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What the server writes about itself once it listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "JupyterLab ended while it started"
        with suppress(FileNotFoundError, json.JSONDecodeError):  # or only half of it is there
            info: dict[str, Any] = json.loads(file.read_text())
            return info
        time.sleep(0.1)
    raise AssertionError("JupyterLab did not start within 60 s")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. Not for the whole session: while it is open no asyncio test can run in this thread."""
    with chromium() as browser:
        yield browser


@contextmanager
def chromium() -> Iterator[Browser]:
    """The Chromium of this machine, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new, empty window."""
    page = new_page(browser)
    yield page
    page.context.close()


def new_page(browser: Browser) -> Page:
    """A new, empty window that shares nothing with another, 1280 by 800."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(60_000)  # the first run imports litellm, on a machine with more to do
    return page


@dataclass(frozen=True, slots=True, kw_only=True)
class Notebook:
    """A notebook open in a page, driven by JupyterLab's own commands."""

    page: Page

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Execute one of JupyterLab's commands and wait for its end."""
        self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)",
            [name, arguments or {}],
        )

    def wait_for_kernel(self) -> None:
        """Until the notebook's kernel is idle."""
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.sessionContext"
            "?.session?.kernel?.status === 'idle'"
        )

    def wait_for_notebook(self) -> None:
        """Until a page that was loaded shows the notebook and knows its kernel."""
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
        )

    def text(self, cell: int) -> str:
        """What is shown below a cell."""
        return self.page.locator(".jp-Cell").nth(cell).locator(".jp-OutputArea").inner_text()

    def wait_for_count(self, cell: int, count: int) -> None:
        """Until the cell's prompt shows this execution count."""
        prompt = self.page.locator(".jp-Cell").nth(cell).locator(".jp-InputPrompt")
        prompt.get_by_text(f"[{count}]:").wait_for()

    def panel(self) -> str:
        """The text of our panel, brought to the front."""
        self.page.evaluate("() => window.jupyterapp.shell.activateById('codeact-panel')")
        return self.page.locator("#codeact-panel").inner_text()

    def wait_for_panel(self, words: str) -> None:
        """Until our panel shows these words."""
        self.page.locator("#codeact-panel").wait_for(state="attached")
        self.panel()
        self.page.locator("#codeact-panel").get_by_text(words).wait_for()

    def picture(self, name: str) -> None:
        """Keep what the page looks like now."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png")


def open_in_notebook_7(page: Page, lab: Lab, name: str) -> Notebook:
    """Open it in Notebook instead of JupyterLab."""
    page.goto(f"{lab.url}notebooks/{name}?token={lab.token}")
    notebook = Notebook(page=page)
    notebook.wait_for_kernel()
    return notebook


def open_notebook(page: Page, lab: Lab, name: str) -> Notebook:
    """Open it in a fresh workspace and wait until its kernel is idle."""
    page.goto(f"{lab.url}lab/tree/{name}?token={lab.token}&reset")
    notebook = Notebook(page=page)
    notebook.wait_for_kernel()
    return notebook
