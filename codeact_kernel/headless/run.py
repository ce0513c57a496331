"""`codeact run`: execute a notebook with our kernel and keep what came of it.

Rule: whatever happens, what there is gets written. The result is put in place once, at the end;
until then a copy in progress lies beside it, refreshed after each step.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_core.paths import jupyter_runtime_dir
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from codeact_kernel.errors import NotebookError, UsageError
from codeact_kernel.headless import insert, kernelspec
from codeact_kernel.headless.client import Client, Hooks
from codeact_kernel.headless.files import Target
from codeact_kernel.headless.outcome import Ended
from codeact_kernel.headless.plain import one_line
from codeact_kernel.headless.progress import Progress
from codeact_kernel.trace.events import Event, fold

_TICK = 0.125


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be run, where, and how. `overrides` are `%%agent` options by long name."""

    notebook: NotebookNode
    folder: Path
    environment: Mapping[str, str]
    overrides: Mapping[str, Any] = field(default_factory=dict)
    cell_seconds: float | None = None


def prepare(notebook: NotebookNode, name: str) -> NotebookNode:
    """`notebook` without what an earlier run inserted, for our kernel. Raises UsageError, in place."""
    spec = notebook.metadata.get("kernelspec", {})
    language = str(spec.get("language") or "python").lower()
    if language != "python":
        raise UsageError(f"{name} is written in {one_line(language, 40)}; only Python can be run.")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata["kernelspec"] = {
        "name": kernelspec.NAME,
        "display_name": kernelspec.DISPLAY_NAME,
        "language": "python",
    }
    return insert.without_runs(notebook)


def execute(job: Job, target: Target, progress: Progress) -> Ended:
    """Run it, write it, say how it ended."""
    try:
        ended = asyncio.run(_execute(job, target, progress))
    except BaseException as error:
        error.add_note(f"What there was is in {target.partial}.")
        raise
    finally:
        progress.close()
    if ended.in_vain:
        target.discard()  # what lies there from an earlier run is worth more
        return ended
    try:
        target.finish(job.notebook)
    except NotebookError as error:
        return replace(ended, broken=str(error))
    return ended


async def _execute(job: Job, target: Target, progress: Progress) -> Ended:
    events: list[Event] = []
    saver = _Saver(job.notebook, target, progress)
    saver.save()

    def take(event: Event) -> None:
        events.append(event)
        progress.event(event)

    notes: list[str] = []

    def note(sentence: str) -> None:
        notes.append(sentence)
        progress.note(sentence)

    hooks = Hooks(
        event=take,
        note=note,
        changed=saver.save,
        starts=lambda index: progress.doing(f"runs cell {index + 1}"),
    )
    client = Client(
        job.notebook,
        _kernel(),
        hooks=hooks,
        overrides=job.overrides,
        cell_seconds=job.cell_seconds,
    )
    began = time.monotonic()
    with tempfile.TemporaryFile() as log:
        failed, broken = None, ""
        ticking = asyncio.create_task(_tick(progress))
        _on_signals(client, progress)
        try:
            failed = await client.run(job.environment, str(job.folder), log)
        except (DeadKernelError, RuntimeError, OSError) as error:
            broken = "" if client.stopped else _why(error, log)
        finally:
            ticking.cancel()
    return Ended(
        trace=fold(events),
        notes=tuple(notes),
        completed=client.completed,
        failed=failed,
        stopped=client.stopped,
        broken=broken,
        seconds=time.monotonic() - began,
    )


class _Saver:
    """Refreshes the copy in progress; a full disk is said once and stops nothing."""

    def __init__(self, notebook: NotebookNode, target: Target, progress: Progress) -> None:
        self._notebook = notebook
        self._target = target
        self._progress = progress
        self._said = False

    def save(self) -> None:
        try:
            self._target.save(self._notebook)
        except OSError as error:
            if not self._said:
                self._progress.say(f"The copy in progress cannot be written: {error.strerror}.")
            self._said = True


def _kernel() -> AsyncKernelManager:
    runtime = Path(jupyter_runtime_dir())
    try:
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise NotebookError(
            f"{runtime}, where Jupyter keeps its connection files, cannot be made: {error.strerror}."
        ) from None
    return AsyncKernelManager(
        kernel_name=kernelspec.NAME,
        kernel_spec_manager=kernelspec.OwnSpecs(),
        connection_file=str(runtime / f"kernel-{uuid.uuid4()}.json"),
    )


def _on_signals(client: Client, progress: Progress) -> None:
    def stop() -> None:
        progress.doing("stopping")
        client.stop("it was interrupted")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)


async def _tick(progress: Progress) -> None:
    while True:
        progress.tick()
        await asyncio.sleep(_TICK)


def _why(error: Exception, log: IO[bytes]) -> str:
    """One sentence for a kernel that did not start or did not live, with its own last words."""
    log.seek(0)
    lines = [line.strip() for line in log.read()[-10_000:].decode("utf-8", "replace").splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    what = "The kernel ended unexpectedly"
    return f"{what}: {one_line(last, 400)}" if last else f"{what} ({one_line(str(error), 200)})."
