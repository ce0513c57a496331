"""What was staged, decided about: listed, compared, kept, discarded; and what is never kept."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from codeact_kernel.sandbox.staging import apply, area, diff, layer, protected
from codeact_kernel.sandbox.staging.apply import Refused, Tree
from codeact_kernel.sandbox.staging.area import About, Area
from codeact_kernel.sandbox.staging.staging import Staging, now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A notebook's folder."""
    folder = tmp_path / "work"
    (folder / "sub").mkdir(parents=True)
    (folder / "data.csv").write_text("a,b\n1,2\n")
    (folder / "sub/old.txt").write_text("old\n")
    return folder


@pytest.fixture
def place(tmp_path: Path, folder: Path) -> Area:
    """Its staging area."""
    return area.reserve(tmp_path / "state", About(str(folder), ""), os.getuid())


@pytest.fixture
def upper(place: Area) -> Path:
    """The layer, written by hand in the way an overlay does it."""
    return Path(place.upper)


def white_out(path: Path) -> None:
    """As an overlay notes that a name is deleted."""
    path.parent.mkdir(exist_ok=True)
    os.mknod(path, stat.S_IFCHR | 0o000, os.makedev(0, 0))


def acts(staging: Staging) -> dict[str, str]:
    """What is undecided."""
    return {change.path: change.act for change in staging.changes()}


def test_the_users_own_writes_are_put_in_place_and_a_steps_are_not(
    place: Area, upper: Path, folder: Path
) -> None:
    """Who wrote is who ran; what a step wrote waits, also when the user's next cell is over."""
    staging = Staging(place)
    (upper / "agent.txt").write_text("by the agent")
    staging.note()
    (upper / "mine.txt").write_text("mine")
    (upper / "made").mkdir()
    (upper / "made/deep.txt").write_text("deep")
    white_out(upper / "sub/old.txt")
    outcome = staging.put(staging.note())
    assert set(outcome.done) == {"mine.txt", "made", "made/deep.txt", "sub/old.txt"}
    assert (folder / "made/deep.txt").read_text() == "deep"
    assert not (folder / "sub/old.txt").exists()
    assert not (folder / "agent.txt").exists()
    assert acts(staging) == {"agent.txt": "created"}


def test_decisions_outlive_the_kernel(place: Area, upper: Path, folder: Path) -> None:
    """A ledger read again knows what was kept and discarded; a new write is undecided again."""
    for name in ("keep", "drop", "wait"):
        (upper / name).write_text(name)
    staging = Staging(place)
    staging.note()
    assert staging.keep(["keep"]).done == ("keep",)
    assert staging.discard(["drop"]).done == ("drop",)
    again = Staging(place)
    assert acts(again) == {"wait": "created"}
    (upper / "drop").write_text("once more")
    assert acts(again) == {"drop": "created", "wait": "created"}
    again.discard(["drop"])
    again.tidy()
    assert os.listdir(upper) == ["wait"]


def test_what_was_changed_outside_is_not_overwritten_unless_forced(
    place: Area, upper: Path, folder: Path
) -> None:
    """The user's editor wins until the user says otherwise."""
    staging = Staging(place)
    (upper / "data.csv").write_text("staged")
    staging.note()
    (folder / "data.csv").write_text("edited by hand")
    outcome = staging.keep()
    assert outcome.done == ()
    assert "changed outside" in outcome.refused[0][1]
    assert (folder / "data.csv").read_text() == "edited by hand"
    assert staging.keep(force=True).done == ("data.csv",)
    assert (folder / "data.csv").read_text() == "staged"


def test_a_change_outside_while_the_cell_ran_counts_as_a_conflict(
    place: Area, upper: Path, folder: Path
) -> None:
    """Nobody can say which came first, so it stays staged."""
    began = now()
    (folder / "data.csv").write_text("edited meanwhile")
    (upper / "data.csv").write_text("by the cell")
    staging = Staging(place)
    outcome = staging.put(staging.note(began))
    assert outcome.done == ()
    assert (folder / "data.csv").read_text() == "edited meanwhile"


def test_what_is_kept_is_what_was_listed(place: Area, upper: Path, folder: Path) -> None:
    """A file that code goes on writing after it was shown is refused until it is shown again."""
    staging = Staging(place)
    (upper / "report.txt").write_text("harmless")
    staging.show(staging.changes())
    (upper / "report.txt").write_text("something else")
    assert "since it was listed" in staging.keep().refused[0][1]
    staging.show(staging.changes())
    assert staging.keep().done == ("report.txt",)


def test_bytes_that_change_while_they_are_read_are_not_put_in_place(
    place: Area, upper: Path, folder: Path
) -> None:
    """Between reading and renaming somebody is asked whether it is still the same file."""
    (upper / "x").write_text("x")
    source = os.open(upper / "x", os.O_RDONLY)
    with Tree(str(folder)) as tree, pytest.raises(Refused, match="writing"):
        tree.put_file("x", source, 0o644, lambda: False)
    os.close(source)
    assert sorted(os.listdir(folder)) == ["data.csv", "sub"]


def test_protected_names_are_never_put_in_place_by_themselves(
    place: Area, upper: Path, folder: Path
) -> None:
    """New or there, at the top or deep, by the user's cell or by keep --all."""
    names = [
        ".envrc", ".git/hooks/pre-commit", "sub/.vscode/tasks.json", "other.ipynb", "x.pth",
        "sitecustomize.py", "sub/usercustomize.py", "__pycache__/a.cpython-311.pyc", "sub/B.PYC",
        "jupyter_server_config.py", ".pre-commit-config.yaml",
    ]  # fmt: skip
    for name in names:
        (upper / name).parent.mkdir(parents=True, exist_ok=True)
        (upper / name).write_text("x")
        assert protected.is_protected(name)
    staging = Staging(place)
    staging.put(staging.note())
    for outcome in (staging.keep(), staging.keep(force=True)):
        refused = dict(outcome.refused)
        assert all("protected" in refused[name] for name in names)
    assert sorted(os.listdir(folder)) == ["data.csv", "sub"]
    assert staging.keep(["other.ipynb"]).done == ()
    assert staging.keep(["other.ipynb"], force=True).done == ("other.ipynb",)
    assert not protected.is_protected("analysis/plots.py")


def test_no_link_is_followed_on_the_way_in(place: Area, upper: Path, folder: Path) -> None:
    """A link in the folder, or swapped in by hand, never carries a file out of it."""
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "victim").write_text("safe")
    (folder / "way").symlink_to(outside)
    (folder / "direct").symlink_to(outside / "victim")
    (upper / "way").mkdir()
    (upper / "way/victim").write_text("overwritten")
    (upper / "direct").write_text("overwritten")
    staging = Staging(place)
    staging.put(staging.note())
    staging.keep(force=True)
    assert (outside / "victim").read_text() == "safe"
    assert os.listdir(outside) == ["victim"]
    with Tree(str(folder)) as tree, pytest.raises(Refused):
        tree.delete("../outside/victim")


def test_deleting_a_folder_does_not_follow_links_or_take_protected_things(
    place: Area, upper: Path, folder: Path
) -> None:
    """A link in it is deleted itself; with .git in it the folder stays."""
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "victim").write_text("safe")
    (folder / "sub/link").symlink_to(outside)
    (folder / "repo/.git").mkdir(parents=True)
    for name in ("sub", "repo"):
        white_out(upper / name)
    outcome = Staging(place).keep()
    assert outcome.done == ("sub",)
    assert "protected" in dict(outcome.refused)["repo"]
    assert (outside / "victim").read_text() == "safe"
    assert (folder / "repo/.git").is_dir()


def test_links_are_kept_only_when_they_stay_in_the_folder(
    place: Area, upper: Path, folder: Path
) -> None:
    """Absolute, upward and hidden targets are refused."""
    targets = {
        "ok": "sub/old.txt", "abs": "/etc/passwd", "up": "../outside", "sly": "sub/../../x",
        "hidden": ".git/config", "root": ".",
    }  # fmt: skip
    for name, target in targets.items():
        (upper / name).symlink_to(target)
    outcome = Staging(place).keep(force=True)
    assert outcome.done == ("ok",)
    assert {path for path, _ in outcome.refused} == set(targets) - {"ok"}


def test_modes_are_kept_without_set_user_id_and_special_files_not_at_all(
    place: Area, upper: Path, folder: Path
) -> None:
    """A script stays one; a set-user-ID bit is lost; a pipe blocks nobody and is refused."""
    (upper / "run.sh").write_text("#!/bin/sh\n")
    (upper / "run.sh").chmod(0o6755)
    os.mkfifo(upper / "pipe")
    outcome = Staging(place).keep()
    assert outcome.done == ("run.sh",)
    assert stat.S_IMODE((folder / "run.sh").stat().st_mode) == 0o755
    assert "plain file" in dict(outcome.refused)["pipe"]


def test_a_folder_made_anew_replaces_the_old_one(place: Area, upper: Path, folder: Path) -> None:
    """What was in it before goes, what is in the layer comes."""
    (upper / "sub").mkdir()
    os.setxattr(upper / "sub", "user.overlay.opaque", b"y")
    (upper / "sub/new.txt").write_text("new")
    staging = Staging(place)
    assert acts(staging) == {"sub": "replaced", "sub/new.txt": "created"}
    staging.keep()
    assert os.listdir(folder / "sub") == ["new.txt"]


def test_a_discarded_change_is_undone_at_once(place: Area, upper: Path, folder: Path) -> None:
    """The file code sees has the folder's content again, and is not listed any more."""
    (upper / "data.csv").write_text("nonsense")
    staging = Staging(place)
    staging.note()
    assert staging.discard().done == ("data.csv",)
    assert (upper / "data.csv").read_text() == "a,b\n1,2\n"
    assert acts(staging) == {}


def test_kept_files_follow_what_is_edited_outside(place: Area, upper: Path, folder: Path) -> None:
    """The layer's copy does not hide the user's later edits from code."""
    staging = Staging(place)
    (upper / "data.csv").write_text("from the cell")
    assert staging.put(staging.note()).done == ("data.csv",)
    (folder / "data.csv").write_text("edited later")
    staging.refresh()
    assert (upper / "data.csv").read_text() == "edited later"
    assert acts(staging) == {}
    (upper / "data.csv").write_text("and again")
    assert staging.put(staging.note()).done == ("data.csv",)
    assert (folder / "data.csv").read_text() == "and again"


def test_too_much_is_said_and_not_walked_through(
    place: Area, upper: Path, folder: Path, tmp_path: Path
) -> None:
    """Folders without end are an answer, not a crash."""
    deep = upper
    for _ in range(layer.MAX_DEPTH + 2):
        deep = deep / "d"
        deep.mkdir()
    with pytest.raises(layer.TooMuch):
        Staging(place).note()


def test_diffs_are_text_that_nothing_obeys(place: Area, upper: Path, folder: Path) -> None:
    """Unified for text, a size for the rest; escape sequences are spelled out."""
    (upper / "data.csv").write_text("a,b\n1,2\n3,\x1b[31m4\n")
    (upper / "blob.bin").write_bytes(b"\0" * 1234)
    (upper / "evil\x1b[2Jname").write_text("x")
    (upper / "tool").write_text("#!/bin/sh\n")
    (upper / "tool").chmod(0o755)
    white_out(upper / "sub/old.txt")
    staging = Staging(place)
    text = diff.listing(staging.changes(), str(folder), str(upper))
    assert "changed  data.csv" in text
    assert "    +3,\\x1b[31m4" in text
    assert "1,234 bytes" in text
    assert "deleted  sub/old.txt" in text
    assert "    -old" in text
    assert "can be run" in text
    assert "\x1b" not in text


def test_two_kernels_do_not_share_an_area(tmp_path: Path, folder: Path) -> None:
    """The second gets one of its own; one that is empty is taken away when it is let go."""
    about = About(str(folder), "/n.ipynb")
    first = area.reserve(tmp_path / "s", about, os.getuid())
    second = area.reserve(tmp_path / "s", about, os.getuid())
    assert first.path != second.path
    Path(first.upper, "x").write_text("x")
    assert area.open_existing(first.path) is None
    first.close()
    second.close()
    assert area.find(tmp_path / "s", about) == [first.path]
    again = area.reserve(tmp_path / "s", about, os.getuid())
    assert again.path == first.path
    assert not again.is_empty()
    again.close()
    assert apply.MAX_FILE > 0
