"""Plain cells through the real kernel and the real sandbox."""

from __future__ import annotations

from tests.e2e.conftest import SECONDS, Session


def test_a_cell_is_executed(kernel: Session) -> None:
    """A result comes back with its number, and the state stays."""
    kernel.run("x = 20")
    result = kernel.run("x * 2 + 2")
    assert result.value == "42"
    assert result.reply["status"] == "ok"


def test_output_is_complete_and_in_order(kernel: Session) -> None:
    """5,000 flushed lines arrive whole, in order, and in far fewer messages."""
    result = kernel.run("for i in range(5000): print(i, flush=True)")
    assert result.text.split() == [str(i) for i in range(5000)]
    assert len(result.of("stream")) < 200


def test_streams_keep_their_order(kernel: Session) -> None:
    """stdout, stderr, a child process and a display come out as the program wrote them."""
    result = kernel.run(
        "import sys, os\nprint('a'); print('b', file=sys.stderr); os.system('echo c'); "
        "display('d'); print('e')"
    )
    order = [
        m["content"]["text"].strip() if m["msg_type"] == "stream" else "d"
        for m in result.messages
        if m["msg_type"] in ("stream", "display_data")
    ]
    # a print writes its text and the end of its line; a busy machine may show the one before the other
    assert [text for text in order if text] == ["a", "b", "c", "d", "e"]


def test_an_error_aborts_what_is_queued(kernel: Session) -> None:
    """Cells sent behind a failing one are not run."""
    first = kernel.client.execute("input(); 1/0")
    second = kernel.client.execute("never = 1")
    kernel.client.get_stdin_msg(timeout=SECONDS)
    kernel.client.input("")
    failed = kernel.wait(first)
    assert failed.reply["status"] == "error"
    assert failed.error["ename"] == "ZeroDivisionError"
    assert kernel.reply(second)["status"] == "aborted"
    assert kernel.run("'never' in globals()").value == "False"


def test_input_is_answered(kernel: Session) -> None:
    """`input()` and `getpass()` ask this client."""
    msg_id = kernel.client.execute("n = input('name? '); import getpass; p = getpass.getpass()")
    question = kernel.client.get_stdin_msg(timeout=10)
    assert question["content"]["prompt"] == "name? "
    kernel.client.input("Ada")
    assert kernel.client.get_stdin_msg(timeout=10)["content"]["password"] is True
    kernel.client.input("secret")
    kernel.wait(msg_id)
    assert kernel.run("n, p").value == "('Ada', 'secret')"


def test_completion_inspection_and_history(kernel: Session) -> None:
    """The questions an editor asks are answered."""
    kernel.run("alphabet = 'abc'")
    assert "alphabet" in kernel.reply(kernel.client.complete("alpha", 5))["matches"]
    assert kernel.reply(kernel.client.inspect("alphabet", 3))["found"] is True
    assert kernel.reply(kernel.client.is_complete("for x in y:"))["status"] == "incomplete"
    history = kernel.reply(kernel.client.history(hist_access_type="tail", n=3))["history"]
    assert any("alphabet = 'abc'" in line for _, _, line in history)


def test_a_widget_speaks_both_ways_with_buffers(kernel: Session) -> None:
    """Comm messages and binary buffers go out and in."""
    result = kernel.run(
        "from comm import create_comm\ngot = []\n"
        "c = create_comm(target_name='jupyter.widget', data={'a': 1}, buffers=[b'\\x00\\x01'])\n"
        "c.on_msg(lambda m: (got.append(bytes(m['buffers'][0])), c.send({'ok': 1}, buffers=[b'z'])))"
    )
    (opened,) = result.of("comm_open")
    assert [bytes(b) for b in opened["buffers"]] == [b"\x00\x01"]
    session = kernel.client.session
    content = {"comm_id": opened["content"]["comm_id"], "data": {}}
    message = session.msg("comm_msg", content)
    session.send(kernel.client.shell_channel.socket, message, buffers=[b"\xff" * 1000])
    messages = kernel.until(
        message["header"]["msg_id"], lambda m: m["content"].get("execution_state") == "idle"
    )
    (back,) = [m for m in messages if m["msg_type"] == "comm_msg"]
    assert [bytes(b) for b in back["buffers"]] == [b"z"]
    assert kernel.run("got == [b'\\xff' * 1000]").value == "True"


def test_a_thread_prints_after_its_cell(kernel: Session) -> None:
    """Text that comes after the reply still reaches the cell it belongs to."""
    msg_id = kernel.client.execute(
        "import threading, time\n"
        "def late():\n    time.sleep(0.3)\n    print('late')\n"
        "threading.Thread(target=late).start()"
    )
    kernel.wait(msg_id)
    late = kernel.until(msg_id, lambda m: m["msg_type"] == "stream")
    assert late[-1]["content"]["text"] == "late\n"


def test_a_large_display_comes_through(kernel: Session) -> None:
    """20 MB in one display arrive unchanged."""
    result = kernel.run(
        "from IPython.display import display\ndisplay({'text/plain': 'x' * 20_000_000}, raw=True)"
    )
    (message,) = result.of("display_data")
    assert len(message["content"]["data"]["text/plain"]) == 20_000_000


def test_displays_are_updated_and_cleared(kernel: Session) -> None:
    """display_id updates and clear_output go out as such."""
    result = kernel.run(
        "from IPython.display import display, clear_output\n"
        "h = display('a', display_id=True); h.update('b'); clear_output(wait=True)"
    )
    kinds = [m["msg_type"] for m in result.messages]
    assert "update_display_data" in kinds
    assert "clear_output" in kinds


def test_kernel_info_does_not_wait_for_a_cell(kernel: Session) -> None:
    """kernel_info is answered while a cell runs, and the client is left with status busy."""
    msg_id = kernel.client.execute("import time\nwhile True: time.sleep(0.05)")
    kernel.until(msg_id, lambda m: m["msg_type"] == "execute_input")
    info = kernel.client.kernel_info()
    assert kernel.reply(info)["status"] == "ok"
    kernel.until(msg_id, lambda m: m["content"].get("execution_state") == "busy")
    kernel.interrupt()
    assert kernel.wait(msg_id).error["ename"] == "KeyboardInterrupt"


def test_what_is_not_supported_gets_an_answer(kernel: Session) -> None:
    """A debugger's request without a debugger, a subshell's and nonsense are refused, never met with silence."""
    session = kernel.client.session
    for kind in ("debug_request", "create_subshell_request", "nonsense_request"):
        message = session.msg(kind, {"type": "request", "seq": 1, "command": "attach"})
        kernel.client.control_channel.send(message)
        reply = kernel.client.get_control_msg(timeout=10)
        assert reply["parent_header"]["msg_id"] == message["header"]["msg_id"]
        assert reply["content"].get("success", False) is False
