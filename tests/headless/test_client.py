"""The notebook client against a kernel that says exactly what the test wants."""

from __future__ import annotations

import asyncio
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from codeact_kernel.headless.client import CellFailed, Client, Hooks
from codeact_kernel.trace.events import Event, RunFinished, RunStarted
from tests.headless.fake_kernel import FakeKernel, Script

SECONDS = 15.0


class Ran:
    """A client's run: the notebook, what failed, and what the hooks were told."""

    def __init__(self, script: Script, *sources: str, **options: Any) -> None:
        cells = [new_code_cell(source, id=f"c{n}") for n, source in enumerate(sources)]
        self.notebook: NotebookNode = new_notebook(cells=cells)
        self.kernel = FakeKernel(script)
        self.events: list[Event] = []
        self.saves = 0
        self.notes: list[str] = []
        hooks = Hooks(
            event=self.events.append,
            changed=self._save,
            starts=lambda index: None,
            note=self.notes.append,
        )
        manager: Any = self.kernel
        self.client = Client(self.notebook, manager, hooks=hooks, **{"overrides": {}} | options)
        self.failed: CellFailed | None = None

    def _save(self) -> None:
        self.saves += 1

    async def go(self) -> Ran:
        async with asyncio.timeout(SECONDS):
            self.failed = await self.client.run({"A": "b"}, "/somewhere", None)
        nbformat.validate(self.notebook)
        return self

    @property
    def sources(self) -> list[str]:
        return [cell.source for cell in self.notebook.cells]

    def outputs(self, cell: str) -> list[Any]:
        return next(each.outputs for each in self.notebook.cells if each.id == cell)


def plain(kernel: FakeKernel, msg_id: str, code: str) -> None:
    kernel.begin(msg_id, code)
    kernel.say(msg_id, "stream", name="stdout", text=f"ran {code}\n")
    kernel.reply(msg_id)


def agent(kernel: FakeKernel, msg_id: str, code: str) -> None:
    """An agent cell with two steps; any other cell is plain."""
    if not code.startswith("%%agent"):
        return plain(kernel, msg_id, code)
    kernel.begin(msg_id, code)
    kernel.event("RunStarted", id="r", task="t", model="m")
    kernel.edit("metadata", cell="", metadata={"role": "agent"})
    after = ""
    for number in (1, 2):
        step = f"s{number}"
        metadata = {"role": "step", "run": "r", "step": number}
        kernel.edit(
            "insert", cell=step, after=after, cell_type="code", source="x", metadata=metadata
        )
        kernel.edit("source", cell=step, source=f"step {number}")
        kernel.edit("follow", cell=step, msg_id=f"m{number}")
        kernel.begin(f"m{number}", f"step {number}")
        kernel.say(f"m{number}", "stream", name="stdout", text="a")
        kernel.say(f"m{number}", "stream", name="stdout", text="b")
        kernel.say(f"m{number}", "status", execution_state="idle")
        after = step
    kernel.edit("notebook", metadata={"version": 1, "runs": [{"id": "r"}]})
    kernel.event("RunFinished", run="r", outcome="answer", answer="42")
    kernel.reply(msg_id)
    return None


async def test_steps_become_cells_below_the_agent_cell() -> None:
    """Each step is a cell with its own outputs and count, in order, and is not run again."""
    ran = await Ran(agent, "before", "%%agent\ntask", "after").go()
    assert ran.sources == ["before", "%%agent\ntask", "step 1", "step 2", "after"]
    assert [cell.execution_count for cell in ran.notebook.cells] == [1, 2, 3, 4, 5]
    assert ran.outputs("s1")[0].text == "ab"
    assert ran.outputs("c2")[0].text == "ran after\n"
    assert ran.notebook.cells[1].metadata.codeact.role == "agent"
    assert ran.notebook.metadata.codeact.runs == [{"id": "r"}]
    assert ran.failed is None
    assert [type(event) for event in ran.events] == [RunStarted, RunFinished]


async def test_the_kernel_is_told_who_is_there() -> None:
    """One comm, opened by us, with the overrides; the kernel starts where the notebook is."""
    ran = await Ran(plain, "1", overrides={"model": "m", "steps": 3}).go()
    assert [comm["target_name"] for comm in ran.kernel.comms] == ["codeact"]
    assert ran.kernel.comms[0]["data"] == {
        "client": "headless",
        "cells": True,
        "overrides": {"model": "m", "steps": 3},
    }
    assert ran.kernel.started["cwd"] == "/somewhere"
    assert ran.kernel.started["env"] == {"A": "b"}
    assert ran.kernel.allow_stdin is False
    assert ran.notebook.metadata.language_info == {"name": "python"}


async def test_what_the_sandbox_does_not_hold_is_passed_on() -> None:
    """The hello's sentences reach whoever runs the notebook, without any agent cell in it."""

    def script(kernel: FakeKernel, msg_id: str, code: str) -> None:
        kernel.hello(notes=["There is no sandbox."])
        plain(kernel, msg_id, code)

    ran = await Ran(script, "1").go()
    assert ran.notes == ["There is no sandbox."]


async def test_it_is_saved_after_each_step_and_cell() -> None:
    """A crash loses nothing that was finished."""
    ran = Ran(agent, "before", "%%agent\ntask")
    await ran.go()
    assert ran.saves >= 3


async def test_an_error_in_a_cell_ends_the_run_and_keeps_the_rest() -> None:
    """What was done before stays, what comes after is not run."""

    def script(kernel: FakeKernel, msg_id: str, code: str) -> None:
        if code != "boom":
            return plain(kernel, msg_id, code)
        error = {"ename": "ValueError", "evalue": "no", "traceback": ["ValueError: no"]}
        kernel.begin(msg_id, code)
        kernel.say(msg_id, "error", **error)
        kernel.reply(msg_id, status="error", **error)
        return None

    ran = await Ran(script, "first", "boom", "never").go()
    assert ran.failed == CellFailed(index=1, name="ValueError", value="no", agent=False)
    assert ran.outputs("c1")[0].ename == "ValueError"
    assert ran.notebook.cells[2].execution_count is None


async def test_late_output_lands_in_the_cell_it_belongs_to() -> None:
    """A thread of a step that prints while the next cell runs does not print there."""

    def script(kernel: FakeKernel, msg_id: str, code: str) -> None:
        if not code.startswith("%%agent"):
            kernel.say("m1", "stream", name="stdout", text="late")
        agent(kernel, msg_id, code)

    ran = await Ran(script, "%%agent\ntask", "after").go()
    assert ran.outputs("s1")[0].text == "ablate"
    assert ran.outputs("c1")[0].text == "ran after\n"


async def test_a_display_is_updated_from_another_cell_after_cells_moved() -> None:
    """nbclient remembers displays by place; inserting above one does not lose it."""
    shown = {"data": {"text/plain": "old"}, "metadata": {}, "transient": {"display_id": "d"}}
    update = {**shown, "data": {"text/plain": "new"}}

    def script(kernel: FakeKernel, msg_id: str, code: str) -> None:
        kernel.begin(msg_id, code)
        step = {"after": "", "cell_type": "code", "source": "x", "metadata": {}}
        kernel.edit("insert", cell="s1", **step)
        kernel.edit("follow", cell="s1", msg_id="m1")
        kernel.say("m1", "display_data", **shown)
        thought = {"after": "", "cell_type": "markdown", "source": "hm", "metadata": {}}
        kernel.edit("insert", cell="t1", **thought)
        kernel.say(msg_id, "update_display_data", **update)
        kernel.reply(msg_id)

    ran = await Ran(script, "%%agent\ntask").go()
    assert ran.sources == ["%%agent\ntask", "hm", "x"]
    assert ran.outputs("s1")[0].data == {"text/plain": "new"}


async def test_clear_output_with_wait_belongs_to_its_own_cell() -> None:
    """A step that waits to clear does not clear the agent cell's next output."""

    def script(kernel: FakeKernel, msg_id: str, code: str) -> None:
        kernel.begin(msg_id, code)
        kernel.say(msg_id, "stream", name="stdout", text="kept")
        kernel.edit("insert", cell="s1", after="", cell_type="code", source="x", metadata={})
        kernel.edit("follow", cell="s1", msg_id="m1")
        kernel.say("m1", "stream", name="stdout", text="old")
        kernel.say("m1", "clear_output", wait=True)
        kernel.say(msg_id, "stream", name="stdout", text=" too")
        kernel.say("m1", "stream", name="stdout", text="new")
        kernel.reply(msg_id)

    ran = await Ran(script, "%%agent\ntask").go()
    assert ran.outputs("c0")[0].text == "kept too"
    assert [output.text for output in ran.outputs("s1")] == ["new"]


async def test_a_cell_that_was_taken_back_is_gone() -> None:
    """What the model began and did not mean leaves no cell, and its place is not confused."""

    def script(kernel: FakeKernel, msg_id: str, code: str) -> None:
        kernel.begin(msg_id, code)
        kernel.edit("insert", cell="s1", after="", cell_type="code", source="x", metadata={})
        kernel.edit("delete", cell="s1")
        kernel.reply(msg_id)

    ran = await Ran(script, "%%agent\ntask", "after").go()
    assert ran.sources == ["%%agent\ntask", "after"]
    assert ran.notebook.cells[1].execution_count == 2


async def test_stop_interrupts_and_runs_nothing_more() -> None:
    """The cell that runs is interrupted and waited for; the next one is not started."""

    async def script(kernel: FakeKernel, msg_id: str, code: str) -> None:
        kernel.begin(msg_id, code)
        kernel.on_interrupt = lambda: kernel.reply(msg_id)
        ran.client.stop("it was interrupted")

    ran = Ran(script, "long", "never")
    await ran.go()
    assert ran.client.stopped == "it was interrupted"
    assert ran.kernel.interrupts == 1
    assert ran.notebook.cells[1].execution_count is None


async def test_a_second_stop_kills_the_kernel() -> None:
    """Who insists does not wait for a cell that does not listen."""

    async def script(kernel: FakeKernel, msg_id: str, code: str) -> None:
        kernel.begin(msg_id, code)
        ran.client.stop("first")
        await asyncio.sleep(0.05)
        ran.client.stop("second")

    ran = Ran(script, "deaf")
    with pytest.raises(DeadKernelError):
        await ran.go()
    assert ran.client.stopped == "first"


async def test_an_overrun_is_interrupted() -> None:
    """`--timeout` stops a cell that takes longer, in order."""

    async def script(kernel: FakeKernel, msg_id: str, code: str) -> None:
        kernel.begin(msg_id, code)
        kernel.on_interrupt = lambda: kernel.reply(msg_id)

    ran = await Ran(script, "long", cell_seconds=0.05).go()
    assert ran.client.stopped == "cell 1 took longer than 0.05 s (--timeout)"
    assert ran.kernel.interrupts == 1


async def test_a_kernel_that_dies_is_noticed() -> None:
    """Nobody waits for ever; what there is stays in the notebook."""

    async def script(kernel: FakeKernel, msg_id: str, code: str) -> None:
        kernel.begin(msg_id, code)
        kernel.say(msg_id, "stream", name="stdout", text="last words")
        kernel.alive = False

    ran = Ran(script, "dies")
    with pytest.raises(DeadKernelError):
        await ran.go()
    assert ran.outputs("c0")[0].text == "last words"


async def test_empty_and_markdown_cells_are_not_run() -> None:
    """Only code is sent to the kernel."""
    ran = Ran(plain, "1", "  \n")
    ran.notebook.cells.insert(0, nbformat.v4.new_markdown_cell("# title"))
    await ran.go()
    assert [cell.get("execution_count") for cell in ran.notebook.cells] == [None, 1, None]


async def test_an_output_that_is_not_one_is_left_out() -> None:
    """A message without what its type needs spoils neither the run nor the file."""

    def script(kernel: FakeKernel, msg_id: str, code: str) -> None:
        kernel.begin(msg_id, code)
        kernel.say(msg_id, "display_data", nonsense=1)
        kernel.say(msg_id, "stream", name="stdout", text="fine")
        kernel.reply(msg_id)

    ran = await Ran(script, "1").go()
    assert [output.text for output in ran.outputs("c0")] == ["fine"]
