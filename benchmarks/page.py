"""What a person in JupyterLab waits for, in a real Chromium: cells, text, scrolling, a panel out of sight.

Rule: both kernels in the same page of the same server. What is looked at is written down inside the page, by its
own clock, which is the clock of the code that prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.rows import Figure
from tests.scripted_server import agent, serving, step
from tests.ui.conftest import CHROMIUM, Notebook, chromium, jupyterlab, new_page
from tests.ui.runs import Desk, Run

LINES = 20_000
PRINT = "import time\nfor n in range({times}):\n    print(time.time(), flush=True)\n    time.sleep(0.05)"
FLOOD = f"for n in range({LINES}): print(n, flush=True)"
WATCH_TEXT = """() => { window.delays = []; new MutationObserver(changes => {
    const now = (performance.timeOrigin + performance.now()) / 1000;
    for (const change of changes) {
        const node = change.target.nodeType === 3 ? change.target.parentElement : change.target;
        const lines = (node.closest('.jp-OutputArea-output')?.textContent ?? '').trim().split('\\n');
        const last = Number(lines.at(-1));
        if (last > 1e9 && last !== window.seen) {
            window.seen = last; window.delays.push(now - last); } } })
    .observe(document.querySelector('.jp-NotebookPanel'),
             {childList: true, subtree: true, characterData: true}); }"""
WATCH_CELLS = """() => { window.waits = [];
    const content = window.jupyterapp.shell.currentWidget.content;
    content.model.cells.changed.connect((_, change) => change.newValues.forEach(cell => {
        if (cell.type === 'code') {
            const began = performance.now(); let done = false;
            cell.stateChanged.connect((_, what) => {
                if (!done && what.name === 'executionState' && what.newValue === 'running') {
                    done = true; window.waits.push((performance.now() - began) / 1000); } });
        } })); }"""
SCROLL = """async () => { const tasks = [];
    const observer = new PerformanceObserver(list =>
        list.getEntries().forEach(entry => tasks.push(entry.duration)));
    observer.observe({entryTypes: ['longtask']});
    const outer = document.querySelector('.jp-WindowedPanel-outer');
    const frame = () => new Promise(resolve => requestAnimationFrame(resolve));
    for (const way of [1, -1]) {
        for (let at = 0; at < 120; at++) { outer.scrollBy(0, way * 60); await frame(); } }
    await new Promise(resolve => setTimeout(resolve, 100));
    return tasks; }"""
WATCH_PANEL = """() => { window.drawn = 0; new MutationObserver(changes => { window.drawn += changes.length; })
    .observe(document.querySelector('#codeact-panel'),
             {childList: true, subtree: true, characterData: true, attributes: true}); }"""
TEXT = """() => window.jupyterapp.shell.currentWidget.content.widgets[0].model.outputs.toJSON()
    .map(output => [output.text ?? ''].flat().join('')).join('')"""


def rows(quick: bool) -> Iterator[Figure]:
    """Five rows. Raises SystemExit where there is no Chromium."""
    if CHROMIUM is None:
        raise SystemExit("no Chromium here: apt-get install chromium")
    with TemporaryDirectory() as home, jupyterlab(Path(home)) as lab, chromium() as browser:
        desk = Desk(new_page(browser), lab)
        desk.page.set_default_timeout(300_000)
        desk.load()
        yield _text(desk, quick)
        yield _flood(desk)
        yield from _cells(desk, 8 if quick else 30)


def _text(desk: Desk, quick: bool) -> Figure:
    delays = {}
    for kernel in ("codeact", "python3"):
        notebook = _plain(desk, kernel, PRINT.format(times=10 if quick else 100))
        notebook.page.evaluate(WATCH_TEXT)
        notebook.command("notebook:run-cell")
        notebook.wait_for_count(0, 1)
        delays[kernel] = [1000 * each for each in notebook.page.evaluate("() => window.delays")]
        desk.clear()
    ours, peer = delays["codeact"], delays["python3"]
    return Figure(name="print → text in the page", ours=ours, peer=peer, budget=10, unit="ms")


def _flood(desk: Desk) -> Figure:
    """Without the peer: the server drops so much of what ipykernel says that its cell may never end."""
    notebook = _plain(desk, "codeact", FLOOD)
    notebook.command("notebook:run-cell")
    notebook.wait_for_count(0, 1)
    notebook.wait_for_kernel()
    lost = float(LINES - notebook.page.evaluate(TEXT).count("\n"))
    desk.clear()
    return Figure(name=f"{LINES:,} flushed lines: lost", ours=[lost], budget=0, unit="lines")


def _cells(desk: Desk, steps: int) -> Iterator[Figure]:
    code = "import pandas as pd\npd.DataFrame({'n': range(12)})"
    with serving(*(step(code) for _ in range(steps)), step("final_answer('end')")) as server:
        run = desk.open("steps", agent(server.url, options=f"--steps {steps + 2}"))
        run.page.evaluate("() => window.jupyterapp.shell.collapseRight()")
        run.page.evaluate(WATCH_PANEL)
        run.page.evaluate(WATCH_CELLS)
        run.start()
        run.over()
    waits: list[float] = run.page.evaluate("() => window.waits")
    yield Figure(
        name="cell inserted → running", ours=[1000 * each for each in waits], budget=100, unit="ms"
    )
    drawn: Any = run.page.evaluate("() => window.drawn")
    name = f"panel out of sight, {steps} steps: drawn"
    yield Figure(name=name, ours=[float(drawn)], budget=0, unit="times")
    yield _scroll(run, steps)


def _scroll(run: Run, steps: int) -> Figure:
    tasks: list[float] = run.page.evaluate(SCROLL)
    name = f"long tasks, scrolling {steps} steps"
    note = f"{len(tasks)} of 240 frames"
    return Figure(name=name, ours=[max(tasks, default=0.0)], budget=100, unit="ms", note=note)


def _plain(desk: Desk, kernel: str, source: str) -> Notebook:
    """A notebook with one cell and this kernel."""
    if kernel == "codeact":
        return desk.open("plain", source).notebook
    name = desk.lab.notebook("peer.ipynb", source, kernel=kernel)
    notebook = Notebook(page=desk.page)
    notebook.command("docmanager:open", {"path": name})
    notebook.wait_for_kernel()
    return notebook
