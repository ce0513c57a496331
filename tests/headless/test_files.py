"""Notebook files: read whole or refused in a sentence, written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from codeact_kernel.errors import NotebookError
from codeact_kernel.headless import files


def notebook(*sources: str) -> nbformat.NotebookNode:
    return new_notebook(cells=[new_code_cell(source) for source in sources])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "it is not JSON"),
        ("[1, 2]", "it does not say its format"),
        ('{"cells": []}', "it does not say its format"),
        ('{"nbformat": 3, "nbformat_minor": 0, "worksheets": []}', "format 3; format 4 is needed"),
        ('{"nbformat": 4, "nbformat_minor": 5}', "not a valid notebook"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [7]}', "not a valid"),
        ("[" * 100_000, "it is not JSON"),
    ],
)
def test_what_is_not_a_v4_notebook_is_refused_in_one_sentence(text: str, said: str) -> None:
    """A file that is not a notebook of format 4 is refused, with the reason."""
    with pytest.raises(NotebookError, match=said) as caught:
        files.parse(text, "x.ipynb")
    assert "\n" not in str(caught.value)


def test_a_missing_file_a_folder_and_bytes_are_refused(tmp_path: Path) -> None:
    """What cannot be read as text is said by name."""
    (tmp_path / "bytes.ipynb").write_bytes(b"\xff\xfe\x00")
    for path, said in [
        (tmp_path / "none.ipynb", "There is no file"),
        (tmp_path, "is a folder"),
        (tmp_path / "bytes.ipynb", "not text in UTF-8"),
    ]:
        with pytest.raises(NotebookError, match=said):
            files.read(path)


def test_an_old_v4_notebook_gets_ids_and_whole_sources(tmp_path: Path) -> None:
    """A notebook of minor 2 without ids and with lists of lines is read as minor 5."""
    cell: dict[str, Any] = {
        "cell_type": "code",
        "metadata": {},
        "source": ["a = 1\n", "a"],
        "outputs": [],
        "execution_count": None,
    }
    raw = {"nbformat": 4, "nbformat_minor": 2, "metadata": {}, "cells": [cell, cell]}
    (tmp_path / "old.ipynb").write_text(json.dumps(raw))
    read = files.read(tmp_path / "old.ipynb")
    assert read.cells[0].source == "a = 1\na"
    assert read.cells[0].id != read.cells[1].id
    nbformat.validate(read)


def test_doubled_ids_are_told_apart() -> None:
    """Two cells with one id, as some editors leave them, get two."""
    twice = notebook("a", "b")
    twice.cells[1]["id"] = twice.cells[0].id
    read = files.parse(json.dumps(twice), "x")
    assert len({cell.id for cell in read.cells}) == 2


def test_the_result_replaces_the_old_file_only_at_the_end(tmp_path: Path) -> None:
    """Until `finish` an existing file is untouched and the copy in progress lies beside it."""
    out = tmp_path / "out.ipynb"
    out.write_text("before")
    with files.Target(out) as target:
        target.save(notebook("a"))
        assert out.read_text() == "before"
        assert nbformat.read(target.partial, as_version=4).cells[0].source == "a"
        target.finish(notebook("b"))
    assert nbformat.read(out, as_version=4).cells[0].source == "b"
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]


def test_a_result_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    """After `discard` the folder is as it was."""
    with files.Target(tmp_path / "out.ipynb") as target:
        target.save(notebook("a"))
        target.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_result_that_cannot_be_put_in_place_is_in_the_copy(tmp_path: Path) -> None:
    """A folder that took the result's name meanwhile costs nothing: the sentence says where it is."""
    with files.Target(tmp_path / "out.ipynb") as target:
        target.save(notebook("a"))
        (tmp_path / "out.ipynb").mkdir()
        with pytest.raises(NotebookError, match=r"The result is in .*\.partial"):
            target.finish(notebook("a"))
    assert nbformat.read(target.partial, as_version=4).cells[0].source == "a"


def test_the_mode_of_an_existing_file_is_kept(tmp_path: Path) -> None:
    """A private notebook stays private."""
    out = tmp_path / "out.ipynb"
    out.write_text("before")
    out.chmod(0o600)
    with files.Target(out) as target:
        target.finish(notebook("a"))
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_path_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """A folder, a missing folder and a file as folder are said at once."""
    (tmp_path / "file").write_text("")
    for path, said in [
        (tmp_path, "is a folder"),
        (tmp_path / "none" / "out.ipynb", "no such file or directory"),
        (tmp_path / "file" / "out.ipynb", "not a directory"),
    ]:
        with pytest.raises(NotebookError, match=said):
            files.Target(path)


@pytest.fixture
def somebody() -> Iterator[None]:
    """Whoever runs the tests, but root, who may write everywhere: nobody stands in for root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_protected_folder_is_refused(somebody: None) -> None:
    """Where this user may not write, it is said before anything runs."""
    with tempfile.TemporaryDirectory() as folder:  # below nothing that only root may enter
        Path(folder).chmod(0o500)
        with pytest.raises(NotebookError, match="permission denied"):
            files.Target(Path(folder) / "out.ipynb")


def test_a_link_that_appears_meanwhile_is_not_followed(tmp_path: Path) -> None:
    """What runs in the folder cannot turn the result, or the copy in progress, into a write elsewhere."""
    work, secret = tmp_path / "work", tmp_path / "secret"
    work.mkdir()
    secret.write_text("untouched")
    with files.Target(work / "out.ipynb") as target:
        target.partial.unlink()
        target.partial.symlink_to(secret)
        (work / "out.ipynb").symlink_to(secret)
        target.save(notebook("a"))
        target.finish(notebook("b"))
    assert secret.read_text() == "untouched"
    assert not (work / "out.ipynb").is_symlink()


def test_a_folder_that_is_swapped_meanwhile_is_not_followed(tmp_path: Path) -> None:
    """The result goes into the folder that was there at the start, whatever its name leads to now."""
    work, other = tmp_path / "work", tmp_path / "other"
    work.mkdir()
    other.mkdir()
    with files.Target(work / "out.ipynb") as target:
        work.rename(tmp_path / "moved")
        work.symlink_to(other)
        target.finish(notebook("a"))
    assert list(other.iterdir()) == []
    assert (tmp_path / "moved" / "out.ipynb").is_file()


def test_a_link_that_was_there_before_is_the_users_and_is_followed(tmp_path: Path) -> None:
    """`-o link.ipynb` writes what the link names."""
    real = tmp_path / "real.ipynb"
    real.write_text("before")
    (tmp_path / "link.ipynb").symlink_to(real)
    with files.Target(tmp_path / "link.ipynb") as target:
        target.finish(notebook("a"))
    assert (tmp_path / "link.ipynb").is_symlink()
    assert nbformat.read(real, as_version=4).cells[0].source == "a"


def test_an_output_nobody_can_read_does_not_spoil_the_file(tmp_path: Path) -> None:
    """An output that is not valid nbformat is left out, said so, and the rest is kept."""
    made = notebook("a")
    made.cells[0].outputs = [
        new_output("stream", text="kept"),
        nbformat.from_dict({"output_type": "display_data", "data": "no bundle", "metadata": {}}),
    ]
    with files.Target(tmp_path / "out.ipynb") as target:
        target.finish(made)
    read = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    nbformat.validate(read)
    assert read.cells[0].outputs[0].text == "kept"
    assert "left out" in read.cells[0].outputs[1].text


def test_text_that_utf8_cannot_hold_is_written(tmp_path: Path) -> None:
    """A lone surrogate, which a program may print, becomes a question mark."""
    made = notebook("a")
    made.cells[0].outputs = [new_output("stream", text="x\ud800y")]
    with files.Target(tmp_path / "out.ipynb") as target:
        target.finish(made)
    assert files.read(tmp_path / "out.ipynb").cells[0].outputs[0].text == "x?y"
