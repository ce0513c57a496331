"""`%pip install` by the user: outside, in the kernel's environment, usable inside at once."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import os
import subprocess
import sys
import sysconfig
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.e2e.conftest import ROOT, Session, started


@dataclass(frozen=True)
class Place:
    """A kernel in an environment of its own, whose pip finds two small packages.

    Whoever asks its index for `slowpackage` waits; `asked` is set then.
    """

    session: Session
    folder: Path
    site: Path
    asked: threading.Event


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Started once; what a test installs, the next ones see."""
    top = tmp_path_factory.mktemp("pip")
    environment, shelf, folder = top / "environment", top / "shelf", top / "notebook"
    shelf.mkdir()
    folder.mkdir()
    make = [sys.executable, "-m", "venv", "--without-pip", str(environment)]
    subprocess.run(make, check=True, timeout=60)
    site = next(environment.glob("lib/python*/site-packages"))
    ours = sysconfig.get_path("purelib")
    (site / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    for name in ("smallpackage", "otherpackage"):
        wheel(shelf, name)
    asked = threading.Event()
    with index(asked) as address:
        environ = {"PIP_INDEX_URL": address, "PIP_FIND_LINKS": str(shelf)}
        with started(folder, environ, python=str(environment / "bin" / "python")) as session:
            yield Place(session, folder, site, asked)


@contextlib.contextmanager
def index(asked: threading.Event) -> Iterator[str]:
    """A package index that has nothing, and takes its time to say so of one package."""
    over = threading.Event()

    class Index(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "slowpackage" in self.path:
                asked.set()
                over.wait()
            self.send_error(404)

        def log_message(self, *arguments: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        over.set()
        server.shutdown()


def wheel(shelf: Path, name: str) -> None:
    """A package of one module, built by hand."""
    about = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "answer = 42\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    with zipfile.ZipFile(shelf / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{about}/RECORD": record}.items():
            archive.writestr(path, text)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def test_a_package_is_usable_at_once(place: Place) -> None:
    """The command is shown, its output streamed, and the next cell imports what came."""
    kernel = place.session
    assert kernel.run("import smallpackage").error["ename"] == "ModuleNotFoundError"
    before = kernel.run("None").reply["execution_count"]
    result = kernel.run("# what we need\n%pip install smallpackage")
    assert result.reply["status"] == "ok"
    assert result.text.startswith("$ ")
    assert "-m pip install smallpackage\n" in result.text
    assert "Successfully installed smallpackage-1.0" in result.text
    assert (place.site / "smallpackage.py").is_file()
    after = kernel.run("import smallpackage; smallpackage.answer")
    assert after.value == "42"
    assert after.reply["execution_count"] == before + 2


def test_a_package_can_be_taken_away(place: Place) -> None:
    """Without a question that nobody could answer."""
    kernel = place.session
    assert kernel.run("%pip install otherpackage").reply["status"] == "ok"
    result = kernel.run("%pip uninstall otherpackage")
    assert "Successfully uninstalled otherpackage-1.0" in result.text
    assert not (place.site / "otherpackage.py").exists()


def test_a_failure_is_an_error_of_the_cell(place: Place) -> None:
    """pip's own words are above it, and what is queued behind is not run."""
    kernel = place.session
    first = kernel.client.execute("%pip install nosuchpackage")
    second = kernel.client.execute("1")
    failed = kernel.wait(first)
    assert "No matching distribution found for nosuchpackage" in failed.stream("stderr")
    assert failed.error["ename"] == "PipFailed"
    assert kernel.reply(second)["status"] == "aborted"


def test_it_can_be_interrupted(place: Place) -> None:
    """The stop button ends pip and its children, and the kernel goes on."""
    kernel = place.session
    msg_id = kernel.client.execute("%pip install slowpackage")
    assert place.asked.wait(30)
    running = kernel.processes()
    kernel.interrupt()
    stopped = kernel.wait(msg_id)
    assert stopped.error["ename"] == "KeyboardInterrupt"
    assert "slowpackage" not in str([commands(pid) for pid in running])
    assert kernel.run("1").value == "1"


def commands(pid: int) -> str:
    """The command line of a process, "" when it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def test_nothing_that_code_wrote_is_run_outside(place: Place) -> None:
    """A module named pip in the notebook's folder, a local package, a list of requirements."""
    kernel = place.session
    sentinel = place.folder / "it-was-run"
    evil = f"open({str(sentinel)!r}, 'w')\n"
    planted = [place.folder / f"{name}.py" for name in ("pip", "sitecustomize", "setup", "runpy")]
    for path in planted:
        path.write_text(evil)
    assert kernel.run("%pip install smallpackage").reply["status"] == "ok"
    for words in (".", "-r requirements.txt", "-e .", "./x.whl", "--target=."):
        refused = kernel.run(f"%pip install {words}")
        assert refused.error["ename"] == "UsageError", words
        assert "In a terminal you can" in refused.error["evalue"]
    for path in planted:
        path.unlink()
    assert not sentinel.exists()


def test_a_cell_of_an_agent_stays_the_agents(place: Place) -> None:
    """Run again by hand it is refused, whether the client says whose it is or the notebook does."""
    kernel = place.session
    message = kernel.client.session.msg("execute_request", _content("%pip install otherpackage"))
    message["metadata"] = {"cellId": "x", "codeact": {"role": "step", "run": "r", "step": 1}}
    kernel.client.shell_channel.send(message)
    refused = kernel.wait(message["header"]["msg_id"])
    assert "written by an agent" in refused.error["evalue"]


def test_a_client_where_nobody_could_be_asked_is_refused(place: Place) -> None:
    """A program that runs a whole notebook runs a stranger's cells like one's own, named or not."""
    kernel = place.session
    for metadata in ({}, {"cellId": "a-cell"}):
        content = _content("%pip install otherpackage") | {"allow_stdin": False}
        message = kernel.client.session.msg("execute_request", content)
        message["metadata"] = metadata
        kernel.client.shell_channel.send(message)
        refused = kernel.wait(message["header"]["msg_id"])
        assert "without anybody who could be asked" in refused.error["evalue"]


def test_the_command_installs_nothing(place: Place) -> None:
    """`codeact run` of a stranger's notebook: the cell fails, and no package came."""
    source = place.folder / "strangers.ipynb"
    notebook = new_notebook(cells=[new_code_cell("%pip install otherpackage")])
    source.write_text(nbformat.writes(notebook))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "codeact_kernel", "run", source],
        cwd=place.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(place.folder / ".state")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode != 0
    assert "without anybody who could be asked" in done.stderr


def test_what_is_there_already_stops_no_notebook(place: Place) -> None:
    """The first cell of many notebooks: whoever runs it, there is nothing to do."""
    result = place.session.run("%pip install -q pip 'numpy>=1'", allow_stdin=False)
    assert result.reply["status"] == "ok"
    assert "Requirement already satisfied: pip " in result.text
    refused = place.session.run("%pip install -U pip", allow_stdin=False)
    assert refused.error["ename"] == "UsageError"
    refused = place.session.run("%pip install 'numpy<1'", allow_stdin=False)
    assert refused.error["ename"] == "UsageError"


def test_inside_a_clear_word_points_outside(place: Place) -> None:
    """`!pip install`, and the magics where they cannot work; looking still works."""
    kernel = place.session
    for code, word in (
        ("!pip install smallpackage", "the only line of a cell"),
        ("!python -m pip uninstall -y smallpackage", "the only line of a cell"),
        ("x = 1\n%pip install smallpackage", "allow_net"),
        ("%conda install numpy", "in a terminal"),
        ("%uv pip install numpy", "the only line of a cell"),
        ("%uv add numpy", "in a terminal"),
    ):
        result = kernel.run(code)
        told = result.stream("stderr") + str(result.reply.get("evalue"))
        assert word in told, (code, told)
    shown = kernel.run("name = 'pip'\ndef f(x):\n    !echo {x} {name}\nf('a')\n%pip list").text
    assert "a pip" in shown
    assert "numpy" in shown


def _content(code: str) -> dict[str, Any]:
    return {
        "code": code,
        "silent": False,
        "store_history": True,
        "user_expressions": {},
        "allow_stdin": True,
        "stop_on_error": True,
    }


def test_a_saved_step_is_known_by_its_text(tmp_path: Path) -> None:
    """For clients that send no metadata: the notebook this kernel was started for says whose it is."""
    from codeact_kernel.kernel.cells.pip_process import AGENTS, Pip
    from codeact_kernel.kernel.channels.messages import Incoming

    notebook = tmp_path / "n.ipynb"
    agents = {"codeact": {"role": "step"}}
    step = {"id": "s", "source": ["%pip install x\n"], "metadata": agents}
    mine = {"id": "m", "source": "%pip install x", "metadata": {}}
    notebook.write_text(json.dumps({"cells": [mine, step]}))
    pip = Pip(notebook=notebook)

    def asks(cell: str) -> Incoming:
        metadata = json.dumps({"cellId": cell} if cell else {}).encode()
        content = b'{"allow_stdin":true}'
        return Incoming("shell", (), "execute_request", "1", "s", b"{}", metadata, content)

    assert pip.refusal(asks("s"), "%pip install x") == AGENTS
    assert pip.refusal(asks("m"), "%pip install x") == ""
    assert pip.refusal(asks("vscode:cell-7"), "%pip install x") == AGENTS
    assert pip.refusal(asks(""), "%pip install x") == AGENTS
    message = asks("vscode:cell-8")
    assert pip.refusal(message, "%pip install y") == ""
    assert "strict" in Pip(profile="strict").refusal(message, "%pip install y")
    assert "never" in Pip(setting="never").refusal(message, "%pip install y")
