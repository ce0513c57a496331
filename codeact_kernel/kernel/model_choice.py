"""From settings and options to the model that is asked; one object per choice and kernel session.

Rule: the room of models is imported when the first run asks for one, never on the start path. A
replay remembers what it has played, so the same choice gives the same object.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codeact_kernel.agent.ports import Model
from codeact_kernel.errors import NotebookError
from codeact_kernel.settings import Settings
from codeact_kernel.trace import notebook
from codeact_kernel.trace.values import Trace


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
            data = json.loads(path.read_bytes())
        except OSError as error:
            raise NotebookError(
                f"The recording {path} cannot be read: {error.strerror or error}."
            ) from error
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
