"""What code inside shows, as a client gets it: cleaned, said, and as it is when the user says so."""

from __future__ import annotations

from typing import Any

from tests.e2e.conftest import Result, Session

SHOW = "from IPython.display import display, HTML, Markdown, Javascript, SVG, Latex\n"


def shown(result: Result) -> list[dict[str, Any]]:
    """The data of every display and result."""
    return [
        m["content"]["data"]
        for m in result.messages
        if m["msg_type"] in ("display_data", "execute_result")
    ]


def test_displays_are_cleaned_and_it_is_said(kernel: Session) -> None:
    """Script does not get out, what is left does, and a note says what is missing."""
    html, note = shown(kernel.run(SHOW + "HTML('<b>x</b><script>alert(1)</script>')"))
    assert html["text/html"] == "<b>x</b>"
    assert note["text/plain"].startswith(
        "Removed from this display: script. `%agent trust display`"
    )
    script, note = shown(kernel.run(SHOW + "Javascript('alert(1)')"))
    assert set(script) == {"text/plain"}
    assert "script" in note["text/plain"]
    (latex,) = shown(kernel.run(SHOW + "Latex('$x^2$')"))
    assert latex["text/latex"] == "$x^2$"


def test_text_errors_and_pages_are_cleaned(kernel: Session) -> None:
    """Streams, tracebacks, replies and the pager keep colours and lose what controls a terminal."""
    assert kernel.run("print('\\x1b[31ma\\x1b]0;t\\x07b')").text == "\x1b[31mab\n"
    result = kernel.run("raise ValueError('\\x1b]52;c;eA==\\x07boo')")
    assert result.error["evalue"] == "boo"
    assert result.reply["evalue"] == "boo"
    assert "\x1b]" not in "".join(result.reply["traceback"])
    result = kernel.run(
        "get_ipython().payload_manager.write_payload("
        "{'source': 'page', 'data': {'text/html': '<script>x</script><b>p</b>'}, 'start': 0})\n"
        "get_ipython().set_next_input('%agent trust display')\n"
    )
    assert [each["source"] for each in result.reply["payload"]] == ["page"]
    assert result.reply["payload"][0]["data"] == {"text/html": "<b>p</b>"}
    expressions = kernel.run(
        "1", user_expressions={"x": "__import__('IPython').display.HTML('<script>')"}
    )
    assert "script" not in str(expressions.reply["user_expressions"])


def test_core_widgets_work_and_others_are_blocked(kernel: Session) -> None:
    """A slider is opened as it is; HTML in a widget is cleaned, first and later; foreign code is not sent."""
    result = kernel.run("import ipywidgets as w\ns = w.IntSlider(3)\ns")
    assert [m["content"]["data"]["state"]["_model_name"] for m in result.of("comm_open")] == [
        "LayoutModel",
        "SliderStyleModel",
        "IntSliderModel",
    ]
    assert len(shown(result)) == 1
    result = kernel.run("h = w.HTML('<i>a</i><script>x</script>')\nh.value = '<b onclick=x>b</b>'")
    states = [m["content"]["data"]["state"] for m in result.of("comm_open")]
    assert states[-1]["value"] == "<i>a</i>"
    assert result.of("comm_msg")[0]["content"]["data"]["state"]["value"] == "<b>b</b>"
    result = kernel.run(
        "import traitlets\n"
        "class Evil(w.DOMWidget):\n"
        "    _esm = traitlets.Unicode('alert(1)').tag(sync=True)\n"
        "    _model_module = traitlets.Unicode('anywidget').tag(sync=True)\n"
        "    _view_module = traitlets.Unicode('anywidget').tag(sync=True)\n"
        "e = Evil()\ne._esm = 'alert(2)'\ne"
    )
    assert "alert" not in str(
        [m["content"] for m in result.of("comm_open") + result.of("comm_msg")]
    )
    blocked = result.of("comm_open")[-1]["content"]["data"]["state"]
    assert blocked["_model_name"] == "LabelModel"
    assert "anywidget" in blocked["value"]
    told = [
        each for each in shown(kernel.run("_ = [Evil() for n in range(9)]")) if "text/plain" in each
    ]
    assert len(told) == 1
    result = kernel.run("from comm import create_comm\ncreate_comm(target_name='evil')")
    assert result.of("comm_open") == []
    assert "comm evil" in shown(result)[0]["text/plain"]


def test_the_user_can_trust_displays(kernel: Session) -> None:
    """`%agent trust display` shows displays as they are; code inside cannot say it."""
    attack = SHOW + "HTML('<script>x</script>')"
    kernel.run("get_ipython().run_cell('%agent trust display')")
    kernel.run("get_ipython().run_line_magic('agent', 'trust display')")
    assert shown(kernel.run(attack))[0]["text/html"] == ""
    assert "as they are" in kernel.run("%agent trust display").displays[0]
    assert shown(kernel.run(attack))[0]["text/html"] == "<script>x</script>"
    assert "cleaned again" in kernel.run("%agent distrust display").displays[0]
    assert shown(kernel.run(attack))[0]["text/html"] == ""
