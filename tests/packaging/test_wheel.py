"""What is built is what a user needs: the package, the command, the kernel spec, the extension, the examples."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT, run, without_node

SPEC = "share/jupyter/kernels/codeact/kernel.json"
EXTENSION = "share/jupyter/labextensions/codeact-labextension"


@pytest.fixture(scope="session")
def names(wheel: Path) -> frozenset[str]:
    """The files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return frozenset(archive.namelist())


def shared(names: frozenset[str], path: str) -> bool:
    """Whether the wheel installs something at `path` below the environment's prefix."""
    return any(name.endswith(f".data/data/{path}") for name in names)


def test_wheel_holds_every_module(names: frozenset[str]) -> None:
    """Each Python file of the package is in the wheel, under its own name."""
    modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("codeact_kernel/**/*.py")}
    assert modules <= names


def test_wheel_holds_nothing_else(names: frozenset[str]) -> None:
    """Neither tests nor sources of the extension are installed; the built extension is not there twice."""
    tops = {name.split("/")[0].split("-")[0] for name in names}
    assert tops == {"codeact_kernel"}
    assert not [name for name in names if name.startswith("codeact_kernel/labextension")]


def test_wheel_holds_the_examples(names: frozenset[str]) -> None:
    """Every file of notebooks/ is in the wheel, below codeact_kernel/examples."""
    files = [path for path in (ROOT / "notebooks").rglob("*") if path.is_file()]
    kept = [path for path in files if not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)]
    examples = {f"codeact_kernel/examples/{path.relative_to(ROOT / 'notebooks')}" for path in kept}
    assert examples <= names


def test_wheel_puts_things_where_jupyter_looks(names: frozenset[str]) -> None:
    """The kernel spec and the built extension go below the environment's share/jupyter."""
    assert shared(names, SPEC)
    assert shared(names, f"{EXTENSION}/package.json")
    assert shared(names, f"{EXTENSION}/install.json")


def test_sdist_holds_the_built_extension_and_its_sources(sdist: Path) -> None:
    """Who has the sdist can install it without node, and can build the extension with it."""
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"codeact_kernel/labextension/package.json", "labextension/src/index.ts"} <= inside
    assert {"LICENSE", "Makefile", "tests/packaging/test_wheel.py"} <= inside
    assert not [name for name in inside if "node_modules" in name]


def test_checkout_without_node_refuses_in_one_sentence(unpacked: Path, tmp_path: Path) -> None:
    """Without node, and with nothing built, no wheel comes out; what is missing is said."""
    copy = tmp_path / "checkout"
    run("cp", "-r", unpacked, copy, cwd=tmp_path)
    run("rm", "-r", copy / "codeact_kernel" / "labextension", cwd=tmp_path)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(copy)]
    done = subprocess.run(
        build, env=without_node(), cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode != 0
    assert "node 20 (or newer) and npm are needed" in done.stdout + done.stderr
    assert not list(copy.glob("dist/*.whl"))


def test_package_comes_from_the_wheel(environment: Path) -> None:
    """What is tested below is the installed package, not this checkout."""
    code = "import codeact_kernel; print(codeact_kernel.__file__)"
    where = run(environment / "bin" / "python", "-P", "-c", code, cwd=environment)
    assert Path(where.strip()).is_relative_to(environment)


def test_kernel_spec_is_found(environment: Path) -> None:
    """`jupyter kernelspec list` shows codeact, in this environment, as CodeAct (Python 3)."""
    python = environment / "bin" / "python"
    command = ["-m", "jupyter_client.kernelspecapp", "list", "--json"]
    listed = json.loads(run(python, *command, cwd=environment, env=without_node()))
    spec = listed["kernelspecs"]["codeact"]
    assert Path(spec["resource_dir"]).is_relative_to(environment)
    assert spec["spec"]["display_name"] == "CodeAct (Python 3)"
    assert spec["spec"]["argv"][0] == "python"


def test_extension_is_found_and_enabled(environment: Path) -> None:
    """`jupyter labextension list` shows the extension, enabled, compatible, and whose it is."""
    python = environment / "bin" / "python"
    listed = run(
        python, "-m", "jupyterlab.labextensions", "list", cwd=environment, env=without_node()
    )
    (line,) = [line for line in listed.splitlines() if "codeact-labextension" in line]
    assert "enabled" in line
    assert "OK" in line
    assert "codeact-kernel" in line


def test_command_runs(environment: Path) -> None:
    """The console command is installed and answers."""
    assert "codeact" in run(environment / "bin" / "codeact", "--help", cwd=environment)
