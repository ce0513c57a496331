"""What is said about code before it runs."""

from __future__ import annotations

import time

import pytest

from codeact_kernel.agent.checks import Checked, check
from codeact_kernel.agent.options import Rules
from codeact_kernel.agent.prompt import opening
from codeact_kernel.trace.values import Function

NAMES = frozenset({"print", "open", "range", "df", "exec", "eval", "__import__"})
STRICT = Rules.strict(frozenset({"math", "matplotlib", "os.path"}), ("/data", "/tmp/x"))  # noqa: S108


def looked(code: str, rules: Rules | None = None) -> Checked:
    """The code, checked against a few known names."""
    return check(code, names=NAMES, rules=rules or Rules())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("x = = 1", "SyntaxError: invalid syntax (line 1)\n    x = = 1"),
        ("if True:\nx = 1", "IndentationError: expected an indented block"),
        ("x = 1\nreturn x", "'return' outside function"),
        ("x = '\x00'", "SyntaxError"),
        ("for x in range(3):\n    print(x", "'(' was never closed"),
    ],
)
def test_a_syntax_error_is_told_as_python_tells_it(code: str, words: str) -> None:
    """Kind, message, line and text, without running anything."""
    assert words in looked(code).problem


@pytest.mark.parametrize(
    "code",
    ["!ls -l", "%time x = 1", "%%bash\necho {x}", "df?", ">>> x = 1\n... ", "await f()", '"\\d"'],
)
def test_what_ipython_understands_is_no_error(code: str) -> None:
    """Magics, shell, help, prompts and top-level await compile."""
    assert looked(code).problem == ""


def test_names_nobody_knows_are_hints() -> None:
    """Undefined names and wrong formats are told with their line; known ones are not."""
    hints = looked("print(df)\nprint(dg)\ny = '%s %s' % (1,)\n_ = In, Out, final_answer").hints
    assert len(hints) == 2
    assert hints[0] == "Line 2: undefined name 'dg'."
    assert hints[1].startswith("Line 3: '...' % ...")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os", "Line 1: importing os is not allowed here. Allowed: math"),
        ("x = 1\nfrom subprocess import run", "Line 2: importing subprocess"),
        ("import importlib", "importing importlib"),
        ("__import__('os')", "importing os"),
        ("exec('x')", "exec is not allowed"),
        ("f = eval", "eval is not allowed"),
        ("!pip install x", "shell commands and package installation"),
        ("%pip install x", "shell commands and package installation"),
        ("%%bash\nls", "shell commands and package installation"),
        ("open('/etc/passwd')", "/etc/passwd is outside the folders"),
        ("open('/data/../etc/passwd')", "outside the folders"),
        ("open('../secret')", "outside the folders"),
    ],
)
def test_strict_rules_refuse(code: str, words: str) -> None:
    """What the profile forbids is refused with its line."""
    assert words in looked(code, STRICT).refusal


@pytest.mark.parametrize(
    "code",
    [
        "import math, matplotlib.pyplot as plt\nfrom os.path import join",
        "open('data.csv')\nopen('/data/a/b')\nopen('/tmp/x')",
        "df.eval('a + b')",
        "%time x = 1",
    ],
)
def test_strict_rules_let_pass(code: str) -> None:
    """What is on the list runs: packages with their parts, methods that share a name."""
    assert looked(code, STRICT) == Checked()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("!ls", "Line 1 runs a shell command"),
        ("x = 1\n!!ls", "Line 2 runs a shell command"),
        ("import subprocess as s\ns.run(['ls'])", "Line 2 runs a shell command"),
        ("from os import system\nsystem('ls')", "Line 2 runs a shell command"),
        ("import requests", "imports requests: network access"),
        ("import urllib.request", "imports urllib.request: network access"),
        ("df = pd.read_csv('https://a.b/c')", "names the address https://a.b/c"),
        ("from shutil import rmtree as r\nr('x')", "deletes or moves files (shutil.rmtree)"),
        ("p.unlink()", "deletes or moves files (p.unlink)"),
        ("open('x', 'w')", "opens a file for writing"),
        ("open('x', mode=m)", "opens a file for writing"),
        ("df.to_csv('x')", "writes files (df.to_csv)"),
        ("import numpy as np\nnp.save('x', a)", "writes files (numpy.save)"),
    ],
)
def test_intents_are_concerns(code: str, words: str) -> None:
    """Shell, network and files are named with their line for the person who approves."""
    assert words in " ".join(looked(code).concerns)


def test_harmless_code_concerns_nobody() -> None:
    """Reading and computing is not asked about."""
    code = "x = open('a').read()\nopen('a', 'r')\nitems.remove(3)\ntotal = df.sum()\nplt.plot(x)"
    assert looked(code).concerns == ()


def test_checks_take_milliseconds() -> None:
    """A cell of 50 lines is looked at faster than anybody notices (processor time, best of five)."""
    code = "\n".join(f"x{n} = [y * {n} for y in range({n})]" for n in range(50))
    times = []
    for _ in range(5):
        began = time.process_time()
        looked(code)
        times.append(time.process_time() - began)
    assert min(times) < 0.1


@pytest.mark.parametrize("code", ["+".join(["x"] * 900), "x" + ".a" * 900, "x" + "[0]" * 500])
def test_deep_code_has_no_hints(code: str) -> None:
    """Valid code that is too deep for the linter runs without its advice; the rules still hold."""
    assert looked(code) == Checked()
    assert "importing os" in looked(f"{code}\nimport os", STRICT).refusal


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("search('x')", "Line 1: search is switched off"),
        ("f = search\nf()", "Line 1: search is switched off"),
        ("def search(): ...\nsearch()", "Line 2: search is switched off"),
        ("x.search()", ""),
        ("!ls", "shell commands"),
        ("shell = 'bash'", ""),
    ],
)
def test_a_tool_that_is_switched_off_is_refused(code: str, words: str) -> None:
    """By its name, however it is used; names that only look like it are not meant."""
    refusal = looked(code, Rules().switched_off(["search", "shell"])).refusal
    assert words in refusal if words else not refusal


def test_what_is_switched_off_is_not_offered() -> None:
    """The model does not hear of it, and is told when there is no shell; otherwise nothing changes."""
    functions = (
        Function(name="search", signature="(words)"),
        Function(name="plot", signature="()"),
    )
    without = opening("Do it.", {}, functions, 5, Rules().switched_off(["search", "shell"]))
    assert "search" not in without
    assert "def plot()" in without
    assert "Shell commands and package installation are switched off." in without
    assert opening("Do it.", {}, functions, 5, Rules().switched_off([])) == opening(
        "Do it.", {}, functions, 5
    )
