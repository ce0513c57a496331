"""`codeact ask`: a notebook made of a sentence and files.

Rule: the sandbox sees the notebook's folder and nothing else, so that is where the files have to
be: one from elsewhere is copied there, and no file that is there already is ever written over.
"""

from __future__ import annotations

import filecmp
import re
import shutil
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from codeact_kernel.errors import UsageError
from codeact_kernel.sandbox.workspace import home_folders

_TITLE = 100


def notebook(task: str, files: Sequence[str]) -> NotebookNode:
    """Title, where the files are, the task. Raises UsageError when the task is empty."""
    task = task.strip()
    if not task:
        raise UsageError("The task is empty; say in a sentence what is to be done.")
    cells = [new_markdown_cell(f"# {_title(task)}")]
    if files:
        cells.append(new_code_cell(f"files = {_listed(files)}"))
        task += "\n\nThe files are named in the variable `files`."
    cells.append(new_code_cell("%%agent\n" + literal(task)))
    return new_notebook(cells=cells)


def literal(task: str) -> str:
    """`task` so that `{name}` in it stays what it is: there are no variables yet."""
    return re.sub(r"\{([^\W\d]\w*)\}", r"{{\1}}", task)


def default_out(task: str, here: Path) -> Path:
    """A notebook that is not there yet, after the first words of the task.

    In `here`; in a new folder there when `here` itself is not shown to code.
    """
    words = re.findall(r"[a-z0-9]+", task.lower())[:6]
    stem = "-".join(words)[:50] or "task"
    numbers = ("", *(f"-{n}" for n in range(2, 1000)))
    if is_shown(here):
        return _free(here / f"{stem}{n}.ipynb" for n in numbers)
    return _free(here / f"codeact-{stem}{n}" for n in numbers) / f"{stem}.ipynb"


def is_shown(folder: Path) -> bool:
    """Whether the sandbox shows this folder: not a home or above one, not one shared by all users."""
    real = folder.resolve()
    if any(Path(home).resolve().is_relative_to(real) for home in home_folders()):
        return False
    return not real.is_dir() or not real.stat().st_mode & stat.S_ISVTX


def _free(paths: Iterable[Path]) -> Path:
    return next(path for path in paths if not path.exists())


def require(files: Sequence[Path]) -> None:
    """Raises UsageError for a file that is not there."""
    for file in files:
        if not file.exists():
            raise UsageError(f"There is no file {file}.")


def gather(files: Sequence[Path], folder: Path) -> tuple[list[str], list[str]]:
    """Names of `files` relative to `folder`, and of those that were copied there. Raises UsageError."""
    require(files)
    named: list[str] = []
    copied: list[str] = []
    folder = folder.resolve()
    for file in files:
        real = file.resolve()
        if real.is_relative_to(folder):
            named.append(str(real.relative_to(folder)))
            continue
        if _copy(file, real, folder / real.name):
            copied.append(real.name)
        named.append(real.name)
    return named, copied


def _copy(file: Path, real: Path, target: Path) -> bool:
    """Whether it had to be copied."""
    if not real.is_file():
        raise UsageError(
            f"{file} is outside {target.parent}, the folder the agent works in, and is not a plain "
            "file that could be copied there. Run the command in its folder."
        )
    try:
        if (
            target.is_file()
            and not target.is_symlink()
            and filecmp.cmp(real, target, shallow=False)
        ):
            return False
        with real.open("rb") as taken, target.open("xb") as given:
            shutil.copyfileobj(taken, given)
    except FileExistsError:
        raise UsageError(
            f"{file} is outside {target.parent}, the folder the agent works in, and another file "
            f"is called {target.name} there. Rename one of them."
        ) from None
    except OSError as error:
        raise UsageError(
            f"{file} cannot be copied to {target.parent}: {(error.strerror or '').lower()}."
        ) from None
    return True


def _title(task: str) -> str:
    first = task.splitlines()[0].strip()
    return first if len(first) <= _TITLE else first[: _TITLE - 1].rstrip() + "…"


def _listed(files: Sequence[str]) -> str:
    return "[" + ", ".join(map(repr, files)) + "]"
