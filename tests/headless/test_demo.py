"""The demo's data is put beside the result, where its cells look for it."""

from __future__ import annotations

import json
import tomllib
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


def test_what_the_cells_import_is_asked_for_before_anything_runs() -> None:
    """A plain installation hears how to get it, in one sentence."""
    demo.require(("json",))
    with pytest.raises(UsageError, match=r"needs no_such and nor_this.*codeact-kernel\[demo\]"):
        demo.require(("json", "no_such", "nor_this"))


def test_what_is_asked_for_is_what_the_notebook_imports() -> None:
    """The list is that of the recorded notebook, and of the extra that is named."""
    root = Path(demo.__file__).parents[2]
    text = "".join(
        "".join(cell["source"])
        for cell in json.loads((demo.examples_path() / demo.NOTEBOOK).read_text())["cells"]
        if cell["cell_type"] == "code"
    )
    extra = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    named = {line.partition(">")[0] for line in extra["optional-dependencies"]["demo"]}
    assert named == set(demo._IMPORTS)
    assert all(f"import {name}" in text for name in named)
