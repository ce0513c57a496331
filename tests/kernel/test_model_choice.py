"""Recordings that are replayed: files a hostile cell may have named, or planted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codeact_kernel.errors import NotebookError
from codeact_kernel.kernel.run.model_choice import Models
from codeact_kernel.settings import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A notebook's folder in which code has planted things."""
    folder = tmp_path / "notebook"
    folder.mkdir()
    (tmp_path / "secret.ipynb").write_text('{"nbformat": 4, "cells": []}')
    (folder / "link.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (folder / "out").symlink_to(tmp_path)
    os.mkfifo(folder / "fifo")
    with (folder / "huge").open("wb") as huge:
        huge.truncate(1 << 40)
    return folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.ipynb", "No such file"),
        ("link.ipynb", "a link is on the way"),
        ("out/secret.ipynb", "a link is on the way"),
        ("../secret.ipynb", "not below the notebook's folder"),
        ("fifo", "not an ordinary file"),
        (".", "not an ordinary file"),
        ("/dev/zero", "not an ordinary file"),
        ("huge", "more than 100 MB"),
    ],
)
def test_what_is_no_recording_is_refused_at_once(folder: Path, name: str, words: str) -> None:
    """No link is followed, no pipe waited for, no endless file read."""
    with pytest.raises(NotebookError, match=words):
        Models(folder).choose(Settings(model=f"replay/{name}"))


def test_the_users_own_path_may_lead_anywhere(folder: Path) -> None:
    """An absolute path is not a cell's, and a file below the folder is read."""
    for name in (folder / "link.ipynb", "own.ipynb"):
        (folder / "own.ipynb").write_text('{"nbformat": 4, "cells": []}')
        with pytest.raises(NotebookError, match="holds no recorded run"):
            Models(folder).choose(Settings(model=f"replay/{name}"))
