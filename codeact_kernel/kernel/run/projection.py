"""A run's cells as the front ends that run cells should have them: told, told again, looked at.

Rule: the kernel owns the run, a front end is a projection of it. Each edit goes to all of them; one
that comes late is told how every cell is now. A request that asks to `attach` is shown what its
cell shows, and never runs anything. What the user deleted is not put back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from codeact_kernel.kernel.channels.messages import Incoming
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.panel.panel import Comm, Panel
from codeact_kernel.kernel.run.feeds import Feed, Feeds
from codeact_kernel.trace.edits import (
    AttachCell,
    Edit,
    InsertCell,
    RestoreCell,
    RunCell,
    SaveNotebook,
    SetMetadata,
    SetOutputs,
)
from codeact_kernel.trace.layout import Layout


class Projection:
    """Owner of the feeds by cell, and of what the user deleted."""

    def __init__(self, publisher: Publisher, panel: Panel, layout: Layout) -> None:
        self._publisher = publisher
        self._panel = panel
        self._layout = layout
        self._feeds = Feeds()
        self._watching: dict[str, set[str]] = {}
        """The sessions that look at each of these cells."""
        self._deleted: set[str] = set()
        self._waiting: SetMetadata | None = None
        panel.on_greeted = self.restore
        panel.on_left = self._left

    # ── what front ends are told ─────────────────────────────────────────────────────────────────

    def edit(self, edit: Edit, agent: str) -> None:
        """Tell every front end that runs cells. `agent` is the cell that sent the request."""
        if isinstance(edit, SetOutputs):
            self._keep(edit.cell, Feed.of(edit.outputs))
        for comm in self._panel.running_cells():
            self._panel.edit(comm, _named(edit, agent))

    def waits(self, mark: SetMetadata) -> None:
        """The step waits for approval; `mark` says so in its cell."""
        self._waiting = mark
        self.edit(mark, "")

    def decided(self) -> None:
        """No step waits any more."""
        self._waiting = None

    def run(self, cell: str, let_pass: Callable[[str], str], session: str) -> Comm | None:
        """Ask one front end to execute this cell, best that of this session; None: there is none.

        One that was silent when it was asked is asked again only where there is no other. `let_pass`
        gives the token for the cell, and is called only when somebody is there to bring it.
        """
        asked = self._best(session)
        if asked is not None:
            self._panel.edit(asked, RunCell(cell=cell, token=let_pass(cell)))
        return asked

    def save(self, session: str) -> None:
        """Have one front end save its notebook, best that of this session: two would be in each
        other's way."""
        asked = self._best(session)
        if asked is not None:
            self._panel.edit(asked, SaveNotebook())

    def _best(self, session: str) -> Comm | None:
        comms = reversed(self._panel.running_cells())
        return max(comms, key=lambda comm: (not comm.silent, comm.session == session), default=None)

    def began(self, cell: str, feed: Feed, session: str) -> None:
        """The cell runs now; front ends of other sessions than this one are to look at it."""
        self._keep(cell, feed)
        self._watching[cell] = {session}
        shown = self._panel.has_page(session)  # by the page that executes it
        for comm in self._panel.running_cells():
            if comm.session != session and not (comm.collaborates and shown):
                self._panel.edit(comm, AttachCell(cell=cell))

    def restore(self, comm: Comm) -> None:
        """Tell a front end that may have missed something how everything is."""
        if comm in self._panel.running_cells() and not self._panel.shares(comm):
            for edit in self._restored():
                self._panel.edit(comm, edit)

    def _restored(self) -> Iterator[Edit]:
        anchor = ""
        for edit in self._layout.restored():
            if not isinstance(edit, RestoreCell):
                yield edit
            elif edit.cell not in self._deleted:
                feed = self._feeds.get(edit.cell)
                yield replace(
                    edit,
                    after=anchor if edit.after in self._deleted else edit.after,
                    attach=feed is not None,
                    under_way=feed is not None and not feed.is_over,
                )
                anchor = edit.cell
        if self._waiting is not None:
            yield self._waiting

    # ── what they ask ────────────────────────────────────────────────────────────────────────────

    def attach(self, cell: str, message: Incoming) -> Feed | None:
        """Show this client what the cell shows; None: nothing is known of it."""
        feed = self._feeds.get(cell)
        if feed is not None:
            self._watching.setdefault(cell, set()).add(message.session)
            self._publisher.attach(feed, message)
        return feed

    def _left(self, comm: Comm) -> None:
        """A page is gone. Others that show its copy of the notebook look at the cells it looked at."""
        acting = [other for other in self._panel.running_cells() if other.collaborates]
        if not comm.collaborates or not acting:
            return
        for cell, feed in self._feeds.items():
            seen = any(map(self._panel.has_page, self._watching.get(cell, ())))
            if not feed.is_over and not seen:
                self._panel.edit(acting[-1], AttachCell(cell=cell))

    def deleted(self, cells: Sequence[str]) -> None:
        """The user deleted these cells."""
        self._deleted.update(cells)

    def returned(self, cells: Sequence[str]) -> None:
        """They are back: the deletion was undone."""
        self._deleted.difference_update(cells)

    def _keep(self, cell: str, feed: Feed) -> None:
        for old, gone in self._feeds.keep(cell, feed):
            self._publisher.forget(gone)
            if old != cell:
                self._watching.pop(old, None)


def _named(edit: Edit, agent: str) -> Edit:
    """The edit with the agent cell's id where "" stood for it."""
    match edit:
        case InsertCell(after=""):
            return replace(edit, after=agent)
        case SetMetadata(cell=""):
            return replace(edit, cell=agent)
        case _:
            return edit
