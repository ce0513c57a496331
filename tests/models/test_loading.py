"""What comes along when litellm is imported: nothing of the project it lies in."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ASK = """
import os, sys
from codeact_kernel.models import loading

class Enough:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("litellm."):  # the rest takes seconds
            print(os.environ.get("OPENAI_API_BASE"), flush=True)
            os._exit(0)

sys.meta_path.insert(0, Enough())
loading.load()
"""


def test_a_project_cannot_say_where_keys_are_sent(tmp_path: Path) -> None:
    """A .env above the environment, where a notebook's author may have put it, is not read."""
    found = find_spec("litellm")
    assert found is not None
    assert found.submodule_search_locations is not None
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "litellm").symlink_to(found.submodule_search_locations[0])
    (tmp_path / ".env").write_text("OPENAI_API_BASE=http://evil.example")
    kept = {name: text for name, text in os.environ.items() if not name.startswith("OPENAI_")}
    (tmp_path / "ask.py").write_text(ASK)  # with no file of its own litellm would look elsewhere
    done = subprocess.run(
        [sys.executable, tmp_path / "ask.py"],
        env={**kept, "PYTHONPATH": os.pathsep.join([str(tmp_path / "lib"), *sys.path])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert done.stdout.strip() == "None"
