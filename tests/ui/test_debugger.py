"""JupyterLab's debugger, as a person uses it."""

from __future__ import annotations

from playwright.sync_api import Page, WebSocket

from tests.ui.conftest import Lab, open_notebook

CODE = "def add(first, second):\n    total = first + second\n    return total\n\nadd(20, 22)"


class Replies:
    """Counts what the kernel has answered the debugger in this page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._frames: list[bytes] = []
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._keep)

    def _keep(self, frame: bytes | str) -> None:
        self._frames.append(frame if isinstance(frame, bytes) else frame.encode())

    def count(self, command: str) -> int:
        """How many good answers there were to a command."""
        words = f'"command":"{command}","success":true'.encode()
        return sum(words in frame for frame in self._frames)

    def wait_for(self, command: str, before: int = 0) -> None:
        """Until there is one more than before."""
        while self.count(command) <= before:
            self._page.wait_for_timeout(50)


def test_a_click_in_the_gutter_stops_a_cell(page: Page, lab: Lab) -> None:
    """A breakpoint stops the cell, also after a restart; stack and variables are shown, and it goes on."""
    replies = Replies(page)
    notebook = open_notebook(page, lab, lab.notebook("debugged.ipynb", CODE))
    replies.wait_for("debugInfo")
    page.locator(".jp-DebuggerBugButton").click()
    replies.wait_for("modules")
    gutter = page.locator(".jp-Cell").first.locator(".cm-breakpoint-gutter .cm-gutterElement")
    gutter.nth(2).click()  # the first one is CodeMirror's measure
    gutter.nth(2).locator(".cm-breakpoint-icon").wait_for()
    before = 0
    for _ in range(2):
        replies.wait_for("setBreakpoints", before)
        page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-cell')")
        page.locator(".jp-DebuggerCallstack").get_by_text("add", exact=True).wait_for()
        page.locator(".jp-DebuggerVariables").get_by_text("second").wait_for()
        assert "22" in page.locator(".jp-DebuggerVariables").inner_text()
        notebook.picture("debugger")
        notebook.command("debugger:continue")
        notebook.wait_for_count(0, 1)
        assert "42" in notebook.text(0)
        before = replies.count("setBreakpoints")
        page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
