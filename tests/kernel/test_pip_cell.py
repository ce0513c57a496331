"""Which `%pip` lines are carried out outside, and which are refused."""

from __future__ import annotations

import pytest

from codeact_kernel.kernel.cells.agent_cell import WrongCell
from codeact_kernel.kernel.cells.pip_cell import PipCell, read


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("%pip install numpy", ["numpy"]),
        ("  %pip  install\tnumpy  ", ["numpy"]),
        ("# first\n\n%pip install -U numpy>=2,<3 'pandas[performance]==2.*'  # why\n#last", None),
        ("%pip install a \\\n  b", ["a", "b"]),
        ("%pip install -q --upgrade zope.interface Flask_Cors", None),
    ],
)
def test_names_of_packages_are_taken(code: str, arguments: list[str] | None) -> None:
    """One line, with comments and blank lines around it, and nothing else in the cell."""
    cell = read(code)
    assert isinstance(cell, PipCell)
    assert cell.verb == "install"
    if arguments is not None:
        assert list(cell.arguments) == arguments


def test_quotes_and_comments_are_the_shells() -> None:
    """What a person quotes for a shell is read as a shell would, without one."""
    cell = read("%pip install 'pandas[a,b]>=2' numpy>=2 # and so on; rm -rf /")
    assert cell == PipCell(verb="install", arguments=("pandas[a,b]>=2", "numpy>=2"))


@pytest.mark.parametrize(
    "word",
    [
        ".",
        "..",
        "./package",
        "/opt/package",
        "~/package",
        "package/",
        "a/b",
        "x.whl",
        "x-1.0.tar.gz",
        "x.ZIP",
        "-e.",
        "-rlist.txt",
        "-r",
        "--requirement=list.txt",
        "--constraint=c.txt",
        "--editable=.",
        "-ihttps://evil.example",
        "--index-url=https://evil.example",
        "--extra-index-url=https://evil.example",
        "--find-links=.",
        "-f.",
        "--target=x",
        "-t.",
        "--root=/",
        "--prefix=/",
        "--src=x",
        "--log=/home/me/.bashrc",
        "--cache-dir=.",
        "--report=x",
        "--python=x",
        "--config-settings=a=b",
        "--global-option=x",
        "--cert=x",
        "--proxy=http://evil.example",
        "--trusted-host=evil.example",
        "git+https://evil.example/x",
        "https://evil.example/x.whl",
        "file:///tmp/x",
        "'x @ https://evil.example/x'",
        "x@https://evil.example",
        "{name}",
        "$HOME",
        "${name}",
        "`id`",
        "$(id)",
        "x;id",
        "'x; python_version>\"3\"'",
        "x|id",
        "x&",
        "--",
        "-",
        "--pre=x",
        "-Uq.",
        "'numpy\u00a0x'",
        "\uff4eumpy",
        "a" * 201,
    ],
)
def test_everything_else_is_refused(word: str) -> None:
    """Files, addresses, options that read or write elsewhere, and whatever is not known."""
    cell = read(f"%pip install numpy {word}")
    assert isinstance(cell, WrongCell), cell
    assert len(cell.sentence) < 400


@pytest.mark.parametrize(
    "code",
    [
        "import x\n%pip install numpy",
        "%pip install numpy\n%pip install pandas",
        "%pip install numpy\nprint(1)",
        "'''\n%pip install numpy\n'''",
        "x = %pip install numpy",
        "!pip install numpy",
        "%pip list",
        "%pip",
        "%pip installer x",
        "%%pip install x",
        "pip install x",
        "%pip\x0cinstall x",
        "%pip install x\rimport y",
        "",
    ],
)
def test_other_cells_are_the_sandboxs(code: str) -> None:
    """Whatever is not exactly one such line is left to the code inside."""
    assert read(code) is None


def test_a_line_without_a_package_is_said() -> None:
    """Only switches, or a quotation mark too many."""
    for line in ("%pip install", "%pip install -U", "%pip install 'x"):
        assert isinstance(read(line), WrongCell)
