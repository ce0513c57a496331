"""Mode cow through the real kernel: a person's cells write, an agent's steps are asked about."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Session, started
from tests.scripted_server import agent, serving, step

COW: dict[str, str] = {}
"""It is the default."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook's folder with data."""
    folder = tmp_path_factory.mktemp("staged")
    (folder / "data.csv").write_text("a,b\n1,2\n")
    return folder


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Session]:
    """A kernel in it, of the usual mode."""
    with started(folder, COW) as session:
        if "codeact-staged" not in session.run("print(open('/proc/self/mountinfo').read())").text:
            pytest.skip("what code writes cannot be staged here")
        yield session


def files(session: Session, words: str = "") -> str:
    """What `%agent files` shows."""
    return "\n".join(session.run(f"%agent files {words}").displays)


def test_own_cells_write_and_steps_are_staged_until_kept(kernel: Session, folder: Path) -> None:
    """The whole round: write, list with a diff, keep one, discard one, and what stays out."""
    kernel.run("open('mine.txt', 'w').write('mine')")
    assert (folder / "mine.txt").read_text() == "mine"
    code = (
        "open('data.csv', 'a').write('3,4\\n'); open('report.txt', 'w').write('hello')\n"
        "open('junk.txt', 'w').write('x'); open('.envrc', 'w').write('evil')\n"
        "print(open('data.csv').read())"
    )
    with serving(step(code), step("final_answer('done')")) as server:
        result = kernel.run(agent(server.url))
    assert "3,4" in result.text  # the agent sees what it wrote
    hint = result.displays[-1]
    assert "staged, not yet in the folder: `.envrc`, `data.csv`, `junk.txt`, `report.txt`" in hint
    assert "`%agent files keep --all`" in hint
    kernel.run("1 + 1")
    assert (folder / "data.csv").read_text() == "a,b\n1,2\n"
    assert not (folder / "report.txt").exists()
    listed = files(kernel)
    assert re.search(r"changed\s+data\.csv", listed)
    assert "+3,4" in listed
    assert "protected" in listed
    assert "report.txt" in files(kernel, "keep report.txt data.csv")
    assert (folder / "report.txt").read_text() == "hello"
    assert (folder / "data.csv").read_text() == "a,b\n1,2\n3,4\n"
    assert "junk.txt" in files(kernel, "discard junk.txt")
    assert "protected" in files(kernel, "keep --all")
    assert not (folder / ".envrc").exists()
    assert ".envrc" in files(kernel)
    assert "Say what to keep" in kernel.run("%agent files keep").error["evalue"]


def test_a_large_file_is_there_when_its_cell_is_over(kernel: Session, folder: Path) -> None:
    """It is copied beside the loop, and the reply comes after it; also when the cell kills Python."""
    write = "open('{}', 'wb').write(bytes(20 << 20))"
    assert kernel.run(write.format("large.bin")).reply["status"] == "ok"
    assert (folder / "large.bin").stat().st_size == 20 << 20
    died = kernel.run(f"{write.format('last.bin')}; import os; os.kill(os.getpid(), 9)")
    assert died.reply["ename"] == "SandboxDied"
    assert (folder / "last.bin").stat().st_size == 20 << 20


def test_a_step_cannot_keep_what_it_wrote(kernel: Session, folder: Path) -> None:
    """`%agent files keep` counts only as a cell of a client, never as code of a step."""
    code = "open('x.txt', 'w').write('x')"
    keep = "%agent files keep --all"
    with serving(step(code), step(keep), step("final_answer('done')")) as server:
        kernel.run(agent(server.url))
    assert not (folder / "x.txt").exists()
    assert "x.txt" in files(kernel)


def test_protected_names_of_own_cells_are_said_and_staged(kernel: Session, folder: Path) -> None:
    """A cell that makes a notebook is told where it is and how to get it."""
    result = kernel.run("open('other.ipynb', 'w').write('{}')")
    assert "protected" in result.stream("stderr")
    assert not (folder / "other.ipynb").exists()
    files(kernel, "keep --force other.ipynb")
    assert (folder / "other.ipynb").read_text() == "{}"


def test_staged_changes_live_through_the_death_of_the_sandbox(
    kernel: Session, folder: Path
) -> None:
    """A killed worker loses its variables, not what steps wrote."""
    with serving(step("open('late.txt', 'w').write('x')"), step("final_answer(1)")) as server:
        kernel.run(agent(server.url))
    died = kernel.run("open('mine.txt', 'w').write('m'); import os; os.kill(os.getpid(), 9)")
    assert died.reply["status"] == "error"
    assert (folder / "mine.txt").read_text() == "m"
    assert kernel.run("print(open('late.txt').read())").text == "x\n"
    assert "late.txt" in files(kernel)


def test_the_next_kernel_of_the_notebook_finds_what_is_staged(tmp_path: Path) -> None:
    """The area is the notebook's, not the kernel's; an empty one leaves nothing behind."""
    folder = tmp_path
    named = {**COW, "JPY_SESSION_NAME": str(folder / "n.ipynb")}
    replies = (step("open('late.txt', 'w').write('x')"), step("final_answer(1)"))
    with started(folder, named) as session, serving(*replies) as server:
        session.run(agent(server.url))
    with started(folder, named) as session:
        assert "late.txt" in files(session)
        assert "late.txt" in files(session, "discard --all")
    assert os.listdir(folder / ".state/codeact/staged") == []
    with started(folder, named) as session:
        assert "Nothing is staged" in files(session)
        assert session.run("import os; print(os.path.exists('late.txt'))").text == "False\n"


def test_without_namespaces_the_folder_is_read_only_and_the_first_error_says_so(
    tmp_path: Path,
) -> None:
    """No silent change of mode: cow without a layer is ro, and says where to write."""
    folder = tmp_path
    with started(folder, {**COW, "CODEACT_ISOLATION": "landlock"}) as session:
        result = session.run("open('new.txt', 'w')")
        assert result.reply["status"] == "error"
        assert "read-only for code here" in result.stream("stderr")
        assert session.run("open('new.txt', 'w')").stream("stderr") == ""
        with serving(step("open('new.txt', 'w')"), step("final_answer(1)")) as server:
            session.run(agent(server.url))
        (told,) = [m["content"] for m in server.requests[1]["messages"][-1:]]
        assert "read-only here. Write to a folder below $HOME or $TMPDIR" in told
        assert "cannot be staged" in files(session) or "Nothing can be staged" in files(session)
        assert not (folder / "new.txt").exists()
