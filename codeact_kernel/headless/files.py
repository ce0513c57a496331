"""Notebook files: read whole or not at all, written whole or not at all.

Rule: the sandbox may write in the folder a result goes to, so a path is resolved once, before
anything runs. From then on the folder is a descriptor and every name in it is made anew and renamed:
a link or a folder that appears meanwhile is never followed.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import nbformat
from nbformat import NotebookNode

from codeact_kernel.errors import NotebookError


def read(path: Path) -> NotebookNode:
    """The notebook in `path`, brought to the newest v4 minor. Raises NotebookError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotebookError(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise NotebookError(f"{path} is a folder, not a notebook.") from None
    except UnicodeDecodeError:
        raise NotebookError(f"{path} is not a notebook: it is not text in UTF-8.") from None
    except OSError as error:
        raise NotebookError(f"{path} cannot be read: {error.strerror}.") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> NotebookNode:
    """The notebook in `text`; `name` is what a sentence calls it. Raises NotebookError."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise NotebookError(f"{name} is not a notebook: it is not JSON.") from None
    major = raw.get("nbformat") if isinstance(raw, dict) else None
    if not isinstance(major, int):
        raise NotebookError(f"{name} is not a notebook: it does not say its format.")
    if major != 4:
        raise NotebookError(
            f"{name} is a notebook of format {major}; format 4 is needed. "
            "Open it in Jupyter and save it, which converts it."
        )
    return _newest(raw, name)


def _newest(raw: dict[str, Any], name: str) -> NotebookNode:
    try:
        notebook = nbformat.v4.to_notebook(raw)
        if notebook.setdefault("nbformat_minor", 0) < 5:
            notebook = nbformat.v4.upgrade(notebook, from_minor=notebook.nbformat_minor or None)
        _give_ids(notebook)
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        first = str(error).strip().splitlines()[0]
        raise NotebookError(f"{name} is not a valid notebook: {first[:200]}.") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise NotebookError(f"{name} is not a valid notebook ({type(error).__name__}).") from None
    return notebook


def _give_ids(notebook: NotebookNode) -> None:
    """A fresh id for each cell that has none, or one that was there before."""
    seen: set[str] = set()
    for cell in notebook.cells:
        if cell.get("id", "") in seen | {""}:
            cell["id"] = nbformat.v4.new_code_cell().id
        seen.add(cell["id"])


def sound(notebook: NotebookNode) -> NotebookNode:
    """`notebook`, valid: an output nobody can read is replaced by a line that says so, in place."""
    if nbformat.validator.isvalid(notebook):
        return notebook
    for cell in notebook.cells:
        for place, output in enumerate(cell.get("outputs", ())):
            if not nbformat.validator.isvalid(output, ref="output", version=4):
                cell.outputs[place] = nbformat.v4.new_output(
                    "stream", name="stderr", text="(an output that is not valid was left out)\n"
                )
    return notebook


class Target:
    """Where a result goes. Owns the descriptor of its folder and the copy in progress.

    `save` refreshes the copy in progress, `finish` puts it in place of the file. Both are atomic.
    """

    def __init__(self, path: Path) -> None:
        """Raises NotebookError when nothing could be written there."""
        if path.is_dir():
            raise NotebookError(f"{path} is a folder; the name of a notebook is needed.")
        self.path = path.resolve()
        self._partial = f".{self.path.name}.partial"
        try:
            self._folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise NotebookError(f"{path} cannot be written: {_why(error)}.") from None
        try:
            self._mode = self._writable_mode()
            self._put(b"", self._partial)
        except OSError as error:
            os.close(self._folder)
            raise NotebookError(f"{path} cannot be written: {_why(error)}.") from None

    @property
    def partial(self) -> Path:
        """The copy in progress, to be named when the process ends before `finish`."""
        return self.path.parent / self._partial

    def save(self, notebook: NotebookNode) -> None:
        """Refresh the copy in progress."""
        self._put(_bytes(notebook), self._partial)

    def finish(self, notebook: NotebookNode) -> None:
        """Put the notebook in place and remove the copy. Raises NotebookError; the old file stays."""
        try:
            self._put(_bytes(sound(notebook)), self.path.name)
        except OSError as error:
            raise NotebookError(
                f"{self.path} cannot be written: {_why(error)}. The result is in {self.partial}."
            ) from None
        self.discard()

    def discard(self) -> None:
        """Remove the copy in progress."""
        with suppress(FileNotFoundError):
            os.unlink(self._partial, dir_fd=self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._folder)

    def _writable_mode(self) -> int:
        """The mode of the file that is there (0o666 for a new one). OSError when it is protected."""
        try:
            there = os.stat(self.path.name, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return 0o666
        os.close(os.open(self.path.name, os.O_WRONLY | os.O_NOFOLLOW, dir_fd=self._folder))
        return stat.S_IMODE(there.st_mode)

    def _put(self, data: bytes, name: str) -> None:
        fresh = f".{self.path.name}.{secrets.token_hex(6)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(fresh, flags, self._mode, dir_fd=self._folder)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.rename(fresh, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(fresh, dir_fd=self._folder)
            raise
        os.fsync(self._folder)


def _bytes(notebook: NotebookNode) -> bytes:
    text: str = nbformat.v4.writes(notebook)
    return (text.rstrip("\n") + "\n").encode("utf-8", "replace")


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
