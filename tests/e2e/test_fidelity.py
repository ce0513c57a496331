"""The same cells in this kernel and in plain ipykernel: what a client is told is the same."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from tests.e2e.conftest import SECONDS, Result, Session, started

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FILE = re.compile(r"(?:/[\w.+@-]+)*/(\w+\.py)")
_COUNT = re.compile(r"In\[\d+\]")
_THREAD = re.compile(r"Thread-\d+")
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")

CELLS = {
    "sys.exit": "import sys; sys.exit()",
    "sys.exit with a status": "import sys; sys.exit(3)",
    "sys.exit with a text": "import sys; sys.exit('no more')",
    "SystemExit in a function": "def leave():\n    raise SystemExit(1)\nleave()",
    "recursion in a list": "a = []\na.append(a)\na",
    "repr that raises": "class B:\n    def __repr__(self):\n        raise ValueError('no')\nB()",
    "repr that is no text": "class B:\n    def __repr__(self):\n        return 7\nB()",
    "error whose str raises": "class E(Exception):\n    def __str__(self):\n        raise ValueError('no')\nraise E()",
    "error in a html repr": "class B:\n    def _repr_html_(self):\n        raise ValueError('no')\n    def __repr__(self):\n        return 'B'\nB()",
    "surrogate as result": "'a\\ud800b'",
    "surrogate in a file's name": "import os\nname = os.fsdecode(b'a\\xffb')\nopen(name, 'w').close()\nfound = [n for n in os.listdir() if n == name]\nos.remove(name)\nprint(len(found)); found",
    "emoji": "print('\U0001f600'); '\U0001f600'",
    "long text": "'x' * 200_000",
    "long list": "list(range(100_000))",
    "long print": "print('y' * 300_000)",
    "many lines": "for i in range(2_000): print(i)",
    "large array in Out": "import numpy\nbig = numpy.zeros(100 * 2**20, 'u1')\nbig",
    "and again": "Out[max(Out)].nbytes, _.nbytes",
    "del of it": "%reset_selective -f big\nlen(Out) > 0",
    "syntax error": "a b",
    "indentation error": "  x = 1\n y = 2",
    "syntax error in eval": "eval('a b')",
    "keyboard interrupt raised": "raise KeyboardInterrupt",
    "exception group": "raise ExceptionGroup('several', [ValueError('a'), TypeError('b')])",
    "chained errors": "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('x') from error",
    "error with a note": "error = ValueError('x')\nerror.add_note('a note')\nraise error",
    "error in a thread": "import threading\nt = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()",
    "error in a task": "import asyncio\nasync def fails(): 1 / 0\ntask = asyncio.ensure_future(fails())\nawait asyncio.sleep(0.1)\ntype(task.exception())",
    "unraisable": "class D:\n    def __del__(self):\n        1 / 0\nd = D()\ndel d",
    "warning": "import warnings\nwarnings.warn('look out')",
    "deprecation": "import warnings\nwarnings.warn('old', DeprecationWarning)",
    "assertion": "assert 1 == 2, 'no'",
    "result and print": "print(1)\n2",
    "semicolon": "3;",
    "last of several": "4\n5",
    "all of several": "from IPython.core.interactiveshell import InteractiveShell\nInteractiveShell.ast_node_interactivity = 'all'\n",
    "all of several shown": "6\n7",
    "back to the last": "InteractiveShell.ast_node_interactivity = 'last_expr'",
    "nothing": "",
    "comment": "# nothing",
    "help": "len?",
    "source": "import textwrap\ntextwrap.dedent??",
    "who": "%reset -f\nx = 1\n%who",
    "unknown magic": "%nosuch",
    "unknown cell magic": "%%nosuch\n1",
    "time": "%%capture out\n%time 1",
    "bash": "%%bash\necho out; echo err >&2; exit 3",
    "shell": "!echo hello",
    "shell fails": "!false\n_exit_code",
    # Plain ipykernel reads what a child says in a thread, now and then after the cell is over.
    "subprocess": "import subprocess, time\nstatus = subprocess.run(['sh', '-c', 'echo sub; echo err >&2']).returncode\ntime.sleep(0.5); status",
    "input not allowed": "input('?')",
    "stdin": "import sys\nsys.stdin.readline()",
    "isatty": "import sys\nsys.stdout.isatty(), sys.stderr.isatty(), sys.stdout.encoding",
    "fileno": "import sys\nsys.stdout.fileno() > 0",
    "name": "__name__, __builtins__.__name__",
    "file": "__file__",
    "argv": "import sys\nlen(sys.argv)",
    "in and out": "In[-1], type(Out)",
    "top-level await": "import asyncio\nawait asyncio.sleep(0, 'awaited')",
    "asyncio.run": "import asyncio\nasync def a(): pass\nc = a()\ntry:\n    asyncio.run(c)\nfinally:\n    c.close()",
    "running loop": "import asyncio\nasyncio.get_running_loop().is_running()",
    "contextvar": "import contextvars\nv = contextvars.ContextVar('v', default=0)\nv.set(1);",
    "contextvar later": "v.get()",
    "display id": "h = display('one', display_id='d')\nh.update('two')",
    "clear": "from IPython.display import clear_output\nprint('gone')\nclear_output()\nprint('left')",
    "json": "from IPython.display import JSON\nJSON({'a': [1, None, True]})",
    "bytes": "b'\\x00\\xff'",
    "faulthandler": "import faulthandler\nfaulthandler.is_enabled()",
    "logging": "import logging\nlogging.getLogger('x').warning('logged')",
    "print end": "print('a', end='')\nprint('b', end='')",
    "carriage return": "print('a\\rb')",
    "write to closed": "import io\nf = io.StringIO(); f.close(); f.write('x')",
    "sys.stdout replaced": "import sys, io\nsaved, sys.stdout = sys.stdout, io.StringIO()\nprint('caught')\ncaught = sys.stdout.getvalue()\nsys.stdout = saved\ncaught",
    "redirect": "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as f:\n    print('in')\nf.getvalue()",
    "excepthook": "import sys\nsys.excepthook is not sys.__excepthook__",
    "custom exception handler": "def handler(shell, kind, value, tb, tb_offset=None): print('mine', kind.__name__)\nget_ipython().set_custom_exc((ValueError,), handler)\nraise ValueError('x')",
    "and without": "get_ipython().set_custom_exc((), None)",
    "generator": "(i for i in ())",
    "class of main": "class C: pass\nC",
    "dataclass": "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nP(1)",
    "pickle of main": "import pickle\nclass Q: pass\ntype(pickle.loads(pickle.dumps(Q()))).__name__",
    "inspect source": "import inspect\ndef g(): return 1\ninspect.getsource(g)",
    "memory error": "bytearray(10**15)",
    "overflow": "10.0 ** 400",
    "large int": "10 ** 5000",
    "user expressions": "u = 1",
    "fork": "import os\npid = os.fork()\nif pid == 0:\n    os._exit(5)\nos.waitpid(pid, 0)[1]",
    "pool": "import multiprocessing\nwith multiprocessing.get_context('fork').Pool(2) as p:\n    print(p.map(abs, [-1, -2]))",
    "thread pool": "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as p:\n    print(list(p.map(abs, [-1, -2])))",
    "signal": "import signal\nsignal.getsignal(signal.SIGINT) is signal.default_int_handler",
    "alarm": "import signal, time\nsignal.signal(signal.SIGALRM, lambda *a: print('rang'))\nsignal.setitimer(signal.ITIMER_REAL, 0.1)\ntime.sleep(0.3)",
    "background task": "import asyncio\nasync def tick():\n    for i in range(3):\n        await asyncio.sleep(0.05); print('tick', i)\nticking = asyncio.ensure_future(tick())",
    "its end": "await ticking; ticking.done()",
    "matplotlib widget without ipympl": "%matplotlib widget",
}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """This kernel."""
    with started(tmp_path_factory.mktemp("ours"), {"CODEACT_WORKSPACE_MODE": "rw"}) as session:
        yield session


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """ipykernel, of the same interpreter."""
    manager = KernelManager(kernel_name="python3")
    # With this variable ipykernel does not look at descriptors 1 and 2.
    environ = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    manager.start_kernel(
        cwd=str(tmp_path_factory.mktemp("plain")), env=environ, stderr=subprocess.DEVNULL
    )
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield Session(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def told(result: Result) -> list[Any]:
    """What a client is told, without what is not of the cell's: colours, paths, how text was cut."""
    found: list[Any] = []
    texts: dict[str, str] = {}
    for message in result.messages:
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            texts[content["name"]] = texts.get(content["name"], "") + content["text"]
        elif kind == "error":
            found.append([kind, content["ename"], content["evalue"], content["traceback"]])
        elif kind not in ("status", "execute_input"):
            found.append([kind, {k: v for k, v in content.items() if k != "execution_count"}])
    keys = ("status", "ename", "evalue", "payload", "user_expressions")
    reply = {key: result.reply.get(key) for key in keys}
    return [_plain(each) for each in (*found, texts, reply)]


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        text = _COLOUR.sub("", value)
        text = _THREAD.sub("Thread", _COUNT.sub("In[]", text))
        return _ADDRESS.sub("0x", _FILE.sub(r"\1", text.replace("~/", "/")))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


@pytest.mark.parametrize("name", CELLS)
def test_a_client_is_told_the_same(ours: Session, plain: Session, name: str) -> None:
    """Results, errors, texts, displays and payloads of a cell."""
    expected = told(plain.run(CELLS[name], allow_stdin=False))
    assert told(ours.run(CELLS[name], allow_stdin=False)) == expected


def test_half_characters_are_written_out(ours: Session) -> None:
    """A lone surrogate, on which ipykernel fails, is shown as Python writes it: a notebook with one in
    it could not be saved."""
    written = "a\\ud800b"
    assert ours.run("print('a\\ud800b')").text == f"{written}\n"
    assert (
        ours.run("import sys; print('a\\ud800b', file=sys.stderr)").stream("stderr")
        == f"{written}\n"
    )
    shown = "class S:\n    def __repr__(self):\n        return 'a\\ud800b'\nS()"
    assert ours.run(shown).value == written
    assert ours.run("raise ValueError('a\\ud800b')").error["evalue"] == written
    html = "display({'text/html': '<p>a\\ud800b</p>', 'text/plain': ''}, raw=True)"
    (display,) = ours.run(html).of("display_data")
    assert display["content"]["data"]["text/html"] == f"<p>{written}</p>"


@pytest.mark.parametrize(
    "code",
    [
        "def f(n):\n    return f(n + 1)\nf(0)",
        "class R:\n    def __repr__(self):\n        return repr(self)\nR()",
        "class E(Exception):\n    def __str__(self):\n        return str(self)\nraise E()",
    ],
    ids=["call", "repr", "str"],
)
def test_recursion_without_end_has_one(ours: Session, plain: Session, code: str) -> None:
    """It is the same error as in ipykernel, and the next cell works."""
    for session in (ours, plain):  # IPython takes seconds for 1,000 frames
        session.run("import sys; usual = sys.getrecursionlimit(); sys.setrecursionlimit(300)")
    names = [
        [message["content"]["ename"] for message in session.run(code).of("error")]
        for session in (ours, plain)
    ]
    for session in (ours, plain):
        assert session.run("sys.setrecursionlimit(usual); 6 * 7").value == "42"
    assert names[0] == names[1] != []


@pytest.mark.parametrize("code", ["exit", "exit()", "quit()"])
def test_exit_gives_a_fresh_sandbox(fresh: Session, code: str) -> None:
    """The client is told as by ipykernel; of the kernel only what is inside ends, and a new one comes."""
    fresh.run("kept = 1")
    payload = fresh.run(code).reply["payload"]
    assert payload == [{"source": "ask_exit", "keepkernel": False}]
    while fresh.client.get_iopub_msg(timeout=SECONDS)["content"] != {"execution_state": "starting"}:
        pass
    assert fresh.run("'kept' in globals()").value == "False"
    assert fresh.manager.is_alive()


def test_exit_can_keep_the_kernel(ours: Session, plain: Session) -> None:
    """`exit(keep_kernel=True)` only tells the client."""
    expected = told(plain.run("exit(keep_kernel=True)"))
    assert told(ours.run("exit(keep_kernel=True)")) == expected
    assert ours.run("6 * 7").value == "42"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os._exit(3)", "ended with status 3"),
        ("import os; os.abort()", "crashed (abort, signal 6)"),
        ("import faulthandler, ctypes; faulthandler.enable(); ctypes.string_at(0)", "segmentation"),
    ],
    ids=["os._exit", "abort", "segfault"],
)
def test_an_end_of_the_process_is_told(ours: Session, code: str, words: str) -> None:
    """Where ipykernel goes without a word, the cell says what happened, and the next one works."""
    result = ours.run(code)
    assert words in result.error["evalue"]
    if "faulthandler" in code:
        assert "Fatal Python error: Segmentation fault" in result.stream("stderr")
    assert ours.run("6 * 7").value == "42"
