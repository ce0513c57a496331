"""Cells: results, tracebacks, awaits, magics, and the requests around them."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.worker.client import Worker, is_idle


def test_result_comes_between_busy_and_idle(shared: Worker) -> None:
    """A cell's frames are busy, input, result, reply, idle, in this order."""
    ran = shared.run("1 + 1")
    assert ran.order == ["status", "execute_input", "execute_result", "reply", "status"]
    assert ran.result == "2"
    assert ran.reply["status"] == "ok"


def test_ready_says_what_the_kernel_can(shared: Worker) -> None:
    """The ready frame holds kernel_info, with the debugger and without subshells."""
    info = json.loads(shared.ready.parts[0])
    assert info["language_info"]["name"] == "python"
    assert info["supported_features"] == ["debugger"]
    assert info["status"] == "ok"
    reply = shared.ask("kernel_info_request", {}).reply
    assert reply["supported_features"] == ["debugger"]


def test_traceback_names_cell_and_line(shared: Worker) -> None:
    """An error's traceback shows the cell by number and the line in it."""
    shared.run("def broken(x):\n    y = x\n    return y / 0")
    ran = shared.run("z = 1\nbroken(z)")
    text = "".join(_plain(line) for line in ran.reply["traceback"])
    count = ran.reply["execution_count"]
    assert ran.reply["ename"] == "ZeroDivisionError"
    assert f"Cell In[{count}], line 2" in text
    assert f"Cell In[{count - 1}], line 3" in text
    assert ran.published("error")[0]["ename"] == "ZeroDivisionError"


def _plain(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_syntax_error_is_a_reply(shared: Worker) -> None:
    """Code that is not Python is answered with the SyntaxError and its place."""
    ran = shared.run("x = = 1")
    assert ran.reply["ename"] == "SyntaxError"


def test_a_cell_is_transformed_once(shared: Worker) -> None:
    """A transformer of the user's sees a cell once, and its own lines in the traceback when it fails."""
    shared.run(
        "seen = []\n"
        "def note(lines):\n"
        "    seen.append(lines)\n"
        "    if 'fail' in lines[0]:\n"
        "        raise OSError('from the transformer')\n"
        "    return lines\n"
        "get_ipython().input_transformers_post.append(note);"
    )
    assert shared.run("len(seen)").result == "1"
    assert shared.run("import asyncio; await asyncio.sleep(0)\nlen(seen)").result == "2"
    ran = shared.run("'fail'")
    assert ran.reply["ename"] == "OSError"
    text = "".join(_plain(line) for line in ran.reply["traceback"])
    assert "raise OSError('from the transformer')" in text
    assert "shell.py" not in text
    shared.run("get_ipython().input_transformers_post.remove(note); del seen, note")


def test_a_transform_put_there_by_a_cell_stays(shared: Worker) -> None:
    """Whoever replaces transform_cell, in a plain cell or in one that awaits, finds it replaced."""
    for first in ("", "import asyncio; await asyncio.sleep(0)\n"):
        shared.run(
            f"{first}shell = get_ipython(); own = shell.transform_cell\n"
            "shell.transform_cell = lambda cell: '40 + 2' if cell == '1' else own(cell)"
        )
        assert shared.run("1").result == "42"
        shared.run("shell.transform_cell = own")
        assert shared.run("1").result == "1"
    shared.run("del shell, own")


def test_user_expressions_and_silent(shared: Worker) -> None:
    """user_expressions are evaluated; silent code shows nothing and does not count."""
    count = shared.run("a = 20").reply["execution_count"]
    ran = shared.run("a * 2", silent=True, user_expressions={"double": "a * 2", "bad": "nope"})
    assert ran.order == ["status", "reply", "status"]
    assert ran.reply["user_expressions"]["double"]["data"]["text/plain"] == "40"
    assert ran.reply["user_expressions"]["bad"]["status"] == "error"
    assert shared.run("a").reply["execution_count"] == count + 1


def test_store_history_false_leaves_no_trace(shared: Worker) -> None:
    """A cell with store_history false does not count and is not in the history."""
    count = shared.run("1").reply["execution_count"]
    shared.run("'unrecorded'", store_history=False)
    assert shared.run("2").reply["execution_count"] == count + 1
    reply = shared.ask(
        "history_request", {"hist_access_type": "tail", "n": 3, "raw": True, "output": False}
    ).reply
    assert [entry[2] for entry in reply["history"]][-2:] == ["1", "2"]


def test_history_tail_range_and_search(worker: Worker) -> None:
    """All three kinds of history request see the cells of this session."""
    for code in ("first = 1", "second = 2", "third = 3"):
        worker.run(code)
    ask = {"output": False, "raw": True}
    tail = worker.ask("history_request", {**ask, "hist_access_type": "tail", "n": 2}).reply
    assert [entry[2] for entry in tail["history"]] == ["second = 2", "third = 3"]
    found = worker.ask(
        "history_request", {**ask, "hist_access_type": "range", "session": 0, "start": 1, "stop": 3}
    ).reply
    assert [entry[2] for entry in found["history"]] == ["first = 1", "second = 2"]
    found = worker.ask(
        "history_request", {**ask, "hist_access_type": "search", "pattern": "sec*", "n": 5}
    ).reply
    assert [entry[2] for entry in found["history"]] == ["second = 2"]
    assert "second = 2" in worker.run("%history").stream()


def test_error_aborts_the_cells_queued_behind_it(worker: Worker) -> None:
    """Cells that were sent before an error are aborted, one sent after the reply runs."""
    first = worker.execute("input(); 1/0")
    queued = [worker.execute(f"print({n})") for n in range(3)]
    worker.until(lambda f: f.type == "ask")
    worker.send({"t": "input", "value": ""})
    frames = worker.until(lambda f: is_idle(f, queued[-1]))
    replies = {f.head["parent"]: json.loads(f.parts[1]) for f in frames if f.type == "reply"}
    assert replies[first]["status"] == "error"
    assert [replies[name]["status"] for name in queued] == ["aborted"] * 3
    assert worker.run("6 * 7").result == "42"


def test_stop_on_error_false_aborts_nothing(worker: Worker) -> None:
    """A client that asks for it gets the queued cells run behind an error."""
    worker.execute("1/0", stop_on_error=False)
    assert worker.run("6 * 7").result == "42"


def test_top_level_await_and_background_task(shared: Worker) -> None:
    """await works in a cell; a task goes on between cells and prints into its own cell."""
    assert shared.run("import asyncio\nawait asyncio.sleep(0.01, 5)").result == "5"
    name = shared.execute(
        "async def tick():\n"
        "    for n in range(5):\n"
        "        await asyncio.sleep(0.05); print('tick', n)\n"
        "task = asyncio.create_task(tick())"
    )
    shared.finish(name)
    other = shared.execute("other = 1")
    frames = shared.until(lambda f: f.type == "stream" and f.parts[0] == b"4")
    texts = {f.head["parent"] for f in frames if f.type == "stream"}
    assert texts <= {name}
    assert any(is_idle(f, other) for f in frames)


def test_requests_aside_are_answered_while_a_cell_awaits(worker: Worker, tmp_path: Path) -> None:
    """A completion that is not queued comes while a cell waits, and its output stays its own."""
    seen = tmp_path / "seen"
    cell = worker.execute(
        f"import asyncio, math, os\nwhile not os.path.exists({str(seen)!r}): await asyncio.sleep(0.01)\n"
        "print('mine')"
    )
    aside = worker.request("complete_request", {"code": "math.sq", "cursor_pos": 7}, queued=False)
    frames = worker.until(lambda f: f.type == "reply")
    seen.touch()
    frames += worker.until(lambda f: is_idle(f, cell))
    assert [f.head["parent"] for f in frames if f.type == "reply"] == [aside, cell]
    assert {f.head["parent"] for f in frames if f.type == "stream"} == {cell}


def test_a_comm_is_handled_while_a_cell_awaits(worker: Worker) -> None:
    """A widget's message reaches a cell that waits for it in an await."""
    worker.run(
        "import asyncio, comm\n"
        "event = asyncio.Event()\n"
        "def opened(c, msg): c.on_msg(lambda m: event.set())\n"
        "comm.get_comm_manager().register_target('t', opened)"
    )
    worker.request("comm_open", {"comm_id": "c1", "target_name": "t", "data": {}})
    cell = worker.execute("await asyncio.wait_for(event.wait(), 10)")
    time.sleep(0.2)
    worker.request("comm_msg", {"comm_id": "c1", "data": {}})
    assert worker.finish(cell).result == "True"


def test_magics_and_shell_commands(shared: Worker) -> None:
    """%%time, %%capture, %timeit, %%bash and ! work and their output is the cell's."""
    assert "Wall time" in shared.run("%%time\nsum(range(10))").stream()
    assert shared.run("%%capture caught\nprint('hidden')").stream() == ""
    assert shared.run("caught.stdout").result == "'hidden\\n'"
    assert "loop" in shared.run("%timeit -n1 -r1 1").stream()
    assert "from bash" in shared.run("%%bash\necho from bash").stream()
    assert "from sh" in shared.run("!echo from sh").stream()
    assert shared.run("lines = !printf 'a\\nb'\nlines").result == "['a', 'b']"


def test_agent_magic_does_nothing_here(shared: Worker) -> None:
    """A %%agent cell counts and is in the history; nothing runs."""
    count = shared.run("1").reply["execution_count"]
    ran = shared.run("%%agent --steps 3\nplot {missing}")
    assert ran.order == ["status", "execute_input", "reply", "status"]
    assert ran.reply["execution_count"] == count + 1
    assert shared.run("%agent hello").reply["status"] == "ok"


def test_completion_uses_jedi_and_gives_types(shared: Worker) -> None:
    """Completions come with _jupyter_types_experimental."""
    shared.run("import math")
    reply = shared.ask("complete_request", {"code": "math.sq", "cursor_pos": 7}).reply
    assert reply["matches"] == ["sqrt"]
    kinds = reply["metadata"]["_jupyter_types_experimental"]
    assert any(entry["type"] == "function" for entry in kinds)


def test_inspect_and_pager(shared: Worker) -> None:
    """Inspection finds the docstring; ? and ?? give a page payload."""
    shared.run("def documented(x):\n    'What it does.'\n    return x")
    reply = shared.ask(
        "inspect_request", {"code": "documented", "cursor_pos": 4, "detail_level": 0}
    ).reply
    assert reply["found"]
    assert "What it does." in reply["data"]["text/plain"]
    (page,) = shared.run("documented?").reply["payload"]
    assert page["source"] == "page"
    assert "What it does." in page["data"]["text/plain"]
    (page,) = shared.run("documented??").reply["payload"]
    assert "return x" in _plain(page["data"]["text/plain"])


def test_is_complete(shared: Worker) -> None:
    """Complete, incomplete with its indent, and invalid code are told apart."""
    status = {
        code: shared.ask("is_complete_request", {"code": code}).reply
        for code in ("1 + 1", "for x in y:", "x = = 1")
    }
    assert status["1 + 1"]["status"] == "complete"
    assert status["for x in y:"] == {"status": "incomplete", "indent": "    "}
    assert status["x = = 1"]["status"] == "invalid"


def test_environment_is_what_libraries_look_for(worker: Worker) -> None:
    """tqdm sees a kernel, '' is first on the path, __main__ is the notebook, no debugger."""
    assert worker.run("'IPKernelApp' in get_ipython().config").result == "True"
    assert worker.run("from tqdm.auto import tqdm\ntqdm.__mro__[1].__name__").result == (
        "'tqdm_notebook'"
    )
    assert worker.run("import sys\nsys.path[0]").result == "''"
    assert worker.run("import __main__\n__main__.sys is sys").result == "True"
    assert worker.run("'debugpy' in sys.modules, 'ipykernel.debugger' in sys.modules").result == (
        "(False, False)"
    )
    code = "import threading, os\nthreading.active_count(), len(os.listdir('/proc/self/task'))"
    assert worker.run(code).result == "(1, 1)"


def test_strict_imports_are_advice() -> None:
    """With an allowlist a cell's own import is refused with what to do; a library's is not."""
    worker = Worker(imports=["json", "sys"], profile="strict")
    try:
        assert worker.run("import json, sys\njson.dumps(1)").reply["status"] == "ok"
        ran = worker.run("import socket")
        assert ran.reply["ename"] == "ImportError"
        assert "socket" in ran.reply["evalue"]
        assert "allowed imports" in ran.reply["evalue"]
        assert "worker/imports.py" not in "".join(ran.reply["traceback"])
    finally:
        worker.close()


def test_preload_and_workspace(tmp_path: Path) -> None:
    """Preloaded modules are there already; the workspace is the current directory."""
    worker = Worker(preload=["wave", "no_such_module"], workspace=str(tmp_path))
    try:
        assert worker.run("import sys\n'wave' in sys.modules").result == "True"
        assert worker.run("import os\nos.getcwd()").result == repr(str(tmp_path))
    finally:
        worker.close()


def test_a_file_beside_the_notebook_does_not_pass_for_ours(tmp_path: Path) -> None:
    """Modules in the workspace that are named as libraries break nothing but themselves."""
    for name in ("json", "zmq", "pdb", "jedi", "random", "colorsys"):
        (tmp_path / f"{name}.py").write_text("mine = True\n")
    worker = Worker(workspace=str(tmp_path))
    try:
        assert worker.run("import colorsys\ncolorsys.mine").result == "True"
    finally:
        worker.close()


def test_modules_that_are_put_off_are_the_real_ones(worker: Worker) -> None:
    """jupyter_client, the kernel's application and pdb work when a cell asks for them."""
    assert worker.run("import jupyter_client\njupyter_client.KernelManager.__name__").result == (
        "'KernelManager'"
    )
    ran = worker.run(
        "from ipykernel.kernelapp import IPKernelApp\n"
        "IPKernelApp.initialized(), IPKernelApp.instance().kernel is get_ipython().kernel"
    )
    assert ran.result == "(True, True)"
    assert worker.run("import pdb\n'set_trace' in dir(pdb)").result == "True"
    assert "outside the sandbox" in worker.run("%connect_info").stream("stderr")


def test_breakpoint_asks_for_commands(worker: Worker) -> None:
    """breakpoint() opens the debugger's prompt over input()."""
    answers = iter(["p x + 1", "c"])
    worker.on_frame = lambda f: (
        worker.send({"t": "input", "value": next(answers)}) if f.type == "ask" else None
    )
    ran = worker.run("x = 41\nbreakpoint()\nprint('on')")
    assert ran.reply["status"] == "ok"
    assert "42" in ran.stream()
    assert ran.stream().endswith("on\n")


def test_libraries_know_the_shell_for_a_notebook(shared: Worker) -> None:
    """By the name of its class, under which it is configured, too."""
    assert shared.run("type(get_ipython()).__name__").result == "'ZMQInteractiveShell'"
    shared.run("%config ZMQInteractiveShell.ast_node_interactivity = 'all'")
    ran = shared.run("1\n2")
    assert len(ran.published("execute_result")) == 2
    shared.run("%config ZMQInteractiveShell.ast_node_interactivity = 'last_expr'")


def test_an_interrupt_in_a_callback_is_the_cells(shared: Worker) -> None:
    """What runs before a cell does not swallow the interrupt and let the cell run; its errors do."""
    shared.run(
        "trouble = None\ndef before():\n    global trouble\n    now, trouble = trouble, None\n"
        "    if now: raise now\nget_ipython().events.register('pre_execute', before)"
    )
    shared.run("trouble = ValueError('odd')")
    told = shared.run("1 + 1")
    assert told.result == "2"
    assert told.published("error")[0]["evalue"] == "odd"
    shared.run("trouble = KeyboardInterrupt()")
    assert shared.run("ran = True").reply["ename"] == "KeyboardInterrupt"
    assert shared.run("'ran' in globals()").result == "False"
    shared.run("get_ipython().events.unregister('pre_execute', before)")
