"""What holds the code, and what it does not show or hold: the sentences a user has to see.

Rule: nothing that is weaker than asked for, or not shown inside, stays unsaid. What a self-test saw
goes before what was asked for; before there is one, only what is certain already is said. It is on
the start path: standard library only.
"""

from __future__ import annotations

from typing import Protocol

_WEAK = {
    "none": "There is no sandbox: code can do whatever you can do on this machine.",
    "landlock": (
        "The sandbox has no namespaces of its own: Landlock and seccomp rules alone hold the code "
        "(codeact doctor says what that leaves open)."
    ),
}
"""By grade; the stronger ones need no warning."""


class Saw(Protocol):
    """What is read of a sandbox's report."""

    @property
    def notes(self) -> tuple[str, ...]: ...


class Isolation:
    """Owner of what is known of the sandbox. `grade` is "" until a self-test was seen.

    `backend` and `notes` are those of a sandbox that is starting; it cannot become more than its
    backend gives.
    """

    def __init__(self, backend: str = "", notes: tuple[str, ...] = ()) -> None:
        self.grade = ""
        self._most = backend
        self._notes = notes
        self._warned = ""
        self._told: set[tuple[str, str]] = set()

    def sandbox_has(self, grade: str, report: Saw) -> None:
        """A sandbox passed its self-test."""
        self.grade = grade
        self._notes = report.notes

    @property
    def warning(self) -> str:
        """One sentence when it is weaker than namespaces, else ""."""
        return _WEAK.get(self.grade or self._most, "")

    @property
    def sentences(self) -> tuple[str, ...]:
        """The warning and the notes, each once."""
        every = (self.warning, *self._notes)
        return tuple(dict.fromkeys(sentence for sentence in every if sentence))

    def before_cell(self) -> str:
        """The warning, for the first cell of the user's that runs with it; then ""."""
        warning, before = self.warning, self._warned
        self._warned = warning
        return warning if warning != before else ""

    def for_run(self, run: str) -> list[str]:
        """What goes into the trace of this run now; each sentence once."""
        fresh = [each for each in self.sentences if (run, each) not in self._told]
        self._told.update((run, each) for each in fresh)
        return fresh
