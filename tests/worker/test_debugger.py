"""The debugger's module is fetched without a trace in the notebook's environment."""

from __future__ import annotations

import pytest

from tests.worker.client import Worker

NAME = "PYDEVD_DISABLE_FILE_VALIDATION"


@pytest.mark.parametrize("before", [None, "0"])
def test_the_environment_is_as_it_was(worker: Worker, before: str | None) -> None:
    """A variable that is set for the import is taken away again, or what it was before."""
    set_it = f"os.environ[{NAME!r}] = {before!r}" if before is not None else "pass"
    ran = worker.run(
        f"import os\n{set_it}\n"
        "from codeact_kernel.worker.debugger import import_pydevd\n"
        f"import_pydevd()\nos.environ.get({NAME!r}, 'nothing')"
    )
    assert ran.result == repr(before or "nothing")
