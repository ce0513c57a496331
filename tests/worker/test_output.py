"""Output: order, streams, displays, plots, widgets."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

from codeact_kernel.wire import Frame
from tests.worker.client import Worker, is_idle


def test_descriptor_and_print_come_in_program_order(shared: Worker) -> None:
    """print, os.write, os.system, subprocess and sys.__stdout__ interleave as written."""
    code = """
import os, subprocess, sys
for n in range(20):
    print('p', n)
    os.write(1, b'w %d\\n' % n)
    print('q', n)
    if n % 5 == 0:
        os.system(f'echo s {n}')
        subprocess.run(['echo', 'c', str(n)])
    sys.__stdout__.write(f'o {n}\\n')
    sys.stdout.buffer.write(b'b %d\\n' % n)
"""
    expected = ""
    for n in range(20):
        expected += f"p {n}\nw {n}\nq {n}\n"
        if n % 5 == 0:
            expected += f"s {n}\nc {n}\n"
        expected += f"o {n}\nb {n}\n"
    assert shared.run(code).stream() == expected


def test_stderr_and_c_level_output(shared: Worker) -> None:
    """Both streams are told apart, at both levels; what C prints arrives."""
    ran = shared.run(
        "import sys, os, ctypes\n"
        "print('e', file=sys.stderr); os.write(2, b'f\\n')\n"
        "libc = ctypes.CDLL(None); libc.puts(b'from C'); libc.fflush(None);"
    )
    assert ran.stream("stderr") == "e\nf\n"
    assert ran.stream() == "from C\n"


def test_characters_cut_by_the_pipe_are_whole(shared: Worker) -> None:
    """UTF-8 that comes in halves is put together; bytes that are no text are replaced."""
    code = (
        "import os, time\n"
        "for part in ('ä'.encode()[:1], 'ä'.encode()[1:], b'\\xff'):\n"
        "    os.write(1, part); time.sleep(0.05)"
    )
    assert shared.run(code).stream() == "ä\ufffd"


def test_lone_surrogates_do_no_harm(shared: Worker) -> None:
    """Text that is not encodable is printed, returned and raised all the same."""
    assert shared.run("print('\\ud800')").stream() == "\\ud800\n"
    assert shared.run("'\\udcff'").reply["status"] == "ok"
    assert shared.run("raise ValueError('\\ud800')").reply["ename"] == "ValueError"
    assert shared.run("from IPython.display import JSON\nJSON({'a': float('nan')})").order[2] == (
        "execute_result"
    )


def test_write_shows_at_once(shared: Worker, tmp_path: Path) -> None:
    """A print without a newline in a busy cell is not held back."""
    seen = tmp_path / "seen"
    name = shared.execute(
        f"import os, time\nprint('.', end='')\nwhile not os.path.exists({str(seen)!r}): time.sleep(0.01)"
    )
    shared.until(lambda f: f.type == "stream" and f.parts[0] == b".")
    seen.touch()
    assert shared.finish(name).reply["status"] == "ok"


def test_thread_prints_and_displays(shared: Worker) -> None:
    """A thread's output goes to the newest cell; 4 threads printing lose nothing."""
    ran = shared.run(
        "import threading\n"
        "def work(k):\n"
        "    for n in range(200): print(f'{k}-{n}\\n', end='')\n"
        "    display(k)\n"
        "threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]\n"
        "for t in threads: t.start()\n"
        "for t in threads: t.join()"
    )
    lines = ran.stream().splitlines()
    assert sorted(lines) == sorted(f"{k}-{n}" for k in range(4) for n in range(200))
    assert len(ran.published("display_data")) == 4


def test_late_output_of_a_child_goes_to_the_newest_request(worker: Worker) -> None:
    """What a background process writes later belongs to the cell that runs then."""
    worker.run("import subprocess\np = subprocess.Popen('sleep 0.3; echo late', shell=True)")
    ran = worker.run("p.wait();")
    assert ran.stream() == "late\n"


def test_fork_in_a_cell_does_not_double_output(shared: Worker) -> None:
    """A forked child prints once, cannot touch the stream, and ends with the cell."""
    ran = shared.run(
        "import os, sys\n"
        "print('before')\n"
        "pid = os.fork()\n"
        "print('child' if pid == 0 else 'parent') if pid == 0 or not os.waitpid(pid, 0)[1] else 0\n"
    )
    assert ran.stream() == "before\nchild\nparent\n"
    assert ran.reply["status"] == "ok"
    assert shared.run("1 + 1").result == "2"


def test_pool_of_forked_processes(shared: Worker) -> None:
    """multiprocessing with fork works and its workers may print."""
    ran = shared.run(
        "import multiprocessing\n"
        "def square(n):\n"
        "    print(f'got {n}\\n', end='', flush=True)\n"
        "    return n * n\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    result = pool.map(square, range(5))\n"
        "result"
    )
    assert ran.result == "[0, 1, 4, 9, 16]"
    assert sorted(ran.stream().splitlines()) == [f"got {n}" for n in range(5)]


def test_much_output_of_a_child_does_not_deadlock(shared: Worker) -> None:
    """30 MB from a child arrive whole; 3 MB from a shell command, whose terminal is slow."""
    name = shared.execute("!head -c 3145728 /dev/zero | tr '\\0' x > /dev/stdout")
    direct = shared.execute(
        "import subprocess\n"
        "subprocess.run(\"head -c 31457280 /dev/zero | tr '\\\\0' x\", shell=True).returncode"
    )
    size = {name: 0, direct: 0}
    for frame in shared.until(lambda f: is_idle(f, direct), 60):
        if frame.type == "stream":
            size[frame.head["parent"]] += len(frame.parts[0])
    assert size[direct] == 31457280
    assert size[name] >= 3145728


def test_a_slow_outer_only_slows_the_kernel(worker: Worker) -> None:
    """While nobody reads, output waits; then all of it arrives, in order."""
    name = worker.execute("for n in range(200000): print(n)")
    time.sleep(1.0)
    ran = worker.finish(name, 60)
    assert ran.stream() == "".join(f"{n}\n" for n in range(200000))


def test_display_update_and_clear(shared: Worker) -> None:
    """display_id, update_display and clear_output(wait) are published as asked."""
    ran = shared.run(
        "from IPython.display import display, update_display, clear_output\n"
        "handle = display('a', display_id='x')\n"
        "update_display('b', display_id='x')\n"
        "clear_output(wait=True)"
    )
    assert ran.order[2:5] == ["display_data", "update_display_data", "clear_output"]
    assert ran.published("display_data")[0]["transient"] == {"display_id": "x"}
    assert ran.published("update_display_data")[0]["data"]["text/plain"] == "'b'"
    assert ran.published("clear_output") == [{"wait": True}]


def test_rich_display(shared: Worker) -> None:
    """HTML, Markdown and PNG come as mime bundles."""
    ran = shared.run(
        "from IPython.display import HTML, Image, display\n"
        "display(HTML('<b>x</b>'), Image(b'\\x89PNG\\r\\n\\x1a\\nxxxx', format='png'))"
    )
    first, second = ran.published("display_data")
    assert first["data"]["text/html"] == "<b>x</b>"
    assert base64.b64decode(second["data"]["image/png"]).startswith(b"\x89PNG")


def test_twenty_megabytes_of_display(shared: Worker) -> None:
    """A large display arrives whole."""
    ran = shared.run("from IPython.display import HTML\nHTML('x' * 20_000_000)")
    (content,) = ran.published("execute_result")
    assert len(content["data"]["text/html"]) == 20_000_000


def test_too_large_a_display_is_the_cells_error(worker: Worker) -> None:
    """What is over the frame's limit raises in the cell and the kernel goes on."""
    code = "from IPython.display import HTML, display\ndisplay(HTML('x' * (260 * 1024 * 1024)))"
    ran = worker.run(code, 60)
    assert ran.reply["status"] == "error"
    assert "over the limits" in ran.reply["evalue"]
    assert worker.run("1 + 1").result == "2"


def test_matplotlib_is_inline(worker: Worker) -> None:
    """A plot is shown at the cell's end without any magic; `%matplotlib inline` works too."""
    ran = worker.run("import matplotlib.pyplot as plt\nplt.plot([1, 2]);", 60)
    assert [("image/png" in c["data"]) for c in ran.published("display_data")] == [True]
    ran = worker.run("%matplotlib inline\nplt.plot([1]); plt.show(); print('after')")
    assert ran.reply["status"] == "ok"
    kinds = [kind for kind in ran.order if kind in ("display_data", "stream")]
    assert kinds[0] == "display_data"


def test_widgets_callbacks_and_buffers(worker: Worker) -> None:
    """A slider's message runs its callback; binary buffers go both ways."""
    ran = worker.run(
        "import ipywidgets as w\n"
        "slider = w.IntSlider()\n"
        "slider.observe(lambda change: print('now', change['new']), 'value')\n"
        "image = w.Image(value=b'\\x00\\x01\\xff')\n"
        "slider.comm.comm_id, image.comm.comm_id",
        60,
    )
    slider, image = eval(ran.result)  # noqa: S307  a tuple of two ids from our own cell
    opened = [f for f in ran.frames if f.head.get("type") == "comm_open"]
    assert [bytes(f.parts[2]) for f in opened if len(f.parts) > 2] == [b"\x00\x01\xff"]
    data: dict[str, Any] = {"method": "update", "state": {"value": 7}, "buffer_paths": []}
    ran = worker.ask("comm_msg", {"comm_id": slider, "data": data})
    assert ran.stream() == "now 7\n"
    data = {"method": "update", "state": {}, "buffer_paths": [["value"]]}
    worker.ask("comm_msg", {"comm_id": image, "data": data}, buffers=[b"\x05\x06"])
    assert worker.run("bytes(image.value)").result == "b'\\x05\\x06'"
    reply = worker.ask("comm_info_request", {"target_name": "jupyter.widget"}).reply
    assert {slider, image} <= set(reply["comms"])


def test_output_widget_captures(worker: Worker) -> None:
    """`with Output():` tells the front end which request's output is the widget's."""
    ran = worker.run("import ipywidgets as w\nout = w.Output()\nwith out:\n    print('inside')", 60)
    states = [c["data"].get("state", {}) for c in ran.published("comm_msg")]
    assert any("msg_id" in state for state in states)
    assert ran.stream() == "inside\n"


def test_logging_and_warnings(shared: Worker) -> None:
    """logging and warnings write to the cell's stderr."""
    ran = shared.run("import logging, warnings\nlogging.warning('one'); warnings.warn('two')")
    assert "one" in ran.stream("stderr")
    assert "two" in ran.stream("stderr")


def test_flood_with_interrupt(worker: Worker) -> None:
    """A flood from the main thread and three others is interrupted; every frame is whole."""
    name = worker.execute(
        "import threading\n"
        "stop = False\n"
        "def flood(k):\n"
        "    n = 0\n"
        "    while not stop and n < 20000: print(f'{k} {n}\\n', end=''); n += 1\n"
        "threads = [threading.Thread(target=flood, args=(k,)) for k in range(3)]\n"
        "for t in threads: t.start()\n"
        "try:\n"
        "    while True: print('main')\n"
        "finally:\n"
        "    stop = True"
    )
    worker.until(lambda f: f.type == "stream" and b"main" in f.parts[0])
    time.sleep(0.2)
    worker.send({"t": "interrupt"})
    ran = worker.finish(name)
    assert ran.reply["ename"] == "KeyboardInterrupt"
    assert worker.run("[t.join() for t in threads]; 1").reply["status"] == "ok"
    assert worker.run("1 + 1").result == "2"


def test_names_of_frames_are_the_tables(shared: Worker) -> None:
    """No frame leaves the worker that docs/wire.md does not list."""
    seen: set[str] = set()

    def note(frame: Frame) -> None:
        seen.add(frame.type)

    shared.on_frame = note
    try:
        shared.run("print(1); 1/0")
        shared.query("surroundings")
    finally:
        shared.on_frame = None
    assert seen <= {"publish", "stream", "reply", "answer", "ask", "call", "log"}
    assert json.dumps(sorted(seen))
