"""Runs Jupyter's own test-suites, unchanged, against plain ipykernel and against this kernel.

Rule: both kernels are installed as `python3` in a folder of their own, run in the same environment,
and take the same tests in the same order. What differs is printed, test by test; docs/fidelity.md
says why. Everything is fetched into a temporary folder and nothing of it is kept.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDED = (
    "flaky",
    "trio",
    "testpath",
    "xmltodict",
    "msgpack",
    "ipyparallel",
    "pytest-jupyter",
    "curio",
)
KERNELS = {
    "plain": ["-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "ours": ["-P", "-m", "codeact_kernel.kernel", "-f", "{connection_file}"],
}
SECONDS = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Tests in the sdist of `package`: `paths`."""

    package: str
    paths: tuple[str, ...]


SUITES = {
    "messages": Suite(
        package="ipykernel",
        paths=tuple(
            f"tests/test_{name}.py" for name in ("message_spec", "kernel", "async", "heartbeat")
        ),
    ),
    "debugger": Suite(package="ipykernel", paths=("tests/test_debugger.py",)),
    "nbclient": Suite(package="nbclient", paths=("tests",)),
    "client": Suite(package="jupyter_client", paths=("tests",)),
    "console": Suite(package="jupyter_console", paths=("jupyter_console/tests",)),
}


def main(names: list[str]) -> int:
    """Run these suites, or all; 2 for one that is not known."""
    if unknown := [name for name in names if name not in SUITES]:
        print(f"{unknown[0]} is not a suite. Known: {', '.join(SUITES)}.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="codeact-upstream-") as folder:
        work = Path(folder)
        python = environment(work)
        for name in names or list(SUITES):
            compare(name, SUITES[name], work, python)
    return 0


def environment(work: Path) -> Path:
    """An environment over this one, with what the suites need besides; its interpreter."""
    run([sys.executable, "-m", "venv", "--without-pip", str(work / "venv")])
    site = next((work / "venv").glob("lib/python*/site-packages"))
    ours = sysconfig.get_path("purelib")
    (site / "below.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    python = work / "venv" / "bin" / "python"
    run([str(python), "-m", "pip", "install", "-qq", "jupyter_console", *NEEDED])
    for kernel, arguments in KERNELS.items():
        spec = {
            "argv": [str(python), *arguments],
            "display_name": "Python 3",
            "language": "python",
            "metadata": {"debugger": True},
        }
        if kernel == "ours":
            spec |= {"interrupt_mode": "message", "env": {"PYTHONPATH": str(ROOT)}}
        place = work / kernel / "kernels" / "python3"
        place.mkdir(parents=True)
        (place / "kernel.json").write_text(json.dumps(spec))
    return python


def compare(name: str, suite: Suite, work: Path, python: Path) -> None:
    """Run one suite against both kernels and print what came of it."""
    source, version = unpacked(suite.package, work, python)
    results = {kernel: outcomes(suite, source, kernel, work, python) for kernel in KERNELS}
    print(f"\n{name} ({suite.package} {version})")
    for kernel, result in results.items():
        counts = {kind: sum(each == kind for each in result.values()) for kind in KINDS}
        print(f"  {kernel:6}", ", ".join(f"{n} {kind}" for kind, n in counts.items() if n))
    plain, ours = results["plain"], results["ours"]
    for test in sorted(plain.keys() | ours.keys()):
        if plain.get(test) != ours.get(test):
            print(f"  {test}: plain {plain.get(test)}, ours {ours.get(test)}")


KINDS = ("passed", "failed", "skipped")


def unpacked(package: str, work: Path, python: Path) -> tuple[Path, str]:
    """The package's source in the version that is installed."""
    path = [str(next((work / "venv").glob("lib/python*/site-packages")))]
    found = next(iter(importlib.metadata.distributions(name=package, path=path)), None)
    version = found.version if found is not None else importlib.metadata.version(package)
    folder = work / f"{package}-{version}"
    if not folder.is_dir():
        wanted = ["--no-deps", "--no-binary", package, f"{package}=={version}"]
        run([str(python), "-m", "pip", "download", "-qq", "-d", str(work), *wanted])
        (archive,) = work.glob(f"{package}-{version}.tar.gz")
        with tarfile.open(archive) as file:
            file.extractall(work, filter="data")
    return folder, version


def outcomes(suite: Suite, source: Path, kernel: str, work: Path, python: Path) -> dict[str, str]:
    """{test: passed, failed or skipped}."""
    report = work / f"{kernel}.xml"
    own = {
        "PATH": f"{python.parent}{os.pathsep}{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
        "JUPYTER_PATH": str(work / kernel),
        "JUPYTER_RUNTIME_DIR": str(work / kernel / "runtime"),
        "XDG_STATE_HOME": str(work / kernel / "state"),
    }
    pytest = [str(python), "-m", "pytest", "-q", "-o", "addopts=", "-o", "filterwarnings="]
    pytest += ["-p", "no:cacheprovider", "--timeout", "120", f"--junitxml={report}", *suite.paths]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("CODEACT_")}
    subprocess.run(
        pytest,
        cwd=source,
        env={**environ, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=SECONDS,
        check=False,
    )
    return dict(_read(report))


def _read(report: Path) -> Iterator[tuple[str, str]]:
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314  pytest has just written it
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "passed"
        name = re.sub(r".*tests\.", "", case.get("classname", ""))
        yield f"{name}::{case.get('name')}", "skipped" if "skipped" in kinds else outcome


def run(command: list[str]) -> None:
    """Raises CalledProcessError."""
    subprocess.run(command, check=True, timeout=SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
