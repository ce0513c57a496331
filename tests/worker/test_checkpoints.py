"""Checkpoints: the parked forks of a live kernel, what waking one brings back, what it cannot."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.worker.client import Worker, is_idle


def take(worker: Worker, number: int) -> list[dict[str, Any]]:
    """A checkpoint that has to work; its reasons not to trust it in full."""
    answer = worker.order("checkpoint", number=number)
    assert answer["taken"], answer
    reasons: list[dict[str, Any]] = answer["reasons"]
    return reasons


def children(worker: Worker) -> set[int]:
    """The processes of the supervisor: the live kernel and the parked ones."""
    pid = worker.process.pid
    return {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def settle(worker: Worker, count: int) -> set[int]:
    """Wait until the supervisor has so many children."""
    end = time.monotonic() + 20
    while len(found := children(worker)) != count:
        assert time.monotonic() < end, found
        time.sleep(0.01)
    return found


def discard(worker: Worker, *numbers: int) -> None:
    worker.send({"t": "discard", "numbers": list(numbers)})


SETUP = """
import random, sqlite3
numbers = [1, 2, 3]
ticks = (n for n in range(100))
base = sqlite3.connect(':memory:')
_ = base.execute('create table t(a)')
"""
CHANGE = """
numbers.append(next(ticks)); _ = base.execute('insert into t values(1)')
(numbers, next(ticks), random.random(), base.execute('select count(*) from t').fetchall())
"""


def test_state_goes_back_as_often_as_one_likes(shared: Worker) -> None:
    """Lists, generators, databases in memory and random numbers are as they were, each time."""
    shared.run(SETUP)
    assert take(shared, 1) == []
    first = shared.run(CHANGE)
    for _ in range(3):
        shared.run("del numbers, base")
        shared.order("rewind", number=1)
        again = shared.run(CHANGE)
        assert again.result == first.result
        assert again.reply["execution_count"] == first.reply["execution_count"]
    discard(shared, 1)


def test_history_goes_back(shared: Worker) -> None:
    """In, Out and the history are those of the checkpoint."""
    shared.run("'kept'")
    take(shared, 1)
    shared.run("'taken back'")
    shared.order("rewind", number=1)
    ask = {"hist_access_type": "tail", "n": 1, "raw": True, "output": False}
    assert shared.ask("history_request", ask).reply["history"][0][2] == "'kept'"
    assert shared.run("'taken back' in Out.values()").result == "False"
    discard(shared, 1)


def test_branches_do_not_touch_each_other(shared: Worker) -> None:
    """Two futures of one state can be visited in turn; each is as it was left."""
    shared.run("path = ['root']")
    take(shared, 1)
    shared.run("path.append('left')")
    take(shared, 2)
    shared.order("rewind", number=1)
    shared.run("path.append('right')")
    take(shared, 3)
    shared.order("rewind", number=2)
    assert shared.run("path").result == "['root', 'left']"
    shared.order("rewind", number=3)
    assert shared.run("path").result == "['root', 'right']"
    discard(shared, 1, 2, 3)


def test_background_task_ticks_on(shared: Worker) -> None:
    """An asyncio task of the checkpoint goes on after a rewind, timers and locks with it."""
    shared.run(
        "import asyncio\n"
        "count = 0; gate = asyncio.Event()\n"
        "async def tick():\n"
        "    global count\n"
        "    while True:\n"
        "        await asyncio.sleep(0.01); count += 1; gate.set()\n"
        "task = asyncio.create_task(tick())"
    )
    take(shared, 1)
    for _ in range(2):
        shared.order("rewind", number=1)
        code = (
            "before = count; gate.clear(); await asyncio.wait_for(gate.wait(), 10); count > before"
        )
        assert shared.run(code).result == "True"
    shared.run("task.cancel()")
    discard(shared, 1)


def test_a_woken_kernel_is_a_whole_kernel(shared: Worker) -> None:
    """Output of Python and of programs, input, magics, comms' loop and interrupts work in it."""
    take(shared, 1)
    shared.order("rewind", number=1)
    assert (
        shared.run("import os\nprint('a'); os.system('echo b'); print('c')").stream() == "a\nb\nc\n"
    )
    assert "from bash" in shared.run("%%bash\necho from bash").stream()
    shared.on_frame = lambda f: (
        shared.send({"t": "input", "value": "Ada"}) if f.type == "ask" else None
    )
    assert shared.run("input()").result == "'Ada'"
    shared.on_frame = None
    for code, name in (
        ("while True: pass", "KeyboardInterrupt"),
        ("import asyncio; await asyncio.sleep(30)", "CancelledError"),
    ):
        cell = shared.execute(code)
        shared.until(lambda f, cell=cell: f.head.get("parent") == cell and f.type == "publish")  # type: ignore[misc]
        time.sleep(0.2)
        shared.send({"t": "interrupt"})
        assert shared.finish(cell, 10).reply["ename"] == name
    assert shared.query("surroundings")["variables"] is not None
    discard(shared, 1)


def test_what_comes_behind_a_checkpoint_is_not_in_it(shared: Worker) -> None:
    """A cell sent right behind the order runs once; one sent behind a rewind runs in the woken."""
    shared.run("n = 0")
    shared.send({"t": "checkpoint", "id": "c", "number": 1})
    cell = shared.execute("n += 1")
    shared.until(lambda f: is_idle(f, cell))
    assert shared.run("n").result == "1"
    shared.send({"t": "rewind", "id": "r", "number": 1})
    assert shared.run("n").result == "0"
    time.sleep(0.3)
    assert shared.run("n").result == "0"
    discard(shared, 1)


def test_fifty_cycles_leave_nothing_behind(worker: Worker) -> None:
    """Descriptors, processes and the depth of the stack stay as they were."""
    look = "import os, inspect; (sorted(os.listdir('/proc/self/fd')), len(inspect.stack()))"
    supervisor = Path(f"/proc/{worker.process.pid}/fd")
    take(worker, 0)
    worker.order("rewind", number=0)
    settle(worker, 2)
    inside, outside = worker.run(look).result, len(list(supervisor.iterdir()))
    for number in range(1, 51):
        take(worker, number)
        worker.run("junk = 1")
        worker.order("rewind", number=number, **({"keep": -number} if number % 2 else {}))
        discard(worker, number, -number)
    settle(worker, 2)
    assert worker.run(look).result == inside
    assert len(list(supervisor.iterdir())) == outside
    assert worker.run("'junk' in globals()").result == "False"


def test_the_kernel_that_is_left_waits_itself(shared: Worker) -> None:
    """It can be gone back to as often as a checkpoint, and what is done elsewhere does not touch it."""
    shared.run("path = ['root']; ticks = iter(range(100))")
    take(shared, 1)
    shared.run("path.append('left')")
    shared.order("rewind", number=1, keep=2)
    assert shared.run("(path, next(ticks))").result == "(['root'], 0)"
    for keep in (3, 4):
        shared.order("rewind", number=2, keep=keep)
        assert shared.run("path.append('on'); (path, next(ticks))").result == (
            "(['root', 'left', 'on'], 0)"
        )
    discard(shared, 1, 2, 3, 4)


def test_what_the_kernel_that_is_left_holds_is_let_go(worker: Worker, tmp_path: Path) -> None:
    """While it waits its programs have ended, its alarm does nothing and its file is not locked."""
    path = tmp_path / "locked"
    worker.run(f"import fcntl, os, signal, subprocess; file = open({str(path)!r}, 'w')")
    lock = "fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)"
    take(worker, 1)
    worker.run(lock)
    worker.run("children = [subprocess.Popen(['sleep', '61'], process_group=g) for g in (None, 0)]")
    pids = worker.run("[child.pid for child in children]").result
    worker.run("!setsid sleep 61 > /dev/null 2>&1 &")
    worker.run("rings = []; _ = signal.signal(signal.SIGALRM, lambda *_: rings.append(1))")
    worker.run("_ = signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)")
    worker.order("rewind", number=1, keep=2)
    assert worker.run(f"{lock} or 'free'").result == "'free'"
    alive = f"import time\nwhile any(map(runs, {pids})): time.sleep(0.01)"
    runs = "def runs(pid):\n    try: return open(f'/proc/{pid}/stat').read().split()[2] != 'Z'\n"
    worker.run(f"{runs}    except OSError: return False")
    assert worker.run(alive).reply["status"] == "ok"
    settle(worker, 3)
    worker.order("rewind", number=2)
    rings = worker.run("children[0].poll(); len(rings)").result
    worker.order("rewind", number=2)
    assert worker.run("len(rings)").result == rings


def test_a_kernel_that_cannot_be_left_goes_on(worker: Worker) -> None:
    """A thread has begun meanwhile, or the checkpoint ends in this moment: nothing has changed."""
    before = children(worker)
    take(worker, 1)
    (parked,) = settle(worker, 2) - before
    worker.run("import threading; end = threading.Event(); n = 1")
    worker.run("thread = threading.Thread(target=end.wait); thread.start()")
    with pytest.raises(LookupError, match="cannot be kept"):
        worker.order("rewind", number=1, keep=2)
    worker.run("end.set(); thread.join(); n += 1")
    os.kill(parked, signal.SIGSTOP)
    worker.send({"t": "rewind", "id": "r", "number": 1, "keep": 2})
    cell = worker.execute("n += 1; n")
    time.sleep(0.1)
    os.kill(parked, signal.SIGKILL)
    answer = worker.until(lambda f: f.type == "answer")[-1]
    assert answer.head["ok"] is False
    assert worker.finish(cell).result == "3"
    take(worker, 2)


def test_threads_stop_a_checkpoint(shared: Worker) -> None:
    """With a live thread there is none, and the thread is named; when it has ended there is."""
    shared.run(
        "import threading\n"
        "end = threading.Event()\n"
        "thread = threading.Thread(target=end.wait, name='clock'); thread.start()"
    )
    answer = shared.order("checkpoint", number=1)
    assert not answer["taken"]
    assert [(r["kind"], r["names"]) for r in answer["reasons"]] == [("threads", ["clock"])]
    shared.run("end.set(); thread.join()")
    take(shared, 1)
    discard(shared, 1)


def test_a_debugger_stops_a_checkpoint(shared: Worker) -> None:
    """While one is attached there is none; detached there is, and what is woken can be debugged."""
    for number in (1, 2):
        assert shared.query("debugger", {"attach": True})["modules"]
        answer = shared.order("checkpoint", number=number)
        assert [reason["kind"] for reason in answer["reasons"]] == ["debugger"]
        shared.query("debugger", {"attach": False})
        take(shared, number)
        shared.order("rewind", number=number)
        discard(shared, number)


def test_a_debugger_that_cannot_attach_is_no_obstacle(worker: Worker) -> None:
    """When pydevd fails to start, it is said, nothing of it stays, and the next attempt may succeed."""
    worker.run("import debugpy, sys; kept = debugpy.breakpoint; del debugpy.breakpoint")
    with pytest.raises(LookupError, match="breakpoint"):
        worker.query("debugger", {"attach": True})
    take(worker, 1)
    worker.run("debugpy.breakpoint = kept")
    assert worker.query("debugger", {"attach": True})["modules"]
    worker.query("debugger", {"attach": False})
    take(worker, 2)


def test_threads_that_only_wait_for_work_are_no_obstacle(shared: Worker) -> None:
    """Those that %%bash and asyncio.to_thread leave behind are ended; both work afterwards."""
    for code in (
        "%%bash\ntrue",
        "import asyncio, threading; await asyncio.to_thread(threading.get_ident)",
    ):
        shared.run(code)
        take(shared, 1)
        shared.order("rewind", number=1)
        assert shared.run(code).reply["status"] == "ok"
        discard(shared, 1)


def test_threads_that_a_fork_makes_anew_are_no_obstacle(worker: Worker) -> None:
    """numpy's: a copy that is made while there are some works as well, again and again."""
    worker.run("import numpy; one = numpy.ones((300, 300)); two = one @ one")
    assert take(worker, 1) == []
    for keep in (2, 3):
        worker.run("del two")
        worker.order("rewind", number=1, keep=keep)
        assert worker.run("float((two @ one).sum())").result == str(300.0**4)
    settle(worker, 4)


def test_a_native_thread_that_is_about_to_end_is_waited_for(shared: Worker) -> None:
    """One that Python has forgotten and the system has not yet: busy, so it is no pool that waits."""
    shared.run("import _thread, time")
    shared.run("def last():\n    while time.thread_time() < 0.05: pass")
    shared.run("_ = _thread.start_new_thread(last, ())")
    take(shared, 1)
    discard(shared, 1)
    shared.run("lock = _thread.allocate_lock(); _ = lock.acquire()")
    shared.run("_ = _thread.start_new_thread(lock.acquire, ())")
    answer = shared.order("checkpoint", number=1)
    assert [(r["kind"], r["count"]) for r in answer["reasons"]] == [("pools", 1)]
    shared.run("lock.release()")
    take(shared, 1)
    discard(shared, 1)


def test_what_is_not_restored_is_said_before(shared: Worker, tmp_path: Path) -> None:
    """Child processes, sockets, pipes and files that are written are named with the checkpoint."""
    path = tmp_path / "log.txt"
    shared.run(
        "import os, socket, subprocess\n"
        f"log = open({str(path)!r}, 'w')\n"
        "ends = socket.socketpair(); pipe = os.pipe()\n"
        "child = subprocess.Popen(['sleep', '60'])"
    )
    reasons = {r["kind"]: r for r in take(shared, 1)}
    assert reasons["processes"]["names"] == ["sleep"]
    assert [name.endswith("log.txt") for name in reasons["files"]["names"]] == [True]
    assert (reasons["sockets"]["count"], reasons["pipes"]["count"]) == (2, 2)
    shared.run("child.kill(); child.wait(); log.close()")
    shared.run("for end in ends: end.close()\nfor end in pipe: os.close(end)")
    discard(shared, 1)
    assert take(shared, 1) == []
    discard(shared, 1)


def test_position_in_a_file_goes_back(shared: Worker, tmp_path: Path) -> None:
    """A file that is read goes on where it was, though forks share its position."""
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"{n}\n" for n in range(100_000)))
    shared.run(f"lines = open({str(path)!r}); [next(lines) for _ in range(5)]")
    assert take(shared, 1) == []
    for _ in range(2):
        assert shared.run("sum(int(line) for line in lines)").result == str(sum(range(5, 100_000)))
        shared.order("rewind", number=1)
    shared.run("lines.close()")
    discard(shared, 1)


def test_a_copy_that_comes_late_keeps_what_was(worker: Worker, tmp_path: Path) -> None:
    """The kernel may go on before its copy has come to its place, and read on in a shared file."""
    path = tmp_path / "numbers.txt"
    path.write_text("".join(f"{n}\n" for n in range(9)))
    worker.run(f"import os, time; numbers = open({str(path)!r}, 'rb', buffering=0)")
    worker.run("os.register_at_fork(after_in_child=lambda: time.sleep(0.2))")
    take(worker, 1)
    for keep in (2, 3):
        assert worker.run("numbers.read(4)").result == "b'0\\n1\\n'"
        worker.order("rewind", number=1, keep=keep)
    worker.order("rewind", number=2)
    assert worker.run("numbers.read(2)").result == "b'2\\n'"


def test_a_running_cell_stops_a_checkpoint(shared: Worker) -> None:
    """While a cell waits there is none; the cell does not notice."""
    cell = shared.execute("import asyncio\nawait asyncio.sleep(3)\n'done'")
    answer = shared.order("checkpoint", number=1)
    assert [r["kind"] for r in answer["reasons"]] == ["busy"]
    assert not answer["taken"]
    assert shared.finish(cell).reply["status"] == "ok"


def test_what_the_abandoned_future_started_is_ended(worker: Worker) -> None:
    """A program started after the checkpoint, even one in a session of its own, ends with a rewind."""
    take(worker, 1)
    worker.run("!setsid sleep 61 > /dev/null 2>&1 &")
    worker.run("import subprocess; subprocess.Popen(['sleep', '61'])")
    worker.order("rewind", number=1)
    settle(worker, 2)
    assert worker.run("6 * 7").result == "42"


def test_parked_processes_are_not_the_cells_children(worker: Worker) -> None:
    """Code that waits for any child does not meet a checkpoint, in the woken kernel neither."""
    code = (
        "import os\ntry: print(os.waitpid(-1, os.WNOHANG))\nexcept ChildProcessError: print('none')"
    )
    take(worker, 1)
    assert worker.run(code).stream() == "none\n"
    worker.order("rewind", number=1)
    assert worker.run(code).stream() == "none\n"


def test_a_killed_checkpoint_is_lost_and_nothing_else(worker: Worker) -> None:
    """The outer hears of it at once, a rewind to it is refused in words, the kernel goes on."""
    before = children(worker)
    take(worker, 1)
    (parked,) = settle(worker, 2) - before
    lost: list[int] = []
    worker.on_frame = lambda f: lost.append(f.head["number"]) if f.type == "lost" else None
    worker.run(f"import os; x = 1; os.kill({parked}, 9)")
    while not lost:
        worker.order("weigh")
    assert lost == [1]
    with pytest.raises(LookupError, match="gone"):
        worker.order("rewind", number=1)
    assert worker.run("x").result == "1"


def test_output_that_was_not_flushed_is_not_printed_twice(worker: Worker) -> None:
    """What C code has in its buffer at a checkpoint comes out once."""
    worker.run("import ctypes; libc = ctypes.CDLL(None); libc.printf(b'once '); None")
    name = worker.execute("pass")
    seen = [f.parts[0] for f in worker.until(lambda f: is_idle(f, name)) if f.type == "stream"]
    worker.send({"t": "checkpoint", "id": "c", "number": 1})
    frames = worker.until(lambda f: f.type == "answer")
    worker.order("rewind", number=1)
    ran = worker.run("libc.fflush(None); None")
    seen += [f.parts[0] for f in (*frames, *ran.frames) if f.type == "stream"]
    assert b"".join(seen).count(b"once") <= 1


def test_orders_that_make_no_sense_are_answered(shared: Worker) -> None:
    """A number that is not known or taken, or none at all: a sentence, and the kernel goes on."""
    take(shared, 1)
    for kind, head in (("rewind", {"number": 7}), ("checkpoint", {"number": 1}), ("rewind", {})):
        with pytest.raises(LookupError):
            shared.order(kind, **head)
    discard(shared, 1, 7)
    assert shared.run("6 * 7").result == "42"


def test_orders_that_cross_are_all_answered(shared: Worker) -> None:
    """A checkpoint that is given up while it wakes, and one that is gone to twice at once."""
    shared.run("n = 1")
    take(shared, 1)
    for name in ("a", "b"):
        shared.send({"t": "rewind", "id": name, "number": 1})
    discard(shared, 1)
    answers: dict[str, bool] = {}
    while answers.keys() < {"a", "b"}:
        (*_, frame) = shared.until(lambda f: f.type == "answer")
        answers[frame.head["id"]] = frame.head["ok"]
    assert answers["b"] is False
    assert shared.run("n").result == "1"


def test_weights_are_known(shared: Worker) -> None:
    """What each parked process holds is told in bytes; it grows when the live kernel moves on."""
    shared.run("block = bytearray(20_000_000)")
    take(shared, 1)
    shared.run("block[:] = b'x' * len(block)")
    weights = shared.order("weigh")
    assert weights["1"] > 20_000_000
    discard(shared, 1)


def test_the_end_of_the_kernel_is_the_end_of_its_checkpoints(worker: Worker) -> None:
    """When the live kernel dies all processes end."""
    take(worker, 1)
    pids = settle(worker, 2)
    worker.execute("import os; os._exit(7)")
    (died,) = [f for f in worker.until(lambda f: f.type == "died") if f.type == "died"]
    assert died.head["status"] == 7
    assert worker.receive() is None
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
