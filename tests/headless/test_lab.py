"""How JupyterLab is started, and that it finds our kernel."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from codeact_kernel.errors import UsageError
from codeact_kernel.headless import kernelspec, lab


def test_the_notebook_and_unknown_options_go_to_jupyterlab(tmp_path: Path) -> None:
    """This interpreter's JupyterLab, not one that happens to be on the path."""
    pytest.importorskip("jupyterlab")
    notebook = tmp_path / "a.ipynb"
    notebook.write_text("{}")
    made = lab.command(notebook, ["--no-browser"])
    assert made[:4] == [sys.executable, "-P", "-m", "jupyterlab"]
    assert made[-2:] == ["--no-browser", str(notebook)]


def test_a_missing_notebook_is_said(tmp_path: Path) -> None:
    """Nothing is started for a notebook that is not there."""
    pytest.importorskip("jupyterlab")
    with pytest.raises(UsageError, match="no file"):
        lab.command(tmp_path / "none.ipynb")


def test_a_kernel_that_is_not_installed_is_found_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JupyterLab gets a folder with our spec, before what was in JUPYTER_PATH."""
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("JUPYTER_PATH", "/elsewhere")
    environment = lab.environment(tmp_path)
    if not kernelspec.found():
        share, _, rest = environment["JUPYTER_PATH"].partition(":")
        assert rest == "/elsewhere"
        spec = json.loads(Path(share, "kernels", "codeact", "kernel.json").read_text())
        assert spec["argv"][0] == sys.executable
    else:
        assert environment["JUPYTER_PATH"] == "/elsewhere"
