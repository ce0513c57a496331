"""Decide about what is staged: list it, keep it, discard it.

Rule: the outer side's one way to what code wrote in mode cow. `note` is called when nothing runs
inside or one request is just over, and says what is new; `put` only with what the user's own code
wrote; `keep` and `discard` only ever come from the user. Nothing raises for what the layer holds: what cannot be done is refused, by name.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from codeact_kernel.sandbox.staging import layer, ledger, place
from codeact_kernel.sandbox.staging.apply import MAX_FILE, Tree
from codeact_kernel.sandbox.staging.area import Area
from codeact_kernel.sandbox.staging.layer import Change, Entry, TooMuch
from codeact_kernel.sandbox.staging.protected import is_protected

_SLACK = 0.02
"""Seconds by which the clock of files may be behind ours."""
MAX_AT_ONCE = 4 << 30
"""Bytes that one cell's end puts in place."""
MAX_REFRESHED = 64 << 20
"""Bytes of a file that is brought up to date while the kernel lives; a larger one when it restarts."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Paths that were dealt with, and (path, why not) of the others."""

    done: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


class Staging:
    """One area and the folder it belongs to. Owns the ledger."""

    def __init__(self, area: Area) -> None:
        self.area = area
        self._folder = area.about.workspace
        self._ledger = ledger.read(area.ledger)
        self._dirty = False

    @property
    def folder(self) -> str:
        """The workspace."""
        return self._folder

    def note(self, since: float | None = None) -> list[Change]:
        """Take note of what is new, and say what of it would change the folder.

        `since` is when the cell began (time.time). Raises TooMuch, OSError.
        """
        entries = layer.scan(self.area.upper)
        book = self._ledger
        new = [path for path, entry in entries.items() if book.seen.get(path) != entry.stamp]
        if not new and len(book.seen) == len(entries):
            return []
        with Tree(self._folder) as tree:
            self._note(tree, entries, new, since)
            fresh = set(new)
            found = [c for c in self._pending(tree, entries) if c.path in fresh] if new else []
        self._save()
        return found

    def put(self, changes: Sequence[Change]) -> Outcome:
        """Put in place what the user's own cell wrote. Slow for large files. Raises OSError."""
        with Tree(self._folder) as tree:
            outcome = self._keep(tree, changes, force=False, told=False)
        self._save()
        return outcome

    def changes(self) -> list[Change]:
        """What is staged and undecided, by path. Raises TooMuch, OSError."""
        with Tree(self._folder) as tree:
            found = self._pending(tree, self._look(tree))
        self._save()
        return found

    def staged(self) -> tuple[dict[str, Change], frozenset[str]]:
        """The undecided changes by path, and every path in the layer. Raises TooMuch, OSError."""
        with Tree(self._folder) as tree:
            entries = self._look(tree)
            found = {change.path: change for change in self._pending(tree, entries)}
        self._save()
        return found, frozenset(entries)

    def read(self, path: str, *, staged: bool, most: int) -> bytes | None:
        """The content of a file in the layer, or in the folder; None when it has none, or more.

        Raises OSError only when the layer or the folder itself cannot be opened.
        """
        with Tree(self.area.upper if staged else self._folder) as tree:
            return place.content(tree, path, most)

    def show(self, changes: Iterable[Change]) -> None:
        """Remember that the user was shown these as they are now."""
        self._ledger.shown = {change.path: change.entry.stamp for change in changes}
        self._dirty = True
        self._save()

    def keep(self, paths: Sequence[str] | None = None, *, force: bool = False) -> Outcome:
        """Put these paths (None: all) in place. A folder brings what is in it.

        `force`: also over what was changed outside, and protected names that are named exactly.
        Raises TooMuch, OSError.
        """
        with Tree(self._folder) as tree:
            pending = self._pending(tree, self._look(tree))
            chosen, unknown = _chosen(pending, paths)
            exact = set(paths or ()) if force else set()
            outcome = self._keep(tree, chosen, force=force, told=True, exact=exact)
        self._save()
        return Outcome(outcome.done, (*outcome.refused, *unknown))

    def discard(self, paths: Sequence[str] | None = None) -> Outcome:
        """Give these paths (None: all) up: they are not listed any more, and gone with the sandbox.

        A changed file gets the folder's content at once. Raises TooMuch, OSError.
        """
        book = self._ledger
        with Tree(self._folder) as tree, Tree(self.area.upper) as upper:
            pending = self._pending(tree, self._look(tree))
            chosen, unknown = _chosen(pending, paths)
            for change in chosen:
                if change.act == "changed" and change.entry.kind == "file":
                    place.restore(upper, tree, change.path)
            entries = layer.scan(self.area.upper)
            for change in chosen:
                entry = entries.get(change.path, change.entry)
                book.dropped[change.path] = book.seen[change.path] = entry.stamp
        self._dirty = bool(chosen) or self._dirty
        self._save()
        return Outcome(tuple(change.path for change in chosen), unknown)

    def refresh(self) -> None:
        """Give kept files the content they have been given outside since. Only between cells.

        Code would otherwise see its own copy for as long as the sandbox lives. Raises OSError.
        """
        book = self._ledger
        if not book.kept:
            return
        with Tree(self._folder) as tree, Tree(self.area.upper) as upper:
            there = tree.stats(book.kept)
            stale = [
                path
                for path, found in there.items()
                if book.base.get(path) != ledger.mark(found) and found.st_size <= MAX_REFRESHED
            ]
            entries = layer.scan(self.area.upper) if stale else {}
            fresh = [path for path in stale if self._is_as_kept(path, entries)]
            fresh = [path for path in fresh if not place.restore(upper, tree, path)]
            if not fresh:
                return
            entries = layer.scan(self.area.upper)
            for path in set(fresh) & entries.keys():
                book.kept[path] = book.seen[path] = entries[path].stamp
                book.base[path] = ledger.mark(tree.stat(path))
        self._dirty = True
        self._save()

    def _is_as_kept(self, path: str, entries: dict[str, Entry]) -> bool:
        entry = entries.get(path)
        return entry is not None and entry.kind == "file" and self._ledger.kept[path] == entry.stamp

    def tidy(self) -> None:
        """Take out of the layer what is decided. Only while no sandbox is on it. Raises OSError."""
        try:
            entries = layer.scan(self.area.upper)
        except TooMuch:
            return
        book = self._ledger
        if not entries and book == ledger.Ledger():
            return
        with Tree(self._folder) as tree, Tree(self.area.upper) as upper:
            open_paths = {change.path for change in self._pending(tree, entries)}
            needed = {part for path in open_paths for part in _above(path)}
            for path in sorted(entries, reverse=True):
                if path not in needed:
                    place.remove(upper, path, entries[path])
        book.forget_all_but(layer.scan(self.area.upper))
        self._dirty = True
        self._save()

    def _look(self, tree: Tree) -> dict[str, Entry]:
        entries = layer.scan(self.area.upper)
        if new := [path for path in entries if path not in self._ledger.seen]:
            self._note(tree, entries, new, None)
        return entries

    def _note(
        self, tree: Tree, entries: dict[str, Entry], new: Sequence[str], since: float | None
    ) -> None:
        book = self._ledger
        book.forget_all_but(entries)
        self._dirty = True
        real = tree.stats(path for path in new if path not in book.base)
        for path in new:
            book.seen[path] = entries[path].stamp
            if path not in book.base:
                there = real.get(path)
                late = since is not None and there is not None and entries[path].kind != "folder"
                unsure = late and there is not None and there.st_ctime > (since or 0) - _SLACK
                book.base[path] = ledger.UNKNOWN if unsure else ledger.mark(there)

    def _pending(self, tree: Tree, entries: dict[str, Entry]) -> list[Change]:
        real = {path: place.kind(found) for path, found in tree.stats(entries).items()}
        return [
            change
            for change in layer.changes(entries, real)
            if not self._ledger.is_decided(change.path, change.entry.stamp)
        ]

    def _keep(
        self,
        tree: Tree,
        changes: Sequence[Change],
        *,
        force: bool,
        told: bool,
        exact: Iterable[str] = (),
    ) -> Outcome:
        done: list[str] = []
        refused: list[tuple[str, str]] = []
        left = MAX_AT_ONCE
        with Tree(self.area.upper) as upper:
            for change in changes:
                left -= change.entry.size
                reason = "" if left >= 0 else f"all in all it is more than {MAX_AT_ONCE >> 30} GB"
                if not reason:
                    reason = self._objection(tree, change, force=force, told=told, exact=exact)
                if not reason:
                    reason = place.put(upper, tree, change, told=told)
                if reason:
                    refused.append((change.path, reason))
                    continue
                done.append(change.path)
                self._ledger.kept[change.path] = change.entry.stamp
                self._ledger.base[change.path] = ledger.mark(tree.stat(change.path))
        self._dirty = self._dirty or bool(done)
        return Outcome(tuple(done), tuple(refused))

    def _objection(
        self, tree: Tree, change: Change, *, force: bool, told: bool, exact: Iterable[str]
    ) -> str:
        """Why this is not put in place, "" when it may be."""
        path, book = change.path, self._ledger
        if is_protected(path) and path not in exact:
            return "its name is protected: it could run or be opened later by itself"
        if change.entry.kind == "other":
            return "it is not a plain file, folder or link"
        if change.entry.size > MAX_FILE:
            return f"it is larger than {MAX_FILE >> 30} GB"
        if force:
            return ""
        if told and book.shown.get(path, change.entry.stamp) != change.entry.stamp:
            return "code has written to it since it was listed; list it again"
        base = book.base.get(path)
        if change.entry.kind != "folder" and base != ledger.mark(tree.stat(path)):
            return "it was changed outside since code wrote it"
        return ""

    def _save(self) -> None:
        if self._dirty:
            ledger.write(self._ledger, self.area.ledger)
            self._dirty = False


def now() -> float:
    """What `note` calls `since`."""
    return time.time()


def _chosen(
    pending: Sequence[Change], paths: Sequence[str] | None
) -> tuple[list[Change], tuple[tuple[str, str], ...]]:
    """The changes of these paths and below them; and the paths where there are none."""
    if paths is None:
        return list(pending), ()
    names = [path.strip("/").removeprefix("./") for path in paths]
    chosen = [c for c in pending if any(c.path == n or c.path.startswith(f"{n}/") for n in names)]
    unknown = [
        (name, "nothing is staged under this name")
        for name in names
        if not any(c.path == name or c.path.startswith(f"{name}/") for c in chosen)
    ]
    return chosen, tuple(unknown)


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


__all__ = ["Outcome", "Staging", "TooMuch", "now"]
