"""A run as real cells in a real JupyterLab: they appear, run, are approved, stopped, undone and run again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.scripted_server import Reply, agent, serving, step
from tests.ui.conftest import Lab, new_page
from tests.ui.runs import Desk, text, until_saved

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def loaded(browser: Browser, lab: Lab) -> Iterator[Desk]:
    """JupyterLab without a notebook."""
    desk = Desk(new_page(browser), lab)
    desk.load()
    yield desk
    desk.page.context.close()


@pytest.fixture
def desk(loaded: Desk) -> Iterator[Desk]:
    """A place for the notebook of one test."""
    yield loaded
    loaded.clear()


def test_a_run_becomes_cells(desk: Desk) -> None:
    """Thought, code and answer are cells; the code grows while it is written, and runs as any cell."""
    code = "print('first')\nfor number in range(3):\n    print(number)\nnumber"
    with serving(
        Reply(text=step(code), pause=0.15), step("final_answer(40 + 2)", "Now I know.")
    ) as server:
        run = desk.open("cells", agent(server.url), "'mine'")
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
    until_saved(run.page, desk.lab, "cells", '"outcome": "answer"')
    run.notebook.picture("cells")


def test_undo_keeps_cells_and_removing_a_run_is_one_undo(desk: Desk) -> None:
    """Undo takes no step away by accident; failed attempts fold; a run's cells go, and come back, at once."""
    replies = (
        Reply(text=step("1/0"), pause=0.03),
        step("print('mended')"),
        step("final_answer('end')"),
    )
    with serving(*replies) as server:
        run = desk.open("undo", agent(server.url), "'mine'")
        run.start()
        run.until("steps.length > 0")
        run.notebook.command("notebook:undo-cell-action")
        run.over()
    run.notebook.command("notebook:undo-cell-action")
    assert len(run.cells()) == 9
    attempts = desk.page.get_by_role("button", name="1 failed attempt")
    attempts.wait_for()
    assert [cell["hidden"] for cell in run.cells()[1:5]] == [True, True, False, False]
    attempts.click()
    run.until("cells.every(cell => !cell.hidden)")
    desk.page.get_by_role("note", name="Step 1 of the agent, failed").wait_for()
    run.notebook.picture("cells-attempts")
    run.select(2)
    run.notebook.command("codeact:remove-cells")
    assert [cell["source"][:7] for cell in run.cells()] == ["%%agent", "'mine'"]
    run.notebook.command("notebook:undo-cell-action")
    assert len(run.cells()) == 9
    run.until("text(steps[1]) === 'mended\\n' && steps.every(c => c.state !== 'running')")


def test_approval_is_running_the_cell(desk: Desk) -> None:
    """Shift-Enter runs what is in the cell, edits included; the model is told, nothing ran before."""
    with serving(step("print('theirs')"), step("final_answer('end')")) as server:
        run = desk.open("approve", agent(server.url, options="--approve ask"), "'mine'")
        run.start()
        run.until("steps.length && steps[0].ours.status === 'waiting'")
        run.notebook.picture("approval-waits")
        assert run.steps()[0]["count"] is None
        editor = desk.page.locator(".jp-CodeCell").nth(1).locator(".cm-content")
        editor.click()
        desk.page.keyboard.press("Control+a")
        desk.page.keyboard.type("print('mine')")
        desk.page.keyboard.press("Shift+Enter")
        run.until("steps.length === 2 && steps[1].ours.status === 'waiting'")
        first = run.steps()[0]
        assert (first["source"], text(first)) == ("print('mine')", "mine\n")
        assert first["ours"]["edited"] is True
        assert "print('mine')" in str(server.requests[-1]["messages"][-1])
        place = run.place(1)
        run.start(place)
        run.over()
    assert "end" in run.cells()[-2]["source"]


def test_the_bar_of_a_waiting_step(desk: Desk) -> None:
    """Reject with a reason, approve the rest, and a deleted cell: the model is told, nothing else runs."""
    replies = (
        step("print('one')"),
        step("print('two')"),
        step("print('three')"),
        step("print('four')"),
        step("final_answer('end')"),
    )
    with serving(*replies) as server:
        run = desk.open("bar", agent(server.url, options="--approve ask"), "'mine'")
        run.start()
        run.until("steps.length === 1 && steps[0].ours.status === 'waiting'")
        desk.page.get_by_role("button", name="Reject…").click()
        desk.page.locator(".jp-Dialog input").fill("Use the other file.")
        desk.page.get_by_role("button", name="Reject", exact=True).click()
        run.until("steps.length === 2 && steps[1].ours.status === 'waiting'")
        assert "Use the other file." in str(server.requests[-1]["messages"][-1])
        assert "Use the other file." in text(run.steps()[0])
        run.select(run.place(1))
        run.notebook.command("notebook:delete-cell")
        run.until("steps.length === 2 && steps[1].ours.status === 'waiting'")
        assert "deleted" in str(server.requests[-1]["messages"][-1])
        desk.page.get_by_role("button", name="Run, and Approve the Rest").click()
        run.over()
    assert [text(cell) for cell in run.steps()[1:3]] == ["three\n", "four\n"]
    assert desk.page.locator(".codeact-Approval").count() == 0


def test_risky_steps_wait_and_say_why(desk: Desk) -> None:
    """With `risky` a harmless step runs by itself; one that the checks flag waits, with their reason."""
    risky = "import subprocess\nsubprocess.run(['true'])"
    with serving(step("print('plain')"), step(risky), step("final_answer('end')")) as server:
        run = desk.open("risky", agent(server.url, options="--approve risky"), "'mine'")
        run.start()
        run.until("steps.length === 2 && steps[1].ours.status === 'waiting'")
        assert text(run.steps()[0]) == "plain\n"
        concern = desk.page.locator(".codeact-Approval-concern")
        assert concern.all_inner_texts() == run.steps()[1]["ours"]["concerns"]
        assert "runs a shell command" in concern.first.inner_text()
        run.notebook.picture("approval-risky")
        desk.page.get_by_role("button", name="Run", exact=True).click()
        run.over()
    assert run.steps()[1]["count"] == 3


def test_options_are_completed_behind_the_magic(desk: Desk) -> None:
    """Tab completes an option, and its value, in the first line of an agent cell."""
    run = desk.open("completion", "")
    run.type_in(0, "%%agent --app")
    for expected in ("%%agent --approve", "%%agent --approve risky"):
        desk.page.keyboard.press("Tab")
        desk.page.locator(".jp-Completer-item").wait_for()
        desk.page.keyboard.press("Enter")
        run.until(f"cells[0].source === {expected!r}")
        desk.page.keyboard.insert_text(" ri")


def test_an_agent_cell_that_is_run_again_has_only_its_new_run(desk: Desk) -> None:
    """As with outputs. What the user changed stays, as stale; Run All runs nothing of what goes; one Undo."""
    replies = (step("print('one')", "First."), step("print('two')"), step("final_answer('end')"))
    with serving(*replies) as server:
        run = desk.open("again", agent(server.url), "'mine'")
        run.start()
        run.over()
        first = [cell["id"] for cell in run.cells()]
        run.type_in(run.place(1), "print('changed')")
        run.select(0)
        run.notebook.command("notebook:run-all-cells")
        run.until(f"steps.length === 4 && steps.every(c => !{first[2:3]!r}.includes(c.id))")
        run.until("cells.at(-1).count && cells[0].ours.run.outcome")
    kept = [cell for cell in run.cells() if cell["id"] in first[1:-1]]
    assert [cell["ours"]["stale"] for cell in kept] == [True, True]
    assert text(kept[1]) == "changed\n"  # it is the user's: "Run All" runs it, behind the agent
    assert [text(cell) for cell in run.steps()[:3]] == ["one\n", "two\n", ""]
    desk.page.get_by_role(
        "note", name="Step 2 of the agent, changed since it ran, stale"
    ).wait_for()
    run.notebook.picture("cells-again")
    run.select(0)
    run.notebook.command("notebook:undo-cell-action")
    assert set(first) <= {cell["id"] for cell in run.cells()}


def test_a_run_is_stopped_while_the_model_thinks(desk: Desk) -> None:
    """Interrupting the kernel ends it: no half-written cell, nothing that looks as if it went on."""
    with serving(step("print('one')"), Reply(text=step("print('never')"), stall=100)) as server:
        run = desk.open("thinking", agent(server.url), "'mine'")
        run.start()
        run.until("steps.length && text(steps[0]) === 'one\\n' && steps[0].ours.replies")
        while len(server.requests) < 2:
            desk.page.wait_for_timeout(50)
        run.notebook.command("notebook:interrupt-kernel")
        run.over()
    assert len(run.steps()) == 1
    assert run.cells()[0]["ours"]["run"]["outcome"] == "stopped"


def test_what_runs_is_as_any_cell(desk: Desk) -> None:
    """Widgets with callbacks, captured output and `input()` work in a step; Stop ends the run."""
    code = (
        "import ipywidgets as w\nout = w.Output()\nslider = w.IntSlider(value=4)\n"
        "@slider.observe\ndef moved(change):\n    with out:\n        print('moved', slider.value)\n"
        "display(slider, out)\nname = input('Name? ')\nprint('hello', name)"
    )
    endless = "import time\nfor n in range(1000):\n    print(n, flush=True)\n    time.sleep(0.1)"
    with serving(step(code), step(endless)) as server:
        run = desk.open("native", agent(server.url), "'mine'")
        run.start()
        desk.page.locator(".jp-Stdin-input").fill("Ada")
        desk.page.locator(".jp-Stdin-input").press("Enter")
        run.until("steps.length && text(steps[0]).includes('hello Ada')")
        run.until("steps.length === 2 && text(steps[1]).includes('3')")
        assert run.cells()[0]["state"] == "running"
        run.notebook.command("notebook:interrupt-kernel")
        run.over()
        desk.page.locator(".noUi-handle").focus()
        desk.page.keyboard.press("ArrowRight")
        desk.page.get_by_text("moved 5").first.wait_for()
    assert run.steps()[1]["ours"]["status"] == "interrupted"
    assert run.cells()[0]["ours"]["run"]["outcome"] == "stopped"
