"""The kernel spec in memory, in the wheel and where Jupyter looks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from codeact_kernel.errors import UsageError
from codeact_kernel.headless import kernelspec


def test_the_spec_in_memory_is_the_one_in_the_wheel() -> None:
    """There is one kernel, described twice."""
    shipped = Path(kernelspec.__file__).parents[1] / "kernelspec" / "kernel.json"
    assert json.loads(shipped.read_text()) == kernelspec.SPEC


def test_a_run_uses_this_interpreter() -> None:
    """Whatever is installed under our name elsewhere, the kernel is this package's."""
    spec = kernelspec.OwnSpecs().get_kernel_spec("anything")
    assert spec.argv[0] == sys.executable
    assert spec.interrupt_mode == "message"


def test_install_and_uninstall(tmp_path: Path) -> None:
    """`install` writes a spec that starts this interpreter, `uninstall` removes it."""
    place = kernelspec.install(prefix=str(tmp_path))
    assert place == tmp_path / "share" / "jupyter" / "kernels" / "codeact"
    spec = json.loads((place / "kernel.json").read_text())
    assert spec["argv"][0] == sys.executable
    assert spec["display_name"] == "CodeAct (Python 3)"
    assert kernelspec.install(prefix=str(tmp_path)) == place
    assert kernelspec.uninstall(prefix=str(tmp_path)) == place
    assert not place.exists()


def test_uninstalling_nothing_is_said(tmp_path: Path) -> None:
    """There is nothing to remove."""
    with pytest.raises(UsageError, match="no CodeAct kernel"):
        kernelspec.uninstall(prefix=str(tmp_path))


def test_a_prefix_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """The sentence says what to add."""
    (tmp_path / "share").write_text("a file")
    with pytest.raises(UsageError, match="--user"):
        kernelspec.install(prefix=str(tmp_path))
