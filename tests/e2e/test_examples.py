"""The notebooks we ship, replayed with the real kernel and sandbox, without a model and without a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pytest

from codeact_kernel.trace import notebook
from codeact_kernel.trace.values import Outcome, Run

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "notebooks").glob("*.ipynb"))


def load(path: Path) -> Any:
    made = nbformat.read(path, as_version=4)
    nbformat.validate(made)
    return made


def only_run(path: Path) -> Run:
    (run,) = notebook.read(load(path)).runs
    return run


def command(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """`codeact` in `folder`, as a newcomer has it: no settings, no key."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CODEACT_")}
    state = str(Path(tempfile.gettempdir(), f"codeact-tests-{os.getuid()}"))
    own = {"PYTHONPATH": str(ROOT), "CODEACT_CONFIG": "/dev/null", "XDG_STATE_HOME": state}
    return subprocess.run(
        [sys.executable, "-P", "-m", "codeact_kernel", *map(str, arguments)],
        cwd=folder,
        env={**kept, **own},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_replays_to_the_letter(example: Path, tmp_path: Path) -> None:
    """A replay asks the recorded questions, shows the model the recorded text and ends the same."""
    folder = tmp_path / "notebooks"
    shutil.copytree(example.parent, folder)
    done = command(
        "run", example.name, "--model", f"replay/{example.name}", "--json", folder=folder
    )
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert line["notices"] == []
    before, after = only_run(example), only_run(folder / f"{example.stem}.run.ipynb")
    assert after.answer == before.answer
    assert [(step.thought, step.code) for step in after.steps] == [
        (step.thought, step.code) for step in before.steps
    ]
    assert [step.observation and step.observation.text for step in after.steps] == [
        step.observation and step.observation.text for step in before.steps
    ]


def test_quickstart_shows_a_failure_and_its_repair() -> None:
    """The first notebook a newcomer sees has at least four steps, one of which fails and is mended."""
    run = only_run(ROOT / "notebooks" / "quickstart.ipynb")
    states = [str(step.observation.status) for step in run.steps if step.observation]
    assert len(states) >= 4
    assert "error" in states[:-1]
    assert run.outcome is Outcome.ANSWER
    kinds = {
        kind
        for step in run.steps
        if step.observation
        for output in step.observation.outputs
        for kind in output.get("data", {})
    }
    assert {"image/png", "text/html"} <= kinds


def test_cities_need_one_action() -> None:
    """Search, five look-ups, sum and deviation are one request, where JSON tool calling needs seven."""
    run = only_run(ROOT / "notebooks" / "cities.ipynb")
    assert run.calls == 1
    assert "22,510,000" in (run.answer or "")


def test_untrusted_reaches_nothing() -> None:
    """The agent that is lied to gets no key, no account, no network, no foothold; its page is inert."""
    run = only_run(ROOT / "notebooks" / "untrusted.ipynb")
    (tried,) = [step.observation for step in run.steps if step.code and "attempt(" in step.code]
    assert tried is not None
    said = "".join(str(output.get("text", "")) for output in tried.outputs)
    assert said.splitlines() == [
        "the SSH key: FileNotFoundError",
        "accounts with a login shell: []",
        "keys and tokens: []",
        "processes of the machine: []",
        "sending it: URLError",
        "staying: OSError",
    ]
    shown = [output["data"].get("text/html", "") for output in tried.outputs if "data" in output]
    assert "203.0.113.9" not in "".join(shown)
    assert run.outcome is Outcome.ANSWER


def test_rewind_takes_everything_back_and_compares_two_futures() -> None:
    """What five things were before they were undone they are again; the way that was left is marked."""
    cells = load(ROOT / "notebooks" / "rewind.ipynb").cells
    shown = ["".join(o.get("text", "") for o in cell.get("outputs", [])) for cell in cells]
    before, harm, after = (text for text in shown if "array sum" in text)
    assert "frame: gone" in harm
    assert "tickets: (0, None)" in harm
    assert after.startswith(before)
    assert [line for line in after.splitlines() if line in harm.splitlines()] == [
        line for line in after.splitlines() if line.startswith(("first line", "drawn"))
    ]
    assert "4 halls, visits.csv is gone" in "".join(shown)
    assert [text.splitlines()[-1] for text in shown if "all in all" in text] == [
        "all in all: 500.0",
        "all in all: 1000.0",
    ]
    run = only_run(ROOT / "notebooks" / "rewind.ipynb")
    assert run.stale == {2, 3}
    assert run.answer == "1000 visitors in 4 halls"


def test_examples_name_no_machine_and_no_secret() -> None:
    """A shared trace tells nothing of where it was recorded but the environment's own path."""
    for example in EXAMPLES:
        text = example.read_text()
        assert "/root/" not in text
        assert "/home/" not in text
        assert "api_key" not in text


def test_demo_leaves_a_notebook_and_says_where(tmp_path: Path) -> None:
    """`codeact demo` needs no key and no network, and names the notebook it made."""
    done = command("demo", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    made = tmp_path / "codeact-demo" / "quickstart.ipynb"
    assert only_run(made).outcome is Outcome.ANSWER
    assert "codeact-demo/quickstart.ipynb" in done.stderr
    assert "Old Bridge" in done.stdout
