"""`scripts/record`: a shipped notebook recorded anew."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from codeact_kernel.trace import notebook
from tests.e2e.test_examples import ROOT, load


def record(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.record_notebook", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_replies_stay_and_what_no_longer_fits_them_is_shown(tmp_path: Path) -> None:
    """The same notebook is recorded anew; with other data it stays, and the difference is said."""
    path = tmp_path / "cities.ipynb"
    shutil.copy(ROOT / "notebooks" / "cities.ipynb", path)
    done = record(path)
    assert done.returncode == 0, done.stderr
    (before,) = notebook.read(load(ROOT / "notebooks" / "cities.ipynb")).runs
    made = notebook.survey(load(path))
    (after,) = made.trace.runs
    assert made.skipped == ()
    assert after.id != before.id
    assert after.steps[0].replies[0].text == before.steps[0].replies[0].text
    assert after.usage.input_tokens > 400
    assert str(tmp_path) not in path.read_text()
    path.write_text(json.dumps(json.loads(path.read_text())).replace("9_320_000", "9_320_001"))
    edited = path.read_text()
    done = record(path)
    assert done.returncode == 1
    assert "+Ho Chi Minh City" in done.stderr
    assert path.read_text() == edited
