"""Builds labextension/ into codeact_kernel/labextension, unless what is there was made of these sources.

Rule: node is asked for only when there is something to build. The built extension carries the digest
of its sources, so an sdist installs without node, and a changed source is never shipped stale.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = (
    "install.json",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "src",
    "style",
    "schema",
)
STAMP = "sources.sha256"
MISSING = (
    "node 20 (or newer) and npm are needed to build codeact-kernel from a checkout: "
    "its JupyterLab extension is written in TypeScript. "
    "Install them, or install a released wheel or sdist, which needs neither."
)


class BuildHook(BuildHookInterface[Any]):
    """hatchling calls this before it collects the files of a wheel or an sdist."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        build(root / "labextension", root / "codeact_kernel" / "labextension")


def build(source: Path, target: Path) -> None:
    """Bring `target` up to date with `source`. Raises SystemExit with one sentence when it cannot."""
    with (source / "package.json").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # tests in two processes may ask for it at once
        _build(source, target)


def _build(source: Path, target: Path) -> None:
    wanted = digest(source)
    stamp = target / STAMP
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise SystemExit(MISSING)
    # jupyter-builder is a Python program: beside the Python that builds
    path = os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)))
    environ = {**os.environ, "PATH": path}
    if not installed(source):
        run([npm, "ci", "--no-audit", "--no-fund"], source, environ)
    run([npm, "run", "build:prod"], source, environ)
    stamp.write_text(wanted)


def digest(source: Path) -> str:
    """SHA-256 over names and contents of everything the built extension is made of."""
    sha = hashlib.sha256()
    for name in SOURCES:
        top = source / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file():
                content = path.read_bytes()
                sha.update(f"{path.relative_to(source).as_posix()}\0{len(content)}\0".encode())
                sha.update(content)
    return sha.hexdigest()


def installed(source: Path) -> bool:
    """Whether node_modules is what package-lock.json says; npm leaves a lock file of its own there."""
    marker = source / "node_modules" / ".package-lock.json"
    lock = source / "package-lock.json"
    return marker.is_file() and marker.stat().st_mtime >= lock.stat().st_mtime


def run(command: list[str], folder: Path, environ: dict[str, str]) -> None:
    """Quiet when it works; all it printed when it does not."""
    done = subprocess.run(
        command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(
            f"{done.stdout}{done.stderr}\n`{' '.join(command)}` in {folder} ended with {done.returncode}; "
            "what it printed is above."
        )
