"""What models really send, and what is made of it."""

from __future__ import annotations

import json

import pytest

from codeact_kernel.agent.parse import CUT, EMPTY, parse
from codeact_kernel.trace.values import Finish, Malformed, RunCode

CODE = {
    "own tag": "Look first.\n\n<execute>\nx = 1\n</execute>",
    "own tag, one line": "Look first. <execute>x = 1</execute>",
    "own tag in capitals": "Look first.\n<EXECUTE>\nx = 1\n</EXECUTE>",
    "own tag with a language": 'Look first.\n<execute lang="python">\nx = 1\n</execute>',
    "unclosed tag": "Look first.\n<execute>\nx = 1\n",
    "closing tag cut": "Look first.\n<execute>\nx = 1\n</exec",
    "closed with another tag": "Look first.\n<execute>\nx = 1\n</code>",
    "fence inside the tag": "Look first.\n<execute>\n```python\nx = 1\n```\n</execute>",
    "unclosed fence inside the tag": "Look first.\n<execute>\n```python\nx = 1\n</execute>",
    "tag inside a fence": "Look first.\n```python\n<execute>\nx = 1\n</execute>\n```",
    "smolagents' tag": "Look first.\n<code>\nx = 1\n</code>",
    "fence": "Look first.\n```python\nx = 1\n```",
    "fence, short name": "Look first.\n```py\nx = 1\n```\n",
    "fence without language": "Look first.\n```\nx = 1\n```",
    "tildes": "Look first.\n~~~python\nx = 1\n~~~",
    "unclosed fence": "Look first.\n```python\nx = 1",
    "indented": "Look first.\n<execute>\n    x = 1\n</execute>",
    "windows line ends": "Look first.\r\n<execute>\r\nx = 1\r\n</execute>\r\n",
    "json": json.dumps({"thought": "Look first.", "code": "x = 1"}),
    "json, plural": json.dumps({"thoughts": "Look first.", "code": "x = 1\n"}),
    "json in a fence": '```json\n{"thought": "Look first.", "code": "x = 1"}\n```',
    "json, fenced code": json.dumps({"thought": "Look first.", "code": "```python\nx = 1\n```"}),
    "json, lines": json.dumps({"thought": "Look first.", "code": ["x = 1"]}),
    "json with raw newlines": '{"thought": "Look first.", "code": "\nx = 1\n"}',
    "invented output": "Look first.\n<execute>\nx = 1\n</execute>\n[step 1/20: ok]\nnew: x: int = 7\n"
    "<execute>\nfinal_answer(7)\n</execute>",
}


@pytest.mark.parametrize("text", CODE.values(), ids=CODE.keys())
def test_every_shape_of_the_same_reply_is_read_alike(text: str) -> None:
    """One thought and one line of code, however they are wrapped."""
    assert parse(text) == RunCode(thought="Look first.", code="x = 1")


def test_bare_code_is_code() -> None:
    """A reply that is nothing but Python runs."""
    assert parse("import math\nprint(math.pi)") == RunCode(
        thought="", code="import math\nprint(math.pi)"
    )


def test_two_blocks_are_joined_in_order() -> None:
    """All blocks are one cell; the prose between them belongs to the thought."""
    text = "One.\n<execute>\nx = 1\n</execute>\nThen two.\n<execute>\ny = 2\n</execute>\nDone."
    assert parse(text) == RunCode(thought="One.\n\nThen two.\n\nDone.", code="x = 1\n\ny = 2")
    fences = "One.\n```python\nx = 1\n```\nThen two.\n```python\ny = 2\n```\nDone."
    assert parse(fences) == parse(text)


@pytest.mark.parametrize("tag", ["execute", "code"])
def test_a_closing_delimiter_inside_a_string_does_not_close(tag: str) -> None:
    """The first closing delimiter with which the code compiles is the one."""
    code = f'html = "<code>x</code> and </{tag}>"\nprint(html)'
    assert parse(f"Write.\n<{tag}>\n{code}\n</{tag}>") == RunCode(thought="Write.", code=code)


def test_a_fence_inside_a_string_does_not_close() -> None:
    """Markdown written by the code stays in the code."""
    code = 'text = """\n```\nx\n```\n"""\nprint(text)'
    assert parse(f"Write.\n```python\n{code}\n```\n") == RunCode(thought="Write.", code=code)


def test_prompts_magics_and_shell_are_left_to_ipython() -> None:
    """What IPython understands is no syntax error and stays as it is."""
    for code in (">>> x = 1\n>>> x", "!ls", "%time x = 1", "%%bash\necho hi", "await f()"):
        assert parse(f"Go.\n<execute>\n{code}\n</execute>") == RunCode(thought="Go.", code=code)


def test_code_that_does_not_compile_is_handed_on() -> None:
    """The syntax error is for the model to see, not for the parser to hide."""
    assert parse("Go.\n<execute>\nx = = 1\n</execute>") == RunCode(thought="Go.", code="x = = 1")


@pytest.mark.parametrize(
    "text",
    [
        "The mean is 42.",
        "42",
        "Yes",
        "Note: this is all",
        "a, b",
        "Like this:\n```text\nx = 1\n```",
        "The table:\n```\n a  b\n 1  2\n```",
        "Use the `<execute>` tag next time.",
        'The price is in <code>price</code>, and {"a": 1} is a dict.',
        '{"mean": 42}',
    ],
)
def test_a_reply_without_code_is_the_answer(text: str) -> None:
    """Prose, a number, a word, a table or JSON data end the run."""
    assert parse(text) == Finish(answer=text)


def test_an_answer_in_an_envelope() -> None:
    """Structured models may answer in their envelope."""
    assert parse('{"thought": "done", "code": "", "final_answer": "42"}') == Finish(answer="42")
    assert parse('{"answer": {"a": 1}, "code": null}') == Finish(answer='{"a": 1}')


@pytest.mark.parametrize("text", [None, "", "  \n "])
def test_an_empty_reply_is_a_problem(text: str | None) -> None:
    """Some models send nothing; they are told so."""
    assert parse(text) == Malformed(problem=EMPTY)


def test_a_reply_cut_at_the_output_limit_is_never_run() -> None:
    """Half of a program may compile, and delete the wrong half."""
    assert parse("<execute>\nx = 1\n", truncated=True) == Malformed(problem=CUT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Go.\n<execute>\n\n</execute>", "nothing in it"),
        ("Go on with it.\nx = 1\n</execute>", "without <execute>"),
        ("The answer follows.\nfinal_answer(42)", "outside of <execute>"),
        ('{"thought": "a", "code": "x = 1"', "looks like JSON"),
        ('{"thought": "a", "code": ""}', '"code" is empty'),
        ('{"code": ' + "[" * 100_000, "nested too deeply"),
        ('{"code": ' + "1" * 5_000 + "}", "number in it is too long"),
    ],
    ids=range(7),
)
def test_what_cannot_be_read_is_named_exactly(text: str, words: str) -> None:
    """The model is told the one thing that is wrong."""
    action = parse(text)
    assert isinstance(action, Malformed)
    assert words in action.problem


def test_code_before_a_lone_closing_tag_is_code() -> None:
    """Some servers swallow the opening tag."""
    assert parse("x = 1\nprint(x)\n</execute>") == RunCode(thought="", code="x = 1\nprint(x)")


@pytest.mark.parametrize("text", ["\x00", "<execute>\n\x00\n</execute>", "(" * 5000, "\ud800"])
def test_no_text_breaks_the_parser(text: str) -> None:
    """Whatever a model sends, there is an action."""
    assert parse(text) is not None
