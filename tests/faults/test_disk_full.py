"""No room, or no right to write: where the kernel keeps its state, and inside."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Session
from tests.faults.conftest import journal, kernel_in, steps_in
from tests.scripted_server import agent, serving, step

UNWRITTEN = "The journal of this run cannot be written"
BIG = "print('x' * 9000)"


class Disk:
    """A small file system at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", path], check=True)

    def fill(self) -> None:
        """To the last byte."""
        with (self.path / "ballast").open("wb", buffering=0) as file:
            for size in (4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def empty(self) -> None:
        """Room again."""
        (self.path / "ballast").unlink()

    def forbid(self) -> None:
        """No journal can be written any more."""
        runs = self.path / "codeact" / "runs"
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", runs], check=True)

    def allow(self) -> None:
        """As before."""
        subprocess.run(["umount", self.path / "codeact" / "runs"], check=True)

    def close(self) -> None:
        """Whoever still has it open."""
        subprocess.run(["umount", "-l", self.path], check=True)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """Where the kernel of this module has its state."""
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a file system that can be filled")
    try:
        disk = Disk(tmp_path_factory.mktemp("full") / ".state")
    except subprocess.CalledProcessError:
        pytest.skip("no file system can be mounted here")
    yield disk
    disk.close()


@pytest.fixture(scope="module")
def session(disk: Disk) -> Iterator[Session]:
    """A kernel with its state on that disk."""
    with kernel_in(disk.path.parent) as session:
        yield session


def run(session: Session, *codes: str) -> str:
    """A run with these steps that ends well; what was shown."""
    with serving(*map(step, codes), "Done.") as server:
        result = session.run(agent(server.url))
    assert result.reply["status"] == "ok"
    return "".join(result.displays) + result.stream("stderr") + result.text


@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_run_goes_on_without_its_journal(session: Session, disk: Disk, kind: str) -> None:
    """It is said once; what was written can be read; the next run is in its journal again."""
    before = steps_in(disk.path.parent)
    assert UNWRITTEN not in run(session, "1")
    assert steps_in(disk.path.parent) == [*before, "ok"]
    (disk.fill if kind == "full" else disk.forbid)()
    assert run(session, BIG, "2", "3").count(UNWRITTEN) == 1
    (disk.empty if kind == "full" else disk.allow)()
    assert set(steps_in(disk.path.parent)) == {"ok"}
    assert UNWRITTEN not in run(session, "4")
    events = journal(disk.path.parent)
    assert [event["type"] for event in events].count("RunFinished") >= 2


def test_a_cell_that_meets_a_full_disk_has_an_ordinary_error(session: Session, disk: Disk) -> None:
    """Where what it writes is staged, and in memory; the notebook goes on with its variables."""
    session.run("kept = 1")
    disk.fill()
    result = session.run("open('data.bin', 'wb').write(bytes(100_000))")
    disk.empty()
    assert "No space left" in result.error["evalue"]
    result = session.run("while True: open('/dev/shm/big', 'ab').write(bytes(1 << 20))")
    assert result.error["ename"] == "OSError"
    assert session.run("import os; os.unlink('/dev/shm/big')").reply["status"] == "ok"
    assert session.run("kept").value == "1"


def test_a_start_without_room_for_state(session: Session, disk: Disk) -> None:
    """A kernel that can stage nothing starts all the same; a cell that writes is told why it cannot."""
    disk.fill()
    folder = disk.path.parent / "other"
    folder.mkdir()
    with kernel_in(folder, XDG_STATE_HOME=str(disk.path)) as other:
        assert other.run("1 + 1").value == "2"
        result = other.run("open('new.txt', 'w')")
    disk.empty()
    assert result.error["ename"] == "OSError"
    assert "cannot be staged" in result.stream("stderr")
