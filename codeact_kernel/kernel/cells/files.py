"""What code wrote in mode cow: whose it is by who ran, and what the user decides about it.

Rule: only the outer decides, and only for the user: their own cells' writes are put in place when
the cell is over, a step's stay staged until the user says keep. What is written between two cells
belongs to whoever ran last.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.relay.said import Said
from codeact_kernel.sandbox.staging import diff
from codeact_kernel.sandbox.staging.layer import Change
from codeact_kernel.sandbox.staging.staging import Outcome, Staging, TooMuch
from codeact_kernel.sandbox.unasked import Unasked

if TYPE_CHECKING:
    from codeact_kernel.kernel.cells.agent_cell import FilesCell

log = logging.getLogger(__name__)
_SHOWN = 10
_AFTER_RUN = (
    "The agent's changes of files are staged, not yet in the folder: {changes}. "
    "`%agent files` shows them, `%agent files keep --all` puts them there."
)
NOTHING = "Nothing is staged: the agent has changed no file in this folder that you have not decided about."
NO_STAGING = (
    "Nothing can be staged here: the notebook's folder is shown to code {mode}. "
    'With workspace_mode = "cow" in your configuration, and namespaces, what steps write would be '
    "staged (codeact doctor says what is missing)."
)
_MODES = {
    "ro": "read-only",
    "rw": "with everything it writes put in place at once",
    "": "not at all",
}
READ_ONLY = (
    "\nThe notebook's folder is read-only for code here, because what it writes cannot be staged "
    "(codeact doctor says why). Write to a folder below $HOME or $TMPDIR, which are the sandbox's "
    "own, or set workspace_mode = rw.\n"
)
READ_ONLY_FOR_STEPS = (
    "\nThe notebook's folder is read-only here. Write to a folder below $HOME or $TMPDIR.\n"
)


class Files:
    """Owner of the staging; None where there is none. `mode` is the one asked for."""

    def __init__(
        self, staging: Staging | None = None, mode: str = "rw", unasked: Unasked | None = None
    ) -> None:
        self._staging = staging
        self._unasked = unasked if unasked is not None else Unasked()
        self._mode = mode
        self._own = True
        self._lock = threading.Lock()
        """`act` works in a thread; a sandbox may end meanwhile."""
        self._hinted: set[str] = set()
        self._of_run: set[str] = set()
        """Paths that steps of the run have staged."""
        self._seen = mode
        """The mode the self-test of the last sandbox saw."""

    def sandbox_has(self, workspace: str) -> None:
        """A sandbox has started whose report says this of the workspace."""
        self._seen = workspace
        self._unasked.writes = workspace in ("rw", "partly")

    def before_run(self) -> None:
        """A run of the agent begins. Slow when much was written since the last cell."""
        self._unasked.run_begins()
        self.put(self.between_cells())
        self.refresh()
        self._of_run.clear()

    def after_run(self) -> str:
        """Once it is over: what its steps have staged, and how to decide, or what of it was renamed;
        "" for nothing."""
        self._unasked.put_aside()
        return " ".join(filter(None, (self._unasked.told(), self._staged_by_run())))

    def _staged_by_run(self) -> str:
        if self._staging is None or not self._of_run:
            return ""
        try:
            with self._lock:
                changes = self._staging.changes()
        except (TooMuch, OSError) as error:
            return f"What the steps of this run wrote cannot be read: {error}."
        mine = [change for change in changes if change.path in self._of_run]
        return _AFTER_RUN.format(changes=diff.summary(mine, "`")) if mine else ""

    def between_cells(self) -> list[Change]:
        """What the user's own code wrote since its last cell was over, for `put`."""
        changes, _ = self._noted(None)  # it belongs to whoever ran last
        if self._own:
            return changes
        self._of_run.update(change.path for change in changes)
        return []

    def before_own_cell(self) -> None:
        """A cell of the user's is about to run: what the agent's code wrote until now is the agent's."""
        self._unasked.own_cell_begins()
        if not self._own:
            self.between_cells()
        self.refresh()

    def refresh(self) -> None:
        """Nothing runs inside, and something is about to: show it what was changed outside."""
        if self._staging is not None:
            self._quietly(self._staging.refresh)

    def own_cell_over(self, since: float | None) -> tuple[list[Change], list[str]]:
        """The user's cell has ended: what it wrote, for `put`, and lines to tell them."""
        if self._staging is None:
            return [], []
        self._own = True
        return self._noted(since)

    def put(self, changes: Sequence[Change]) -> list[str]:
        """Put in place what the user's own code wrote; lines to tell them. Slow for large files."""
        if self._staging is None or not changes:
            return []
        try:
            with self._lock:
                return _notices(self._staging.put(changes))
        except Exception as error:  # noqa: BLE001 -- the cell's reply waits for this
            return [_stays_staged(error)]

    def step_over(self, since: float | None = None) -> None:
        """A step of the agent has ended."""
        self._unasked.put_aside()
        self._own = False
        changes, _ = self._noted(since)
        self._of_run.update(change.path for change in changes)

    def between_sandboxes(self) -> None:
        """No sandbox is there: what is decided leaves the layer. Slow as `put` is."""
        if self._staging is not None:
            self.put(self.between_cells())
            self._quietly(self._staging.tidy)

    def close(self, keep: bool) -> None:
        """The kernel ends; what is undecided stays where it is. `keep`: the next one has its sandbox."""
        self._unasked.put_aside()
        if self._staging is not None:
            self.between_sandboxes()
            self._staging.area.close(keep)
            self._staging = None

    def told(self) -> str:
        """A sentence about what a step made and was renamed, for whoever runs code next; then ""."""
        return self._unasked.told()

    def hint(self, said: Said, run: str = "") -> str:
        """A sentence for the first error that comes of a folder that is read-only unasked; else "".

        `run`: it is an error of a step of this run.
        """
        if said.type != "error" or self._mode != "cow" or self._seen != "ro":
            return ""
        text = str(said.value.get("evalue", ""))
        if run in self._hinted or ("[Errno 30]" not in text and "[Errno 13]" not in text):
            return ""
        self._hinted.add(run)
        return READ_ONLY_FOR_STEPS if run else READ_ONLY

    def act(self, cell: FilesCell) -> str:
        """Carry out what the user's cell says; the text to show. Slow for large diffs."""
        try:
            staging = self._require()
            with self._lock:
                return _carry_out(staging, cell)
        except UsageError as error:
            return str(error)
        except (TooMuch, OSError) as error:
            return str(self._unreadable(staging, error))

    def staged(self) -> list[tuple[Change, list[str]]]:
        """What is undecided, each with its diff; it counts as shown to the user. Slow.

        Raises UsageError when nothing can be staged here, or it cannot be read.
        """
        staging = self._require()
        try:
            with self._lock:
                changes = staging.changes()
                staging.show(changes)
                return diff.each(changes, staging.folder, staging.area.upper)
        except (TooMuch, OSError) as error:
            raise self._unreadable(staging, error) from None

    def undecided(self) -> tuple[dict[str, Change], frozenset[str]]:
        """What is staged and undecided by path, and all that is staged; nothing where nothing can be."""
        if self._staging is None or self._seen != "cow":
            return {}, frozenset()
        try:
            with self._lock:
                return self._staging.staged()
        except (TooMuch, OSError) as error:
            log.warning("what is staged cannot be looked at: %s", error)
            return {}, frozenset()

    def content(self, path: str, *, staged: bool, most: int) -> bytes | None:
        """What is in a staged file, or in the one it would replace; None when that cannot be read."""
        try:
            with self._lock:
                return self._require().read(path, staged=staged, most=most)
        except (UsageError, OSError):
            return None

    def decide(self, verb: str, paths: Sequence[str], force: bool) -> Outcome:
        """Keep or discard these paths. Raises UsageError as `staged` does."""
        staging = self._require()
        try:
            with self._lock:
                if verb == "keep":
                    return staging.keep(paths, force=force)
                return staging.discard(paths)
        except (TooMuch, OSError) as error:
            raise self._unreadable(staging, error) from None

    def _require(self) -> Staging:
        if self._staging is None or self._seen != "cow":
            raise UsageError(NO_STAGING.format(mode=_MODES.get(self._seen, _MODES[""])))
        return self._staging

    def _unreadable(self, staging: Staging, error: Exception) -> UsageError:
        return UsageError(
            f"What is staged cannot be read: {error}. It lies in {staging.area.upper}."
        )

    def _noted(self, since: float | None) -> tuple[list[Change], list[str]]:
        if self._staging is None:
            return [], []
        try:
            with self._lock:
                return self._staging.note(since), []
        except TooMuch as error:
            where = self._staging.area.upper
            return [], [f"{error}, so nothing of it is put in place; it lies in {where}."]
        except Exception as error:  # noqa: BLE001 -- the cell's reply waits for this
            return [], [_stays_staged(error)]

    def _quietly(self, act: Callable[[], None]) -> None:
        try:
            with self._lock:
                act()
        except (TooMuch, OSError) as error:
            log.warning("the staging area cannot be looked after: %s", error)


def _stays_staged(error: Exception) -> str:
    log.warning("what a cell wrote cannot be put in place", exc_info=error)
    if isinstance(error, OSError):
        return f"What this cell wrote stays staged: {error.strerror}."
    return (
        "What this cell wrote stays staged because of a mistake in this kernel "
        f"({type(error).__name__}). Please report it with the kernel's log; %agent files lists it."
    )


def _notices(outcome: Outcome) -> list[str]:
    lines = [f"Not put in the folder: {line}." for line in diff.told(outcome.refused[:_SHOWN])]
    if len(outcome.refused) > _SHOWN:
        lines.append(f"... and {len(outcome.refused) - _SHOWN:,} more.")
    return [*lines, "It is staged: %agent files"] if lines else []


def _carry_out(staging: Staging, cell: FilesCell) -> str:
    if cell.verb == "list":
        changes = staging.changes()
        staging.show(changes)
        if not changes:
            return NOTHING
        text = diff.listing(changes, staging.folder, staging.area.upper)
        return f"{text}\n\n%agent files keep PATH ... (or --all), %agent files discard PATH ... (or --all)"
    paths = None if cell.all else cell.paths
    if cell.verb == "keep":
        outcome = staging.keep(paths, force=cell.force)
        return outcome_text(outcome, f"put in {staging.folder}")
    outcome = staging.discard(paths)
    text = outcome_text(outcome, "discarded")
    if outcome.done:
        text += "\nCode that runs now may see new files until the kernel is restarted."
    return text


def outcome_text(outcome: Outcome, what: str) -> str:
    """What was done with which path, and what was not, and why."""
    lines = [f"{what}: {diff.shown(path)}" for path in outcome.done]
    lines += [f"not {what}: {line}" for line in diff.told(outcome.refused)]
    if any("outside" in why or "protected" in why for _, why in outcome.refused):
        lines.append("--force, with the path's exact name, does it all the same.")
    return "\n".join(lines) or NOTHING
