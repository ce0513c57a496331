"""`codeact demo`: the recorded quickstart, replayed in a real sandbox without network or key."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from codeact_kernel.errors import NotebookError, UsageError

NOTEBOOK = "quickstart.ipynb"
_IMPORTS = ("matplotlib", "pandas")
"""What its cells import; the extra `demo` in pyproject.toml installs them."""


def require(names: Iterable[str] = _IMPORTS) -> None:
    """Raises UsageError when a module that the demo's cells import is not installed."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"The demo needs {' and '.join(missing)}, which the plain installation does not bring: "
            "pip install 'codeact-kernel[demo]'"
        )


def examples_path() -> Path:
    """The folder of the recorded notebooks: in the installed package, or in the source checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "examples", package.parent / "notebooks"):
        if (folder / NOTEBOOK).is_file():
            return folder
    raise NotebookError(f"The example {NOTEBOOK} is missing: this installation is not complete.")


def unpack(examples: Path, out: Path) -> Path:
    """Put the demo's data beside `out`, where its cells look for it; the recorded notebook.

    A data file that is there already is left alone when it is the same. Raises UsageError.
    """
    data = out.parent / "data"
    try:
        data.mkdir(parents=True, exist_ok=True)
        for source in sorted((examples / "data").glob("*.csv")):
            _copy(source, data / source.name)
    except OSError as error:
        raise UsageError(f"{data} cannot be written: {(error.strerror or '').lower()}.") from None
    return examples / NOTEBOOK


def _copy(source: Path, target: Path) -> None:
    if target.exists() and target.read_bytes() != source.read_bytes():
        raise UsageError(f"{target} is there already and is another file; choose another -o.")
    if not target.exists():
        with source.open("rb") as taken, target.open("xb") as given:
            shutil.copyfileobj(taken, given)
