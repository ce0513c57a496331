"""A kernel without namespaces: what a person does in it all day works; what is prepared is prepared."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Session, started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the notebook lies."""
    return tmp_path_factory.mktemp("landlock")


@pytest.fixture(scope="module")
def landlock(folder: Path) -> Iterator[Session]:
    """A kernel with Landlock alone, and without the font list of the other test kernels."""
    (folder / ".state/codeact/fonts").mkdir(parents=True)
    with started(folder, {"CODEACT_ISOLATION": "landlock"}) as session:
        yield session


def test_shell_commands_work_without_a_terminal(landlock: Session) -> None:
    """`!command` in a cell and in a function, its output in order, its exit code, and `x = !command`."""
    landlock.run("pass")  # the first cell is told of the weaker isolation
    result = landlock.run(
        "def say():\n    word = 'local'\n    !echo {word}; echo to >&2; exit 3\n"
        "print('before'); say(); print('after', _exit_code)"
    )
    assert result.text == "before\nlocal\nafter 3\n"
    assert result.stream("stderr") == "to\n"
    assert landlock.run("x = !echo one; echo two\nlist(x)").value == "['one', 'two']"


def test_the_font_list_is_made_beside_the_work(landlock: Session, folder: Path) -> None:
    """Some seconds after the start it is there for the next sandbox, without a cell noticing."""
    pytest.importorskip("matplotlib")
    end = time.monotonic() + 60
    while not list(folder.glob(".state/codeact/fonts/*/fontlist-*.json")):
        assert time.monotonic() < end, "no font list"
        time.sleep(0.2)
    assert landlock.run("1 + 1").value == "2"
