"""Bytecode is written where Python would write it, and nowhere else."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codeact_kernel.sandbox import bytecode


@pytest.fixture
def package(tmp_path: Path) -> Iterator[Path]:
    """A package that can be found, without bytecode, in a Python that may write some."""
    folder = tmp_path / "unseen_package"
    (folder / "tests").mkdir(parents=True)
    for name in ("__init__.py", "part.py", "tests/test_part.py"):
        (folder / name).write_text("VALUE = 1\n")
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    sys.path.append(str(tmp_path))
    importlib.invalidate_caches()
    yield folder
    sys.path.remove(str(tmp_path))
    sys.dont_write_bytecode = before


def compiled(path: Path) -> bool:
    return Path(importlib.util.cache_from_source(str(path))).exists()


async def test_a_package_without_bytecode_gets_it(package: Path) -> None:
    """All of it but its tests; one that is not installed is no matter."""
    await bytecode.ensure(["unseen_package", "not_installed_at_all"])
    assert compiled(package / "__init__.py")
    assert compiled(package / "part.py")
    assert not compiled(package / "tests/test_part.py")
    assert bytecode.missing(["unseen_package"]) == []


async def test_who_forbids_bytecode_gets_none(package: Path) -> None:
    """PYTHONDONTWRITEBYTECODE holds for this, too."""
    sys.dont_write_bytecode = True
    await bytecode.ensure(["unseen_package"])
    assert not compiled(package / "__init__.py")


def test_the_packages_are_those_the_kernel_inside_imports() -> None:
    """Every package that a start executes from the environment is in the list."""
    code = (
        "import sys; from codeact_kernel.worker import config, start, zygote\n"
        "zygote.prepare(config.parse('{}'))\n"
        "print(*{m.__name__ for m in list(sys.modules.values()) if hasattr(m, '__path__')"
        " and m.__name__[0] != '_' and '.' not in m.__name__ and 'site-packages' in (m.__file__ or '')})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= set(bytecode.PACKAGES)
