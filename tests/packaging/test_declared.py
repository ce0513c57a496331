"""What the package imports is what pyproject.toml declares, and the two version numbers are one."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

import codeact_kernel
from tests.packaging.conftest import ROOT

# Declared for the user's cells or for a part that another dependency loads.
UNIMPORTED = {"ipywidgets"}
# Imported only where the user brought them: inside a try, or after looking whether they are loaded.
OPTIONAL = {"matplotlib", "numpy", "pandas", "jupyterlab"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The [project] table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def declared(project: dict[str, Any]) -> set[str]:
    """The distributions a plain installation brings, names normalised."""
    names = (re.match(r"[\w.-]+", line) for line in project["dependencies"])
    return {normal(name.group()) for name in names if name}


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported() -> dict[str, Path]:
    """Every top-level package that a module of ours imports, and one file that does."""
    found: dict[str, Path] = {}
    for path in ROOT.glob("codeact_kernel/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            found.update({name.partition(".")[0]: path for name in names})
    ours = {"codeact_kernel", *sys.stdlib_module_names}
    return {name: path for name, path in found.items() if name not in ours}


def test_imports_are_declared(project: dict[str, Any]) -> None:
    """No module needs a distribution that a plain `pip install codeact-kernel` may not bring."""
    owners = packages_distributions()
    missing = {
        f"{name} (in {path.relative_to(ROOT)})"
        for name, path in imported().items()
        if name not in OPTIONAL
        and not {normal(owner) for owner in owners.get(name, ())} & declared(project)
    }
    assert missing == set()


def test_declared_is_imported(project: dict[str, Any]) -> None:
    """Nothing is installed for nobody."""
    owners = packages_distributions()
    used = {normal(owner) for name in imported() for owner in owners.get(name, ())}
    assert declared(project) - used - UNIMPORTED == set()


def test_one_version() -> None:
    """The extension has the version of the package."""
    package = json.loads((ROOT / "labextension" / "package.json").read_text())
    assert package["version"] == codeact_kernel.__version__


def test_lock_file_names_no_host() -> None:
    """package-lock.json says what, not from where: any registry will do."""
    lock = json.loads((ROOT / "labextension" / "package-lock.json").read_text())
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry] == []
