"""From settings and options to the model that is asked; one object per choice and kernel session.

Rule: the room of models is imported when the first run asks for one, never on the start path. A
replay remembers what it has played, so the same choice gives the same object. `choose` reads files
and imports, so it is called in a thread.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

from codeact_kernel.agent.ports import Model
from codeact_kernel.errors import NotebookError
from codeact_kernel.settings import Settings
from codeact_kernel.trace import notebook
from codeact_kernel.trace.values import Trace

_MAX_RECORDING = 100_000_000
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def names(configured: str) -> tuple[str, ...]:
    """Names for whoever types one: the configured model first. Slow the first time."""
    from codeact_kernel.models.names import known

    return tuple(dict.fromkeys(name for name in (configured, *known()) if name))


class Models:
    """Owner of the models of this session."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[tuple[Any, ...], Model] = {}

    def choose(self, settings: Settings) -> Model:
        """The model these settings name. Raises UnknownModel, NotebookError."""
        from codeact_kernel.models.choose import open_model

        key = (
            settings.model,
            settings.api_base,
            settings.api_key,
            settings.context_window,
            settings.vision,
        )
        if key not in self._open:
            self._open[key] = open_model(
                settings.model,
                api_base=settings.api_base,
                api_key=settings.api_key,
                context_window=settings.context_window,
                vision=settings.vision,
                load_trace=self._trace,
            )
        return self._open[key]

    def _trace(self, name: str) -> Trace:
        path = self._folder / Path(name).expanduser()
        try:
            data = json.loads(self._read(name))
        except OSError as error:
            raise NotebookError(f"The recording {path} cannot be read: {_why(error)}.") from error
        except (ValueError, RecursionError) as error:
            raise NotebookError(
                f"The recording {path} is not a notebook: it is not JSON."
            ) from error
        if not isinstance(data, dict) or data.get("nbformat") != 4:
            raise NotebookError(f"The recording {path} is not a notebook of format 4.")
        trace = notebook.read(data)
        if not trace.runs:
            raise NotebookError(f"The notebook {path} holds no recorded run to replay.")
        return trace

    def _read(self, name: str) -> bytes:
        """The bytes of a recording. Raises OSError.

        An absolute path is the user's own (kernel/run/narrowing.py). Another one may be a cell's, and
        code inside may have planted links in the folder: it is walked without following any.
        """
        path = Path(name).expanduser()
        if path.is_absolute():
            return _bytes_of(os.open(path, _READ))
        at = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            *folders, last = path.parts or (".",)
            if ".." in path.parts:
                raise OSError(errno.EXDEV, "")
            for folder in folders:
                flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                below = os.open(folder, flags, dir_fd=at)
                os.close(at)
                at = below
            return _bytes_of(os.open(last, _READ | os.O_NOFOLLOW, dir_fd=at))
        finally:
            os.close(at)


def _bytes_of(file: int) -> bytes:
    """What is in a regular file of a bounded size; closes it. Raises OSError."""
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "")
    with os.fdopen(file, "rb") as opened:
        data = opened.read(_MAX_RECORDING + 1)
    if len(data) > _MAX_RECORDING:
        raise OSError(errno.EFBIG, "")
    return data


def _why(error: OSError) -> str:
    match error.errno:
        case errno.ELOOP | errno.ENOTDIR:
            return "a link is on the way to it; name it by its absolute path in your configuration"
        case errno.EXDEV:
            return (
                "it is not below the notebook's folder; name it by its absolute path in your "
                "configuration"
            )
        case errno.EINVAL:
            return "it is not an ordinary file"
        case errno.EFBIG:
            return f"it has more than {_MAX_RECORDING // 1_000_000} MB"
        case _:
            return error.strerror or str(error)
