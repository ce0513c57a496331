"""Staged files at a checkpoint: what goes back, what is left to the user's decisions, what is too large."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from codeact_kernel.errors import SandboxError
from codeact_kernel.kernel.cells.files import Files
from codeact_kernel.kernel.rewind import file_past
from codeact_kernel.kernel.rewind.file_past import FilePast
from codeact_kernel.sandbox.staging.layer import Change, Entry
from codeact_kernel.sandbox.staging.staging import Outcome


class FakeFiles(Files):
    """A layer as dictionaries: what is undecided, what is staged at all, what the folder holds."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: dict[str, Change] = {}
        self.decided: set[str] = set()
        self.contents: dict[str, bytes] = {}
        self.folder: dict[str, bytes] = {}
        self.discarded: list[str] = []

    def stage(self, path: str, text: str, act: str = "created") -> None:
        """A step writes a file, or deletes one ("deleted")."""
        kind = "deleted" if act == "deleted" else "file"
        data = text.encode()
        entry = Entry(kind=kind, size=len(data), mode=0o640, stamp=f"{path}:{text}:{act}")
        self.changes[path] = Change(path=path, act=act, entry=entry)
        self.contents[path] = data

    def undecided(self) -> tuple[dict[str, Change], frozenset[str]]:
        return dict(self.changes), frozenset({*self.changes, *self.decided})

    def content(self, path: str, *, staged: bool, most: int) -> bytes | None:
        data = (self.contents if staged else self.folder).get(path)
        return data if data is not None and len(data) <= most else None

    def decide(self, verb: str, paths: Sequence[str], force: bool) -> Outcome:
        self.discarded += paths
        return Outcome(tuple(paths))

    def step_over(self, since: float | None = None) -> None:
        """Nothing to note."""


class Inside:
    """The woken kernel: it keeps what it is told to do."""

    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.written: dict[str, bytes] = {}
        self.failed: list[str] = []
        self.gone = False

    async def ask(self, name: str, arguments: Mapping[str, Any]) -> Any:
        assert name == "put_back"
        if self.gone:
            raise SandboxError("It ended.")
        self.deleted = list(arguments["delete"])
        self.written = {
            each["path"]: base64.b64decode(each["base64"]) for each in arguments["write"]
        }
        return {"failed": self.failed}


def past() -> tuple[FilePast, FakeFiles, Inside]:
    """Nothing staged yet."""
    files, inside = FakeFiles(), Inside()
    return FilePast(files, inside.ask, "/w"), files, inside


async def test_files_are_made_unmade_and_written_as_they_were() -> None:
    """Later ones are deleted, changed ones get their old content, deleted ones are there again."""
    kept, files, inside = past()
    files.stage("a", "then")
    files.stage("gone", "then")
    kept.keep(1, {1})
    files.stage("a", "now")
    files.stage("late", "now")
    files.folder["original"] = b"the folder's"
    files.stage("original", "", act="deleted")
    del files.changes["gone"]
    (told, *rest) = await kept.restore(1, 0)
    assert inside.deleted == ["/w/late"]
    assert inside.written == {
        "/w/a": b"then",
        "/w/gone": b"then",
        "/w/original": b"the folder's",
    }
    assert files.discarded == ["original"]
    assert told == "What steps had staged is as it was then, too: a, gone, late, original."
    assert rest == []


async def test_what_the_user_has_decided_about_is_not_touched() -> None:
    """A file that was kept or discarded since the checkpoint stays as it is."""
    kept, files, inside = past()
    files.stage("a", "then")
    kept.keep(1, {1})
    del files.changes["a"]
    files.decided.add("a")
    assert await kept.restore(1, 0) == []
    assert (inside.deleted, inside.written) == ([], {})


async def test_what_is_too_large_is_said() -> None:
    """Beyond the budget a file stays as it is, by name; so does one that cannot be put back."""
    kept, files, inside = past()
    files.stage("large", "x" * (file_past.BUDGET + 1))
    files.stage("small", "then")
    kept.keep(1, {1})
    files.stage("large", "now")
    files.stage("small", "now")
    inside.failed = ["/w/small"]
    (told,) = await kept.restore(1, 0)
    assert told == "These stay as they are, too large or no plain files: large, small."


async def test_nothing_is_claimed_when_nobody_is_inside() -> None:
    """When the sandbox ends under it, no file is said to be back."""
    kept, files, inside = past()
    kept.keep(1, {1})
    files.stage("late", "now")
    inside.gone = True
    (told,) = await kept.restore(1, 0)
    assert told.endswith("late.")
    assert "as it was then" not in told


async def test_checkpoints_that_are_gone_hold_nothing() -> None:
    """Only those that are kept have copies."""
    kept, files, inside = past()
    files.stage("a", "then")
    kept.keep(1, {1})
    files.stage("a", "later")
    kept.keep(2, {2})
    assert await kept.restore(1, 0) == []
    assert inside.written == {}
