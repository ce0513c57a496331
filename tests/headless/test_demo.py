"""The demo's data is put beside the result, where its cells look for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeact_kernel.errors import UsageError
from codeact_kernel.headless import demo


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A folder as it is shipped."""
    (tmp_path / "examples" / "data").mkdir(parents=True)
    (tmp_path / "examples" / "data" / "bikes.csv").write_text("shipped")
    return tmp_path / "examples"


def test_the_data_is_put_beside_the_result(examples: Path, tmp_path: Path) -> None:
    """What the cells read by relative path is there; a second demo changes nothing."""
    out = tmp_path / "new" / "demo.ipynb"
    for _ in range(2):
        assert demo.unpack(examples, out) == examples / "quickstart.ipynb"
        assert (out.parent / "data" / "bikes.csv").read_text() == "shipped"


def test_the_users_own_data_is_not_written_over(examples: Path, tmp_path: Path) -> None:
    """Another file of that name is said and left alone."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bikes.csv").write_text("mine")
    with pytest.raises(UsageError, match="another file"):
        demo.unpack(examples, tmp_path / "demo.ipynb")
    assert (tmp_path / "data" / "bikes.csv").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_said(examples: Path, tmp_path: Path) -> None:
    """One sentence, no traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        demo.unpack(examples, tmp_path / "file" / "demo.ipynb")
