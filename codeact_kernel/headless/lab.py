"""`codeact lab`: JupyterLab on a notebook, with our kernel in its list."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from codeact_kernel import settings
from codeact_kernel.errors import UsageError
from codeact_kernel.headless import kernelspec


def command(notebook: Path | None, more: Sequence[str] = ()) -> list[str]:
    """What starts JupyterLab. Raises UsageError when there is no JupyterLab or no such notebook."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise UsageError(
            f"JupyterLab is not installed here. Install it with: {sys.executable} -m pip install "
            "'codeact-kernel[lab]'"
        )
    if notebook is not None and not notebook.exists():
        raise UsageError(f"There is no file {notebook}.")
    root = ["--allow-root"] if os.geteuid() == 0 else []  # who is root here knows it
    opened = [str(notebook)] if notebook else []
    return [sys.executable, "-P", "-m", "jupyterlab", *root, *more, *opened]


def environment(state: Path) -> dict[str, str]:
    """JupyterLab's environment; when our kernel would not be found, with a folder that has it."""
    if kernelspec.found():
        return settings.child_environment({})
    share = state / "jupyter"
    kernelspec.write(share / "kernels" / kernelspec.NAME)
    before = settings.child_environment({}).get("JUPYTER_PATH")
    return settings.child_environment(
        {"JUPYTER_PATH": os.pathsep.join(filter(None, (str(share), before)))}
    )


def start(notebook: Path | None, more: Sequence[str] = ()) -> NoReturn:
    """Become JupyterLab."""
    arguments = command(notebook, more)
    os.execve(arguments[0], arguments, environment(settings.state_path()))  # noqa: S606 — a list, no shell
