"""What the model is shown of what its code did."""

from __future__ import annotations

from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from codeact_kernel.agent.observe import (
    clip,
    delta_lines,
    difference,
    short_traceback,
    show,
)
from codeact_kernel.trace.values import Delta, Output, Status, Variable


def text_of(*outputs: Output, **changes: Any) -> str:
    """The observation of a step with these outputs."""
    given: dict[str, Any] = {
        "number": 3,
        "of": 20,
        "status": Status.OK,
        "reason": "",
        "outputs": outputs,
        "delta": Delta(),
        "sees": False,
        **changes,
    }
    return show(**given).text


def stream(text: str, name: str = "stdout") -> Output:
    """Something printed."""
    return {"output_type": "stream", "name": name, "text": text}


def result(text: str, **data: str) -> Output:
    """The value of a last line."""
    return {
        "output_type": "execute_result",
        "data": {"text/plain": text, **data},
        "metadata": {},
        "execution_count": 3,
    }


class Shell(InteractiveShell):
    """IPython that keeps the errors it would show, and no history on disk."""

    def __init__(self) -> None:
        self.errors: list[Output] = []
        super().__init__(config=Config(HistoryManager={"enabled": False}))

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        name = etype.__name__
        error = {"output_type": "error", "ename": name, "evalue": str(evalue), "traceback": stb}
        self.errors.append(error)


def error_of(code: str) -> Output:
    """The error output of code as IPython itself makes it, colours and all."""
    shell = Shell()
    shell.run_cell(code)
    return shell.errors[0]


def test_the_parts_come_in_order() -> None:
    """Header, stdout, stderr, results, images, variables, notes."""
    text = text_of(
        stream("a\n"),
        stream("warn\n", "stderr"),
        stream("b\n"),
        result("42"),
        delta=Delta(new={"x": Variable(type="int", preview="42")}, deleted=("y", "z")),
        notes=("Mind this.",),
    )
    assert text == (
        "[step 3/20: ok]\nstdout:\na\nb\nstderr:\nwarn\nresult:\n42\n"
        "new: x: int = 42\ndeleted: y, z\nMind this."
    )


def test_nothing_that_differs_between_two_runs() -> None:
    """Addresses are blanked, colours dropped, progress bars shown as last drawn."""
    text = text_of(
        stream("\x1b[31mred\x1b[0m\n 10%\r 50%\r100%\n"), result("<function f at 0x7f00deadbeef>")
    )
    assert "red\n100%" in text
    assert "<function f at 0x…>" in text
    assert "\x1b" not in text


def test_a_traceback_is_short() -> None:
    """The cell's own lines and the error; no library frames, no context, no colours."""
    text = short_traceback(error_of("import json\n\n\njson.loads('{')\n"))
    assert text.splitlines()[1] == "----> 4 json.loads('{')"
    assert text.splitlines()[-1].startswith("JSONDecodeError: Expecting property name")
    assert len(text.splitlines()) == 3
    assert "site-packages" not in text


def test_a_chain_of_errors_keeps_both() -> None:
    """The cause is told before what came of it."""
    text = short_traceback(
        error_of("try:\n    1/0\nexcept Exception as e:\n    raise ValueError('no') from e")
    )
    assert text.index("ZeroDivisionError: division by zero") < text.index("ValueError: no")
    assert "direct cause" in text


def test_a_syntax_error_shows_its_place() -> None:
    """The caret survives."""
    text = short_traceback(error_of("x = = 1"))
    assert "x = = 1" in text
    assert "^" in text
    assert text.splitlines()[-1] == "SyntaxError: invalid syntax"


def test_a_deep_recursion_keeps_its_last_lines() -> None:
    """A hundred frames are a few lines, the error among them."""
    # Not a thousand: IPython looks at every imported module for each frame, and tests import many.
    code = "def f(n):\n    if n == 100: raise RecursionError\n    return f(n + 1)\nf(0)"
    text = short_traceback(error_of(code))
    assert text.splitlines()[-1].startswith("RecursionError")
    assert len(text) < 3500


def test_an_error_without_traceback_is_still_told() -> None:
    """Name and value are enough."""
    bare: Output = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": []}
    assert short_traceback(bare) == "E: v"


def test_the_own_cell_has_no_count() -> None:
    """The count depends on what else the person ran, so the model does not see it."""
    failed: Output = {
        "output_type": "error",
        "ename": "ZeroDivisionError",
        "evalue": "division by zero",
        "traceback": ["Cell In[7], line 1\n----> 1 1/0\n", "ZeroDivisionError: division by zero"],
    }
    text = text_of(failed, count=7, status=Status.ERROR)
    assert "This cell, line 1\n----> 1 1/0" in text
    assert text.startswith("[step 3/20: error]")


def test_a_long_output_is_cut_in_the_middle() -> None:
    """6 KB of the beginning, 4 KB of the end, and how much there was."""
    full = "".join(f"line {n:06}\n" for n in range(10_000))
    clipped = clip(full, "_stdout_3")
    assert clipped.full == full
    assert clipped.text.startswith("line 000000\n")
    assert clipped.text.endswith("line 009999\n")
    assert len(clipped.text) < 10_500
    assert (
        "[cut: 120000 bytes, 10001 lines in all; the variable _stdout_3 has the whole text]"
        in clipped.text
    )


def test_a_long_line_is_clamped() -> None:
    """One minified line cannot eat the conversation; its end is kept."""
    clipped = clip("x" * 100_000 + "end\nnext", "v")
    assert len(clipped.text) < 2300
    assert "[100003 characters]" in clipped.text
    assert "end\nnext" in clipped.text


def test_a_short_output_is_whole() -> None:
    """Nothing is cut that fits, to the byte; multi-byte text is not broken."""
    fits = "é" * 5 * 1024
    assert clip("\n".join([fits[:1000]] * 5), "v").full is None
    cut = clip("\n".join(["é" * 1500] * 20), "v").text
    assert "\ufffd" not in cut


def test_two_results_are_kept_apart() -> None:
    """Each truncated text has a variable of its own."""
    long = "\n".join(["row"] * 9000)
    shown = show(
        number=3,
        of=9,
        status=Status.OK,
        reason="",
        outputs=(result(long), result(long)),
        delta=Delta(),
        sees=True,
    )
    assert set(shown.keep) == {"_result_3", "_result_3_2"}


def test_images_are_few_and_said() -> None:
    """Three at most; a figure's own text is not repeated."""
    figure = result("<Figure size 640x480 with 1 Axes>", **{"image/png": "AAAA"})
    shown = show(
        number=3,
        of=9,
        status=Status.OK,
        reason="",
        outputs=(figure,) * 5,
        delta=Delta(),
        sees=True,
    )
    assert len(shown.images) == 3
    assert "5 images were displayed; you see the first 3." in shown.text
    assert "Figure" not in shown.text
    assert "1 image was shown to the person (you cannot see images)." in text_of(figure)


def test_an_end_from_outside_is_told_once() -> None:
    """A time limit's sentence, which the cell's stderr has too, is not repeated."""
    said = "The time limit was over."
    text = text_of(stream(f"{said}\n", "stderr"), status=Status.TIMEOUT, reason=said)
    assert text == f"[step 3/20: time limit]\nstderr:\n{said}"
    assert text_of(status=Status.DIED, reason="Gone.") == "[step 3/20: sandbox ended]\nGone."


def test_the_variable_delta() -> None:
    """New, changed (by its mark) and deleted; many are counted, not listed."""
    before = {
        "a": Variable(type="int", preview="1", mark="1"),
        "b": Variable(type="int", preview="2"),
    }
    after = {
        "a": Variable(type="int", preview="1", mark="2"),
        "c": Variable(type="DataFrame", shape="(3, 2)", size="1 kB", preview="x  y\nz"),
    }
    delta = difference(before, after)
    assert delta_lines(delta) == [
        "new: c: DataFrame (3, 2) 1 kB = x y z",
        "changed: a: int = 1",
        "deleted: b",
    ]
    many = difference({}, {f"v{n}": Variable(type="int", preview="") for n in range(30)})
    assert delta_lines(many)[-1] == "and 10 more new or changed variables"
