"""Interrupt, input, death, shutdown, and what a broken or hostile peer sends."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import time
from pathlib import Path

import pytest

from codeact_kernel.wire import encode
from tests.worker.client import Ran, Worker, is_idle


def interrupted(worker: Worker, code: str, after: float = 0.3) -> tuple[Ran, float]:
    """Run, interrupt, and measure from the interrupt to the end."""
    name = worker.execute(code)
    worker.until(lambda f: f.head.get("type") == "execute_input" and f.head["parent"] == name)
    time.sleep(after)
    start = time.monotonic()
    worker.send({"t": "interrupt"})
    return worker.finish(name, 10), time.monotonic() - start


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("while True: pass", "KeyboardInterrupt"),
        ("import time; time.sleep(30)", "KeyboardInterrupt"),
        ("import asyncio; await asyncio.sleep(30)", "CancelledError"),
        ("import asyncio\nawait asyncio.sleep(0)\nwhile True: pass", "KeyboardInterrupt"),
        ("import subprocess; subprocess.run(['sleep', '30'])", "KeyboardInterrupt"),
        ("input('?')", "KeyboardInterrupt"),
        ("import asyncio\nawait asyncio.sleep(0)\ninput('?')", "KeyboardInterrupt"),
        ("import threading; threading.Event().wait()", "KeyboardInterrupt"),
        ("final_answer(1)", "KeyboardInterrupt"),
        ("while True: print('x')", "KeyboardInterrupt"),
        ("from IPython.display import display\nwhile True: display(1)", "KeyboardInterrupt"),
    ],
)
def test_interrupt_ends_a_cell(shared: Worker, code: str, name: str) -> None:
    """Each kind of cell ends long before it would by itself, the kernel goes on."""
    ran, seconds = interrupted(shared, code)
    assert ran.reply["ename"] == name
    assert seconds < 8.0
    assert shared.run("6 * 7").result == "42"
    assert "worker/" not in "".join(ran.reply["traceback"])


@pytest.mark.parametrize("code", ["!sleep 30", "%%bash\nsleep 30"])
def test_interrupt_ends_a_command(shared: Worker, code: str) -> None:
    """A shell command ends with the interrupt."""
    _, seconds = interrupted(shared, code)
    assert seconds < 8.0
    assert shared.run("6 * 7").result == "42"


def test_interrupt_when_idle_is_nothing(shared: Worker) -> None:
    """An interrupt between cells changes nothing."""
    for _ in range(5):
        shared.send({"t": "interrupt"})
    assert shared.run("6 * 7").result == "42"


def test_second_interrupt_ends_a_task_that_will_not_be_cancelled(worker: Worker) -> None:
    """A cell that swallows its cancellation is ended by the second interrupt."""
    name = worker.execute(
        "import asyncio, time\n"
        "async def stubborn():\n"
        "    print('begun')\n"
        "    try: await asyncio.sleep(60)\n"
        "    except asyncio.CancelledError: print('not I'); time.sleep(60)\n"
        "await asyncio.create_task(stubborn())"
    )
    for seen in (b"begun", b"not I"):
        worker.until(lambda f, seen=seen: f.type == "stream" and seen in f.parts[0])  # type: ignore[misc]
        worker.send({"t": "interrupt"})
    assert worker.finish(name, 10).reply["status"] == "error"
    assert worker.run("6 * 7").result == "42"


def test_interrupts_at_any_moment_lose_no_reply(worker: Worker) -> None:
    """Interrupts that rain on short cells: each cell is answered, each frame is whole."""
    chance = random.Random(1)  # noqa: S311
    for n in range(150):
        name = worker.execute(f"for i in range(300): print(i)\n{n}", stop_on_error=False)
        time.sleep(chance.random() * 0.006)
        worker.send({"t": "interrupt"})
        assert worker.finish(name, 10).reply["status"] in ("ok", "error")
    assert worker.run("6 * 7").result == "42"


def test_input_and_getpass(shared: Worker) -> None:
    """A question is an ask frame; the input frame answers it."""

    def reply(value: str) -> None:
        shared.on_frame = lambda f: (
            shared.send({"t": "input", "value": value}) if f.type == "ask" else None
        )

    reply("Ada")
    ran = shared.run("input('name? ')")
    (ask,) = [f for f in ran.frames if f.type == "ask"]
    assert (ask.parts[0], ask.head["password"]) == (b"name? ", False)
    assert ran.result == "'Ada'"
    reply("secret")
    ran = shared.run("import getpass\ngetpass.getpass('key: ')")
    assert [f.head["password"] for f in ran.frames if f.type == "ask"] == [True]
    assert ran.result == "'secret'"
    reply("\x04")
    assert shared.run("input()").reply["ename"] == "EOFError"
    shared.on_frame = None
    ran = shared.run("input()", allow_stdin=False)
    assert ran.reply["ename"] == "StdinNotImplementedError"


def test_requests_that_come_during_input_wait(worker: Worker) -> None:
    """A request that arrives while a cell waits for its user is handled afterwards."""
    cell = worker.execute("x = input()")
    worker.until(lambda f: f.type == "ask")
    after = worker.execute("x * 2")
    time.sleep(0.1)
    worker.send({"t": "input", "value": "ab"})
    ran = worker.finish(after)
    assert ran.result == "'abab'"
    assert cell != after


def test_exit_of_the_kernel_is_told_at_once(worker: Worker) -> None:
    """os._exit(3): what was printed, then died with status 3, then the end of the stream."""
    worker.execute("import os\nprint('last words')\nos.write(1, b'raw\\n')\nos._exit(3)")
    frames = worker.until(lambda f: f.type == "died", 5)
    assert frames[-1].head["status"] == 3
    assert b"".join(f.parts[0] for f in frames if f.type == "stream") == b"last words\nraw\n"
    assert worker.receive(5) is None
    assert worker.process.wait(5) == 0


def test_kill_is_told_at_once(worker: Worker) -> None:
    """SIGKILL from a cell: died with status -9 within a moment, even with children left."""
    worker.run("import subprocess, os, signal\np = subprocess.Popen(['sleep', '60'])")
    (child,) = [int(worker.run("p.pid").result)]
    start = time.monotonic()
    worker.execute("os.kill(os.getpid(), signal.SIGKILL)")
    frames = worker.until(lambda f: f.type == "died", 5)
    assert frames[-1].head["status"] == -9
    assert time.monotonic() - start < 0.5
    assert worker.receive(5) is None
    worker.process.wait(5)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_daemon_does_not_hide_a_death(worker: Worker) -> None:
    """A forked process that holds every descriptor delays nothing and does not live on."""
    worker.run("import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(60)")
    worker.execute("os._exit(5)")
    assert worker.until(lambda f: f.type == "died", 5)[-1].head["status"] == 5
    worker.process.wait(5)


def test_shutdown_runs_atexit(worker: Worker, tmp_path: Path) -> None:
    """shutdown: atexit runs and may print; then the stream ends without `died`."""
    note = tmp_path / "note"
    worker.run(
        f"import atexit\n"
        f"def bye():\n    print('bye'); open({str(note)!r}, 'w').write('done')\n"
        f"atexit.register(bye);"
    )
    worker.send({"t": "shutdown", "restart": False})
    frames = []
    while (frame := worker.receive(10)) is not None:
        frames.append(frame)
    assert b"bye" in b"".join(f.parts[0] for f in frames if f.type == "stream")
    assert "died" not in [f.type for f in frames]
    assert note.read_text() == "done"
    assert worker.process.wait(5) == 0


def test_shutdown_of_a_busy_kernel(worker: Worker) -> None:
    """A busy kernel is interrupted, then ended; one that ignores it is killed."""
    worker.execute("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass")
    worker.execute("1")
    time.sleep(0.3)
    start = time.monotonic()
    worker.send({"t": "shutdown", "restart": False})
    while worker.receive(10) is not None:
        pass
    assert time.monotonic() - start < 5


def test_exit_in_a_cell_ends_the_kernel(worker: Worker) -> None:
    """`exit` in a cell is answered, then the kernel ends with status 0."""
    ran = worker.run("exit")
    assert ran.reply["payload"] == [{"source": "ask_exit", "keepkernel": False}]
    assert worker.until(lambda f: f.type == "died", 5)[-1].head["status"] == 0


def test_end_of_the_outer_ends_everything(worker: Worker) -> None:
    """When the outer closes the stream the kernel and its children are killed."""
    pids = [
        int(word)
        for word in worker.run(
            "import os, subprocess\np = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
            "print(os.getpid(), p.pid)"
        )
        .stream()
        .split()
    ]
    worker.socket.shutdown(socket.SHUT_RDWR)
    worker.process.wait(5)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_malformed_requests_are_answered_or_dropped(worker: Worker) -> None:
    """Requests without sense are answered with an error or dropped; the kernel goes on."""
    for content in ({}, {"code": 5}, {"code": None, "cursor_pos": "x"}):
        for kind in (
            "execute_request",
            "complete_request",
            "inspect_request",
            "history_request",
            "is_complete_request",
        ):
            assert worker.ask(kind, content).reply["status"] == "error", (kind, content)
    worker.send({"t": "request", "channel": "shell", "type": "x", "id": "a"}, [b"{}", b"{}"])
    worker.send({"t": "request", "channel": "shell", "type": "x", "id": "b"}, [b"[", b"{}", b"1"])
    worker.send({"t": "request", "id": "c"}, [b"{}", b"{}", b"{}"])
    worker.send({"t": "nonsense"})
    worker.send({"t": "result", "id": "nobody", "ok": True}, [b"{}"])
    worker.send({"t": "input", "value": "nobody asked"})
    worker.send({"t": "mark"})
    worker.send({"t": "query", "id": "z", "name": "values"}, [b"not json"])
    assert worker.run("6 * 7").result == "42"
    assert worker.ask("strange_request", {}).order == ["status", "status"]


def test_unsupported_requests_are_refused(worker: Worker) -> None:
    """Subshell requests, and a debugger's that are not for the kernel, get an error, not silence."""
    reply = worker.ask("debug_request", {"command": "attach", "seq": 1}, channel="control").reply
    assert reply["success"] is False
    for kind in ("create_subshell_request", "list_subshell_request"):
        assert worker.ask(kind, {}, channel="control").reply["status"] == "error"
    ran = worker.ask("execute_request", {"code": "1"}, header={"subshell_id": "s1"})
    assert ran.reply["status"] == "error"


def test_malformed_stream_from_outside_ends_the_worker(worker: Worker) -> None:
    """Bytes that are no frame cannot be followed by one: the worker ends."""
    worker.socket.sendall(b"\xff" * 64)
    assert worker.process.wait(5) == 0


def test_forged_frames_from_a_cell(worker: Worker) -> None:
    """Code that takes the link can end itself, and cannot say `selftest` or `died`."""
    ran = worker.run(
        "link = get_ipython().kernel.link\n"
        "link.send({'t': 'died', 'status': 7}); link.send({'t': 'selftest'}, [b'{}'])\n"
        "link.send({'t': 'reply', 'parent': 'other', 'type': 'execute_reply'}, [b'{}', b'{}'])\n"
        "print('alive')"
    )
    assert ran.stream() == "alive\n"
    worker.execute("link._socket.send(b'\\xff' * 64)")
    assert worker.until(lambda f: f.type == "died", 5)[-1].head["status"] == -9


def test_supervisor_cannot_be_read_by_the_kernel(worker: Worker) -> None:
    """The supervisor is not dumpable; the kernel itself is."""
    code = (
        "import os\n"
        "def owner(pid): return os.stat(f'/proc/{pid}/fd').st_uid\n"
        "open('/proc/self/environ').close()\n"
        "owner(os.getppid()), owner(os.getpid()), os.getuid()"
    )
    supervisor, kernel, uid = eval(worker.run(code).result)  # noqa: S307  three numbers
    assert kernel == uid
    assert supervisor == 0


def test_the_kernel_holds_only_its_own_descriptors(worker: Worker) -> None:
    """0, 1, 2, link, tether and the line for answers, copies of 1 and 2, and the event loop's three."""
    code = "import os\nsorted(os.readlink(f'/proc/self/fd/{n}').split(':')[0] for n in range(3, 40)"
    code += " if os.path.exists(f'/proc/self/fd/{n}') or os.path.islink(f'/proc/self/fd/{n}'))"
    kinds = eval(worker.run(code).result)  # noqa: S307  a list of names
    assert kinds.count("socket") == 5
    assert kinds.count("pipe") == 2
    assert len(kinds) == 8


def test_many_threads_call_at_once(worker: Worker) -> None:
    """Calls from 8 threads are answered by id, whatever the order of the answers."""
    waiting: list[tuple[str, int]] = []

    def answer(frame: object) -> None:
        from codeact_kernel.wire import Frame

        assert isinstance(frame, Frame)
        if frame.type != "call":
            return
        waiting.append((frame.head["id"], json.loads(frame.parts[0])["n"]))
        if len(waiting) == 8:
            for key, n in reversed(waiting):
                worker.send({"t": "result", "id": key, "ok": True}, [json.dumps(n * n).encode()])
            waiting.clear()

    worker.on_frame = answer
    ran = worker.run(
        "import threading\n"
        "calls = get_ipython().kernel.calls\n"
        "got = {}\n"
        "def work(n):\n"
        "    for _ in range(25): got[n] = calls('square', {'n': n})\n"
        "threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]\n"
        "for t in threads: t.start()\n"
        "for t in threads: t.join()\n"
        "got == {n: n * n for n in range(8)}"
    )
    assert ran.result == "True"


def test_a_thread_that_calls_leaves_the_kernel_free(worker: Worker) -> None:
    """While a thread waits for its answer, cells run and the loop turns."""
    held: list[str] = []
    worker.on_frame = lambda f: held.append(f.head["id"]) if f.type == "call" else None
    worker.run(
        "import threading\n"
        "calls = get_ipython().kernel.calls\n"
        "got = []\n"
        "t = threading.Thread(target=lambda: got.append(calls('slow', {})))\n"
        "t.start()"
    )
    for n in range(20):
        assert worker.run(f"{n} + 1").result == str(n + 1)
    worker.send({"t": "result", "id": held[0], "ok": True}, [b'"late"'])
    assert worker.run("t.join(); got").result == "['late']"


def test_signal_handlers_of_a_cell_do_not_cut_frames(worker: Worker) -> None:
    """A timer whose handler raises, in a cell that prints: frames stay whole."""
    ran = worker.run(
        "import signal\n"
        "def handler(*a): raise TimeoutError\n"
        "signal.signal(signal.SIGALRM, handler)\n"
        "caught = 0\n"
        "for _ in range(200):\n"
        "    try:\n"
        "        signal.setitimer(signal.ITIMER_REAL, 0.001)\n"
        "        while True: print('x' * 300)\n"
        "    except TimeoutError: caught += 1\n"
        "caught"
    )
    assert ran.result == "200"
    assert worker.run("6 * 7").result == "42"


def test_a_frame_in_two_halves(shared: Worker) -> None:
    """The supervisor puts frames together however they arrive."""
    raw = b"".join(bytes(p) for p in encode({"t": "query", "id": "h", "name": "none"}, [b"{}"]))
    shared.socket.sendall(raw[:7])
    time.sleep(0.05)
    shared.socket.sendall(raw[7:])
    answer = shared.until(lambda f: f.type == "answer")[-1]
    assert answer.head == {"t": "answer", "id": "h", "ok": False}


def test_signals_of_the_test_are_real() -> None:
    """The status of a killed process is negative, as docs/wire.md says."""
    assert os.waitstatus_to_exitcode(int(signal.SIGKILL)) == -9


def test_interrupts_while_calls_and_questions_wait(worker: Worker) -> None:
    """Interrupts at any moment of a wait leave a kernel that still hears and asks."""
    chance = random.Random(2)  # noqa: S311
    worker.on_frame = lambda f: (
        worker.send({"t": "result", "id": f.head["id"], "ok": True}, [b"{}"])
        if f.type == "call"
        else None
    )
    worker.run("calls = get_ipython().kernel.calls")
    for _ in range(100):
        name = worker.execute("while True: calls('x', {})")
        time.sleep(0.001 + chance.random() * 0.01)
        for _ in range(2):
            worker.send({"t": "interrupt"})
            time.sleep(chance.random() * 0.002)
        frames = worker.until(lambda f, name=name: is_idle(f, name), 10)  # type: ignore[misc]
        assert frames
    assert worker.run("calls('x', {})").result == "{}"
    assert worker.run("6 * 7").result == "42"


def test_a_head_may_hold_anything(shared: Worker) -> None:
    """A frame whose fields are of no use to the supervisor is passed on, and nothing ends."""
    useless: list[object] = [[], {}, None, 1.5, [[]]]
    for field in ("type", "parent", "id", "queued", "number"):
        for value in useless:
            head = {"t": "publish", "type": "x", "parent": "", field: value}
            shared.run(f"get_ipython().kernel.link.send({head!r}, [b'{{}}', b'{{}}'])")
    assert shared.run("6 * 7").result == "42"


def test_a_kernel_without_its_link_is_ended(worker: Worker) -> None:
    """A cell that closes the link ends its kernel instead of leaving it deaf."""
    worker.execute("import os\nos.closerange(3, 64)")
    assert worker.until(lambda f: f.type == "died", 5)[-1].head["status"] in (-9, 70)


def test_an_interrupt_right_behind_its_request_ends_it(worker: Worker) -> None:
    """An interrupt that overtakes the cell it is meant for still ends it."""
    for _ in range(50):
        name = worker.execute("import time; time.sleep(20)")
        worker.send({"t": "interrupt"})
        ran = worker.finish(name, 5)
        assert ran.reply["ename"] == "KeyboardInterrupt"
        assert ran.published("error")[0]["ename"] == "KeyboardInterrupt"
        assert worker.run("6 * 7").result == "42"
