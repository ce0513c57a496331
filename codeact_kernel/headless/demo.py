"""`codeact demo`: the recorded quickstart, replayed in a real sandbox without network or key."""

from __future__ import annotations

import shutil
from pathlib import Path

from codeact_kernel.errors import NotebookError, UsageError

NOTEBOOK = "quickstart.ipynb"


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
