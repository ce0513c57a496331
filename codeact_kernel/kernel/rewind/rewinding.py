"""`%agent checkpoint`, `rewind`, `redo` and `branches`: the state, the conversation and the trace go
back together.

Rules:
- What cannot be restored is said before anything is done; then it takes `--force`.
- The conversation that can be continued is the one that led to the state. Step numbers are never used
  twice: the cells of steps that were taken back stay in the notebook.
- It is done between runs and cells only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from codeact_kernel.agent import prompt
from codeact_kernel.agent.context import Conversation
from codeact_kernel.errors import SandboxError, UsageError
from codeact_kernel.kernel.cells.agent_cell import CheckpointCell
from codeact_kernel.kernel.cells.agent_options import Options
from codeact_kernel.kernel.cells.files import Files
from codeact_kernel.kernel.relay.link import Link
from codeact_kernel.kernel.relay.requests import Request, Requests
from codeact_kernel.kernel.rewind import branches, obstacles
from codeact_kernel.kernel.rewind.checkpoint import Checkpoint, Progress, State, changed
from codeact_kernel.kernel.rewind.checkpoints import Checkpoints, Present
from codeact_kernel.kernel.rewind.file_past import FilePast
from codeact_kernel.trace.events import Event, Rewound
from codeact_kernel.trace.markdown import harmless_markdown
from codeact_kernel.trace.text import some
from codeact_kernel.trace.values import Rewind

log = logging.getLogger(__name__)
_NAMES = 10
_LEFT_BEHIND = "The notebook was taken back before this was answered."
FILES = "Files are as they are now."
REDO = "%agent redo goes back to the state you left (checkpoint {number})."
OTHER_FILES = "All other files are as they are now."
NOT_ALL = "{what} Nothing has been done. {how} does it all the same: then that is lost, or stays as it is."


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What it takes to go on with the last run: the user's own options, and those of its cells."""

    run: str
    own: Options
    written: Options
    conversation: Conversation


class StepKeeper:
    """steps.Keeper for one run. `note` tells the user why there is no checkpoint, once for each reason."""

    def __init__(
        self, checkpoints: Checkpoints, past: FilePast, run: str, note: Callable[[str], None]
    ) -> None:
        self._checkpoints = checkpoints
        self._past = past
        self._run = run
        self._note = note
        self._noted: set[str] = set()

    async def before_step(self, number: int, marks: Mapping[str, str]) -> None:
        """Keep the state. That it cannot be kept stops no step."""
        if not self._checkpoints.on:
            return
        try:
            new = self._checkpoints.reserve()
            async with _beside(lambda: self._past.keep(new, self._checkpoints.kept)):
                await self._checkpoints.take(
                    new, "step", lambda: _known(marks), run=self._run, step=number
                )
        except UsageError as error:
            if str(error) not in self._noted:
                self._noted.add(str(error))
                self._note(str(error))
        except SandboxError as error:
            log.warning("no checkpoint before step %d: %s", number, error)

    def step_done(self, number: int) -> None:
        """Its effects are a part of the state."""
        self._checkpoints.step_done(self._run, number)


class Rewinding:
    """Owner of `kept`, the run that can be continued, and of what that was at each checkpoint."""

    def __init__(
        self, checkpoints: Checkpoints, past: FilePast, link: Link, requests: Requests, files: Files
    ) -> None:
        self.checkpoints = checkpoints
        self.past = past
        self.kept: Kept | None = None
        self._link = link
        self._requests = requests
        self._files = files
        self._then: dict[int, Kept | None] = {}
        self._taken: dict[str, int] = {}

    # -- runs -------------------------------------------------------------------------------

    def keeper(self, run: str, note: Callable[[str], None]) -> StepKeeper:
        """Keeps the state before each step of this run."""
        return StepKeeper(self.checkpoints, self.past, run, note)

    def run_ended(self, kept: Kept) -> None:
        """This run can be continued, from here or from before any of its steps."""
        self.kept = kept
        self._taken[kept.run] = kept.conversation.steps
        for row in self.checkpoints.rows:
            known = row.run == kept.run and row.step in kept.conversation.taken
            if known and row.number not in self._then and row.state is State.KEPT:
                before = kept.conversation.before(row.step)
                self._then[row.number] = replace(kept, conversation=before)
        self._forget_gone()

    def _forget_gone(self) -> None:
        """Of what cannot be gone to any more nothing needs to be known."""
        alive = self.checkpoints.kept
        self._then = {each: then for each, then in self._then.items() if each in alive}
        runs = {kept.run for kept in (self.kept, *self._then.values()) if kept is not None}
        self._taken = {run: steps for run, steps in self._taken.items() if run in runs}

    def sandbox_changed(self) -> None:
        """Another sandbox has no checkpoints; what the agent did can be continued all the same."""
        self.checkpoints.sandbox_ended()
        self._then.clear()

    # -- verbs ------------------------------------------------------------------------------

    async def act(self, cell: CheckpointCell, emit: Callable[[Event], None]) -> tuple[str, str]:
        """Carry out the user's cell: text for a console and Markdown. Raises UsageError."""
        match cell.verb:
            case "checkpoint":
                text = await self.keep(cell.which)
            case "rewind":
                how = f"%agent rewind {cell.which} --force".replace("  ", " ")
                row = self.checkpoints.find(cell.which)
                text = await self.go(row, emit, force=cell.force, how=how)
            case "redo":
                row = self.checkpoints.left()
                text = await self.go(row, emit, force=cell.force, how="%agent redo --force")
            case _:
                rows, here = self.checkpoints.rows, self.checkpoints.here
                return branches.text(rows, here), branches.markdown(rows, here)
        return text, harmless_markdown("\n>\n".join(f"> {line}" for line in text.split("\n")))

    async def keep(self, name: str) -> str:
        """A checkpoint by the user; what to tell them."""
        number = self.checkpoints.reserve()
        name = name or f"kept-{number}"
        async with _beside(lambda: self._keep_files(number)):
            row = await self.checkpoints.take(number, "named", self._look, name=name)
        self._remember(row)
        lines = [f"Checkpoint {row.number} ({row.title}) keeps the state of the notebook."]
        if row.obstacles:
            lines.append(f"It does not keep all: {obstacles.sentence(row.obstacles)}.")
        return "\n".join(lines)

    async def go(
        self, row: Checkpoint, emit: Callable[[Event], None], *, force: bool, how: str
    ) -> str:
        """Take the notebook to that state; what to tell the user. Raises UsageError."""
        present, cannot = await self._present(row)
        doubts = list(_doubts(row, present, cannot))
        if doubts and not force:
            raise UsageError(NOT_ALL.format(what=" ".join(doubts), how=how))
        unanswered = list(self._requests.pending.values())
        before = dict(self.checkpoints.progress)
        left = await self.checkpoints.go(row, present)
        if left is not None:
            self._remember(left)
        self._give_up(unanswered)
        self._recall(row)
        for event in self._rewound(before, row):
            emit(event)
        files = await self.past.restore(row.number, left.number if left is not None else 0)
        undo = REDO.format(number=left.number) if left is not None else ""
        told = (*_told(row, left, doubts), *files, OTHER_FILES if files else FILES, undo)
        return "\n".join(line for line in told if line)

    async def _present(self, target: Checkpoint) -> tuple[Present | None, str]:
        """The present state, to be kept when it is left, or why it cannot be."""
        try:
            number = self.checkpoints.reserve()
            async with _beside(lambda: self._keep_files(number)):
                return await self.checkpoints.present(number, self._look, target), ""
        except (UsageError, SandboxError) as error:
            return None, str(error)

    async def _look(self) -> Mapping[str, str]:
        marks = await self._link.query("marks", {})
        return {} if not isinstance(marks, dict) else {name: str(marks[name]) for name in marks}

    def _keep_files(self, number: int) -> None:
        """What is staged now. Slow."""
        self._files.put(self._files.between_cells())
        self.past.keep(number, self.checkpoints.kept)

    def _remember(self, row: Checkpoint) -> None:
        """The run that can be continued at this checkpoint of the present state."""
        kept = self.kept
        if kept is not None:
            kept = replace(kept, conversation=kept.conversation.before())
        self._then[row.number] = kept
        self._forget_gone()

    def _give_up(self, unanswered: Iterable[Request]) -> None:
        """Who asked the kernel that is no more is answered here."""
        for request in unanswered:
            if self._requests.pending.get(request.id) is request:
                self._requests.finish(request)
                request.died(_LEFT_BEHIND, running=False)

    def _recall(self, row: Checkpoint) -> None:
        """The conversation as it was then, told what has happened since."""
        kept = self._then.get(row.number)
        self.kept = kept
        if kept is None:
            return
        talk = kept.conversation.before()
        taken = self._taken.get(kept.run, talk.steps)
        if talk.taken[-1:] != (taken,):
            talk.steps = taken
            talk.tell(prompt.rewound(talk.taken, taken + 1))
        self.kept = replace(kept, conversation=talk)

    def _rewound(self, before: Progress, row: Checkpoint) -> Iterator[Event]:
        now = self.checkpoints.progress
        for run in dict.fromkeys((*before, *now)):
            if before.get(run, ()) != now.get(run, ()):
                to = f"checkpoint {row.number}, {row.title}"
                known = max((*before.get(run, ()), *now.get(run, ())), default=0)
                taken = self._taken.get(run, known)
                yield Rewound(run=run, rewind=Rewind(taken=taken, kept=now.get(run, ()), to=to))


@contextlib.asynccontextmanager
async def _beside(work: Callable[[], None]) -> AsyncIterator[None]:
    """Have a thread do `work` meanwhile."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        yield
    finally:
        await working


async def _known(marks: Mapping[str, str]) -> Mapping[str, str]:
    return marks


def _doubts(row: Checkpoint, present: Present | None, cannot: str) -> Iterator[str]:
    """What of either state would not be as it was, a sentence each."""
    if row.obstacles:
        yield f"Checkpoint {row.number} cannot restore all: {obstacles.sentence(row.obstacles)}."
    if present is None:
        yield f"The present state cannot be kept, so going back could not be undone. {cannot}"
    elif present.obstacles:
        yield f"Of the present state not all can be kept: {obstacles.sentence(present.obstacles)}."


def _told(row: Checkpoint, left: Checkpoint | None, doubts: Iterable[str]) -> Iterator[str]:
    yield f"The notebook is at checkpoint {row.number} ({row.title}): its variables are as they were then."
    if left is not None:
        names = changed(left.marks, row.marks)
        if names:
            yield f"Other than before: {some(names, _NAMES)}."
    yield from doubts
