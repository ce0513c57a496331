"""The side panel in a real JupyterLab: it shows a run live, and what is clicked there is done."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.scripted_server import Reply, agent, serving, step
from tests.ui.conftest import Lab, Notebook, open_notebook

pytestmark = pytest.mark.timeout(240)
TABLE = "import pandas as pd\ndf = pd.DataFrame({'city': ['Oslo', 'Bergen'], 'n': [3, 4]})\ndf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The side panel of a page, in front."""

    notebook: Notebook

    @property
    def page(self) -> Page:
        return self.notebook.page

    def section(self, name: str) -> Locator:
        """A section's content."""
        return self.page.locator(f"#codeact-section-{name}")

    def toggle(self, *labels: str) -> None:
        """Open these sections, or close them."""
        for label in labels:
            self.page.locator("#codeact-panel .jp-AccordionPanel-title", has_text=label).click()

    def run(self) -> None:
        """Run the active cell and do not wait for its end."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell') }")

    def until(self, outcome: str) -> None:
        """Until the run shown is `goes` or has ended so."""
        self.page.locator(f".codeact-Progress[data-outcome={outcome}]").wait_for()


def opened(page: Page, lab: Lab, name: str, *sources: str) -> Panel:
    """A notebook with these cells, and the panel beside it."""
    notebook = open_notebook(page, lab, lab.notebook(f"{name}.ipynb", *sources))
    notebook.wait_for_panel("has not been asked yet")
    return Panel(notebook=notebook)


def test_a_run_is_shown_from_its_task_to_its_answer(lab: Lab, page: Page) -> None:
    """Steps with thought, status and tokens; variables with the step that made them; observations."""
    replies = [
        step(TABLE, "I load the table first."),
        step("total = int(df.n.sum())\nprint(total)", "Now the sum."),
        step("1 / 0", "This will fail."),
        step("final_answer(f'The sum is {total}.')", "Done."),
    ]
    with serving(*replies) as server:
        panel = opened(
            page, lab, "run", "depth = 3", agent(server.url, "Add up.", "--steps 8"), "1 / 0"
        )
        panel.notebook.picture("panel-empty")
        panel.notebook.command("notebook:run-cell-and-select-next")
        panel.run()
        panel.until("answer")
    run = panel.section("run")
    expect(run).to_contain_text("Add up.")
    expect(run).to_contain_text("4 of 8")
    expect(run).to_contain_text("The sum is 7.")
    statuses = run.locator(".codeact-Step")
    expect(statuses).to_have_count(4)
    expect(statuses.nth(2)).to_contain_text("3 · error")
    frame = panel.section("variables").get_by_role("row", name="df")
    expect(frame).to_contain_text("DataFrame (2, 2)")
    expect(frame.locator("td").last).to_have_text("1")
    panel.notebook.picture("panel-run-light")
    frame.get_by_role("button").click()
    expect(panel.section("variables").get_by_role("row", name="1 Bergen 4")).to_be_visible()
    panel.toggle("Run", "Variables", "Observations")
    expect(panel.section("observations")).to_contain_text("ZeroDivisionError")
    panel.toggle("Run", "Observations", "Rewind")
    state = panel.section("rewind").locator(".codeact-State", has_text="before step 2")
    state.get_by_role("button", name="Go back").click()
    expect(run.locator(".codeact-Step").nth(1)).to_contain_text("taken back")
    page.set_viewport_size({"width": 1920, "height": 1080})
    panel.notebook.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
    page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    panel.notebook.panel()
    panel.notebook.picture("panel-run-dark")
    page.reload()
    panel.notebook.wait_for_kernel()
    panel.notebook.panel()
    expect(panel.section("run").locator(".codeact-Step")).to_have_count(4)


def test_a_run_is_stopped_continued_and_stopped_again(lab: Lab, page: Page) -> None:
    """While the model thinks and while code runs; Continue inserts a cell that goes on."""
    with serving(Reply(text="Never.", stall=100)) as server:
        panel = opened(page, lab, "stop", agent(server.url))
        panel.run()
        panel.until("goes")
        panel.section("run").get_by_role("button", name="Stop").click()
        panel.until("stopped")
    forever = "import time\nwhile True: time.sleep(0.1)"
    with serving(step(forever)):
        panel.section("run").get_by_label("for at most").fill("5")
        panel.section("run").get_by_role("button", name="Continue").click()
        page.locator(".codeact-Step[data-status=running]").wait_for()
        panel.section("run").get_by_role("button", name="Stop").click()
        panel.until("stopped")
    expect(panel.section("run").locator(".codeact-Step").last).to_contain_text("interrupted")
    source = (
        "() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel.source"
    )
    assert page.evaluate(source) == "%agent continue --steps 5"


def test_an_observation_is_changed_before_the_model_is_asked(lab: Lab, page: Page) -> None:
    """Edit holds the run, a question under way is taken back; the model is asked with the new text,
    and the cell keeps both. When the run is over the last one can be changed, too."""
    slow = Reply(
        text=step("x = 1", "I write this slowly, so that somebody can stop me."), pause=0.2
    )
    with serving(step("print(41)"), slow, step("final_answer('done')")) as server:
        panel = opened(page, lab, "observed", agent(server.url))
        panel.toggle("Variables", "Observations")
        panel.run()
        section = panel.section("observations")
        section.get_by_role("button", name="Edit…").click()
        expect(panel.section("run")).to_contain_text("held by you")
        text = section.get_by_role("textbox")
        assert "stdout:\n41" in text.input_value()
        text.fill("[step 1/20: ok]\nstdout:\n42")
        panel.notebook.picture("panel-observation")
        section.get_by_role("button", name="Save and go on").click()
        expect(section).to_contain_text("edited by you")
        panel.until("answer")
        shown = [body["messages"][-1]["content"] for body in server.requests]
        assert sum(text.endswith("stdout:\n42") for text in shown) == 1
        record = page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.content.widgets.map("
            "each => each.model.getMetadata('codeact')?.observation).find(each => each?.original)"
        )
        assert record["text"].endswith("stdout:\n42")
        assert "stdout:\n41" in record["original"]
        section.get_by_role("button", name="Edit…").click()
        section.get_by_role("textbox").fill("No, it is not done.")
        section.get_by_role("button", name="Save", exact=True).click()
        expect(section.locator("pre", has_text="No, it is not done.")).to_be_visible()
        panel.section("run").get_by_role("button", name="Continue").click()
        panel.until("answer")
    assert server.requests[-1]["messages"][-1]["content"].startswith("No, it is not done.")


def test_a_value_is_changed_in_place(lab: Lab, page: Page) -> None:
    """Enter sets it in the kernel; what is no value is refused with a sentence and stays typed."""
    panel = opened(page, lab, "values", "depth = 3", "print(depth * 2)")
    panel.notebook.command("notebook:run-cell-and-select-next")
    row = panel.section("variables").get_by_role("row", name="depth")
    row.get_by_role("button").click()
    row.get_by_role("textbox").fill("many")
    row.get_by_role("textbox").press("Enter")
    expect(panel.section("variables").get_by_role("alert")).to_contain_text("'many' is not a value")
    row.get_by_role("textbox").fill("21")
    row.get_by_role("textbox").press("Enter")
    expect(row.get_by_role("button")).to_have_text("21")
    panel.notebook.command("notebook:run-cell")
    panel.notebook.wait_for_count(1, 2)
    assert "42" in panel.notebook.text(1)


def test_staged_files_are_kept_and_discarded(lab: Lab, page: Page) -> None:
    """Each with its difference; what is kept is in the folder, what is discarded is not."""
    code = "open('kept.md', 'w').write('# Kept\\n'); open('junk.md', 'w').write('junk\\n')"
    with serving(step(code), step("final_answer('done')")) as server:
        panel = opened(page, lab, "staged", agent(server.url))
        panel.run()
        panel.until("answer")
    panel.toggle("Run", "Variables", "Files")
    files = panel.section("files")
    expect(files.locator(".codeact-Change, .codeact-Empty").first).to_be_visible()
    if "Nothing can be staged here" in files.inner_text():
        pytest.skip("what code writes cannot be staged here")
    change = files.locator(".codeact-Change", has_text="kept.md")
    change.locator("summary").click()
    expect(change).to_contain_text("+# Kept")
    panel.notebook.picture("panel-files")
    change.get_by_role("button", name="Keep", exact=True).click()
    expect(change).to_have_count(0)
    assert (lab.folder / "kept.md").read_text() == "# Kept\n"
    files.get_by_role("button", name="Discard", exact=True).click()
    expect(files).to_contain_text("Nothing is staged")
    assert not (lab.folder / "junk.md").exists()


def test_displays_are_trusted_only_when_asked_again(lab: Lab, page: Page) -> None:
    """The switch asks what it means first; the panel then says so on top."""
    panel = opened(page, lab, "trusting", "1")
    panel.toggle("Run", "Variables", "Sandbox")
    section = panel.section("sandbox")
    expect(section.get_by_role("meter").first).to_be_visible()
    section.get_by_role("switch").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(section.get_by_role("switch")).not_to_be_checked()
    section.get_by_role("switch").click()
    page.get_by_role("dialog").get_by_role("button", name="Trust display").click()
    expect(section.get_by_role("switch")).to_be_checked()
    expect(page.locator(".codeact-Status")).to_contain_text("Displays are trusted")
    panel.notebook.picture("panel-sandbox")
    section.get_by_role("switch").click()
    expect(section.get_by_role("switch")).not_to_be_checked()


def test_settings_are_saved_and_shape_the_next_run(lab: Lab, page: Page) -> None:
    """A number of steps that is set in the panel is the limit of a run, and is there after a reload."""
    with serving(step("1")) as server:
        panel = opened(page, lab, "settings", agent(server.url))
        panel.toggle("Variables", "Settings")
        settings = panel.section("settings")
        settings.get_by_label("Steps").fill("2")
        settings.get_by_label("Steps").press("Enter")
        panel.notebook.picture("panel-settings")
        page.wait_for_function(
            "async () => { const id = 'codeact-labextension:plugin';"
            "const found = await window.jupyterapp.serviceManager.settings.fetch(id);"
            "return found.raw.includes('\"steps\": 2'); }"
        )
        panel.run()
        panel.until("step_limit")
    expect(panel.section("run")).to_contain_text("2 of 2")
    page.reload()
    panel.notebook.wait_for_kernel()
    panel.notebook.panel()
    expect(settings.get_by_label("Steps")).to_have_value("2")
    settings.get_by_label("Steps").fill("")
    settings.get_by_label("Steps").press("Enter")
    expect(settings.get_by_label("Steps")).to_have_attribute(
        "placeholder", re.compile("configured")
    )


def test_a_tool_that_is_switched_off_is_neither_offered_nor_run(lab: Lab, page: Page) -> None:
    """The functions of the notebook are listed with the shell; a switch is a saved setting."""
    define = (
        'def lucky(number: int) -> bool:\n    """Whether a number is lucky."""\n    return True'
    )
    with serving(step("print(lucky(7))"), step("final_answer('done')")) as server:
        panel = opened(page, lab, "tools", define, agent(server.url))
        panel.notebook.command("notebook:run-cell-and-select-next")
        panel.notebook.wait_for_count(0, 1)
        panel.toggle("Run", "Variables", "Settings")
        settings = panel.section("settings")
        expect(settings).to_contain_text("Whether a number is lucky.")
        settings.get_by_role("switch", name="lucky").click()
        expect(settings.get_by_role("switch", name="lucky")).not_to_be_checked()
        expect(settings.get_by_role("switch", name="shell")).to_be_checked()
        panel.notebook.picture("panel-tools")
        panel.toggle("Settings", "Run")
        panel.run()
        panel.until("answer")
        messages = server.requests[-1]["messages"]
        assert "lucky" not in messages[1]["content"]
        assert "lucky is switched off" in messages[-1]["content"]
        panel.toggle("Run", "Settings")
        settings.get_by_role("switch", name="lucky").click()
        expect(settings.get_by_role("switch", name="lucky")).to_be_checked()


def test_the_agent_is_asked_and_an_error_is_handed_to_it(lab: Lab, page: Page) -> None:
    """The toolbar button inserts an empty task; the command for an error one with cell and traceback."""
    panel = opened(page, lab, "asking", "cities = ['Oslo']\ncities[1]")
    panel.notebook.command("notebook:run-cell")
    panel.notebook.wait_for_count(0, 1)
    page.locator(".jp-Notebook .jp-OutputArea-output").first.click(button="right")
    page.get_by_role("menuitem", name="Let the Agent Fix This").click()
    cell = "n => window.jupyterapp.shell.currentWidget.content.widgets[n].model.sharedModel.source"
    task = page.evaluate(cell, 1)
    assert task.startswith("%%agent\n")
    assert "cities[1]" in task
    assert "IndexError" in task
    page.locator(".jp-NotebookPanel-toolbar [data-jp-item-name=codeact-ask] button").click()
    assert page.evaluate(cell, 2) == "%%agent\n"
    page.keyboard.type("Say hello.")
    assert page.evaluate(cell, 2) == "%%agent\nSay hello."
