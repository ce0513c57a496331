"""Events on disk."""

from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path

import pytest

from codeact_kernel.kernel.run.journal import BYTES, KEPT, Journal
from codeact_kernel.trace.events import Noticed, Observed, ReplyGrew, RunStarted, StepFinished
from codeact_kernel.trace.values import Observation, Status, Step


def started(run: str) -> RunStarted:
    """The first event of a run."""
    return RunStarted(id=run, task="t", model="m")


def test_each_event_is_a_line_at_once(tmp_path: Path) -> None:
    """What happened is on disk before the next thing happens; what only animates is not."""
    journal = Journal(tmp_path / "runs")
    journal.write(started("r"))
    journal.write(ReplyGrew(run="r", number=1, thought="", code=""))
    journal.write(Noticed(run="r", sentence="é"))
    lines = journal.path("r").read_text("utf-8").splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["RunStarted", "Noticed"]
    assert journal.path("r").stat().st_mode & 0o777 == 0o600


def test_failing_to_write_is_one_sentence(tmp_path: Path) -> None:
    """A folder that cannot be made is said once and raises nothing."""
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "runs")
    journal.write(started("r"))
    problem = journal.problem
    assert "cannot be written" in problem
    journal.write(started("r"))
    assert journal.problem == problem


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A journal that somebody replaced by a link is not written through."""
    (tmp_path / "target").write_text("mine")
    journal = Journal(tmp_path)
    journal.path("r").symlink_to(tmp_path / "target")
    journal.write(started("r"))
    assert journal.problem
    assert (tmp_path / "target").read_text() == "mine"


def test_the_oldest_journals_go(tmp_path: Path) -> None:
    """The folder does not grow for ever."""
    for number in range(KEPT + 5):
        (tmp_path / f"old{number}.jsonl").write_text("")
    Journal(tmp_path).write(started("new"))
    assert len(list(tmp_path.glob("*.jsonl"))) == KEPT + 1


def test_pruning_by_another_kernel_is_no_problem(tmp_path: Path) -> None:
    """A journal that is gone between listing and looking (a link to nothing stands for it) is passed."""
    (tmp_path / "gone.jsonl").symlink_to(tmp_path / "nothing")
    journal = Journal(tmp_path)
    journal.write(started("r"))
    assert journal.problem == ""
    assert journal.path("r").is_file()


def test_outputs_are_written_once(tmp_path: Path) -> None:
    """They are in the step, which follows its observation and is enough to rebuild it."""
    output = {"output_type": "stream", "name": "stdout", "text": "only once"}
    observation = Observation(status=Status.OK, text="seen", outputs=(output,))
    journal = Journal(tmp_path)
    journal.write(started("r"))
    journal.write(Observed(run="r", number=1, observation=observation))
    step = Step(number=1, cell="c", replies=(), code="x", observation=observation)
    journal.write(StepFinished(run="r", step=step))
    assert journal.path("r").read_text().count("only once") == 1


def test_large_journals_go_before_there_are_many(tmp_path: Path) -> None:
    """The newest stays whatever its size; older ones only as far as all fit."""
    for number in range(4):
        path = tmp_path / f"old{number}.jsonl"
        with path.open("wb") as file:
            file.truncate(BYTES // 2)  # a hole, not bytes on disk
        os.utime(path, (number, number))
    Journal(tmp_path).write(started("new"))
    assert sorted(path.stem for path in tmp_path.glob("*.jsonl")) == ["new", "old2", "old3"]


def events(path: Path) -> list[str]:
    """The types of the events in a journal, every line of which can be read."""
    return [json.loads(line)["type"] for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("left", ['{"type": "Noti', '{"type": "RunStarted"}\n{"ty', "{"])
def test_half_a_line_is_taken_back(tmp_path: Path, left: str) -> None:
    """What a kernel that was killed left of an event does not spoil the events behind it."""
    journal = Journal(tmp_path)
    journal.write(started("r"))
    with journal.path("r").open("a") as file:
        file.write(left)
    Journal(tmp_path).write(Noticed(run="r", sentence="on"))
    between = ["RunStarted"] if "\n" in left else []
    assert events(journal.path("r")) == ["RunStarted", *between, "Noticed"]


def test_a_whole_event_without_its_end_of_line_stays(tmp_path: Path) -> None:
    """Cut between the last character and the newline nothing is missing."""
    journal = Journal(tmp_path)
    journal.write(started("r"))
    journal.path("r").write_text(journal.path("r").read_text().rstrip("\n"))
    Journal(tmp_path).write(Noticed(run="r", sentence="on"))
    assert events(journal.path("r")) == ["RunStarted", "Noticed"]


def test_a_full_disk_leaves_whole_events_and_takes_the_rest_when_there_is_room(
    tmp_path: Path,
) -> None:
    """No half line, no event lost or out of order, and one sentence about it."""
    journal = Journal(tmp_path)
    journal.write(started("r"))
    size = journal.path("r").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, hard))
    try:
        for number in range(3):
            journal.write(Noticed(run="r", sentence=f"{number}: {'x' * 100}"))
        problem = journal.problem
        full = journal.path("r").stat().st_size
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert full == size
    assert "cannot be written" in problem
    journal.write(Noticed(run="r", sentence="3"))
    assert journal.problem == problem
    lines = [json.loads(line) for line in journal.path("r").read_text().splitlines()]
    assert [line["sentence"][0] for line in lines[1:]] == ["0", "1", "2", "3"]
