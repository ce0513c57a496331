"""Modules that are executed when somebody asks for something in them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from codeact_kernel.worker import later


def test_an_import_that_was_broken_off_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt in the middle of it does not leave half a module for ever."""
    again = tmp_path / "again"
    (tmp_path / "brokenoff.py").write_text(
        f"import os\nif not os.path.exists({str(again)!r}): raise KeyboardInterrupt\nvalue = 42\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    later.defer("brokenoff")
    module = sys.modules["brokenoff"]
    with pytest.raises(KeyboardInterrupt):
        module.value  # noqa: B018
    again.touch()
    assert module.value == 42
    del sys.modules["brokenoff"]
