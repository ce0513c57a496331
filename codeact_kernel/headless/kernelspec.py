"""The kernel spec: the one in memory that headless runs use, and the installed one that Jupyter finds.

Rule: a run always uses the kernel of the Python it was started with, whatever spec of that name is
installed elsewhere. `-P`: the kernel starts in the notebook's folder, where an agent may write; a
module it left there must not be imported by the trusted side. `SPEC` is the same as kernelspec/kernel.json in the wheel (a test compares them).
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

from codeact_kernel.errors import UsageError

NAME = "codeact"
DISPLAY_NAME = "CodeAct (Python 3)"
SPEC: dict[str, Any] = {
    "argv": ["python", "-P", "-m", "codeact_kernel.kernel", "-f", "{connection_file}"],
    "display_name": DISPLAY_NAME,
    "language": "python",
    "interrupt_mode": "message",
    "metadata": {"debugger": True},
}


class OwnSpecs(KernelSpecManager):
    """Knows one kernel: ours, with this interpreter."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Our spec, whatever was asked for."""
        return KernelSpec(**{**SPEC, "argv": [sys.executable, *SPEC["argv"][1:]]})


def install(*, user: bool = False, prefix: str | None = None) -> Path:
    """Write the spec where Jupyter looks for it; the folder. Raises UsageError when that fails."""
    place = _folder(user=user, prefix=prefix)
    with tempfile.TemporaryDirectory() as made:
        source = Path(made) / NAME
        write(source)
        try:
            KernelSpecManager().install_kernel_spec(
                str(source), NAME, user=user, prefix=None if user else prefix or sys.prefix
            )
        except OSError as error:
            raise UsageError(
                f"The kernel spec cannot be written to {place} ({error.strerror}). "
                "Add --user, or --prefix with a folder that is yours."
            ) from None
    return place


def uninstall(*, user: bool = False, prefix: str | None = None) -> Path:
    """Remove what `install` wrote; the folder. Raises UsageError when there is nothing or it stays."""
    place = _folder(user=user, prefix=prefix)
    if not place.is_dir():
        raise UsageError(f"There is no CodeAct kernel in {place}.")
    try:
        shutil.rmtree(place)
    except OSError as error:
        raise UsageError(f"{place} cannot be removed ({error.strerror}).") from None
    return place


def write(folder: Path) -> None:
    """A spec in `folder` that starts this interpreter, with the wheel's logos when they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = {**SPEC, "argv": [sys.executable, *SPEC["argv"][1:]]}
    (folder / "kernel.json").write_text(json.dumps(spec, indent=1) + "\n")
    shipped = Path(sys.prefix, "share", "jupyter", "kernels", NAME)
    checkout = Path(__file__).parents[1] / "kernelspec"
    for source in (checkout, shipped):
        for logo in source.glob("logo-*"):
            shutil.copyfile(logo, folder / logo.name)


def found() -> bool:
    """Whether Jupyter finds a kernel of our name."""
    return NAME in KernelSpecManager().find_kernel_specs()


def _folder(*, user: bool, prefix: str | None) -> Path:
    from jupyter_core.paths import jupyter_data_dir

    if user:
        return Path(jupyter_data_dir(), "kernels", NAME)
    return Path(prefix or sys.prefix, "share", "jupyter", "kernels", NAME)
