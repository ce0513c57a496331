"""`%pip install NAMES` as the only line of a cell: what it asks for, or why it is refused.

Rule: pure. What passes is a list of package names and harmless switches, never a command line. A
cell says what is installed; where from is the user's pip configuration, because a file, a folder or
an address could be what code in the sandbox, or who wrote the notebook, has put there.
"""

from __future__ import annotations

import importlib.metadata
import re
import shlex
from dataclasses import dataclass

from codeact_kernel.kernel.cells.agent_cell import WrongCell

_LINE = re.compile(
    r"%pip[ \t]+(install|uninstall)(?=[ \t]|$)([^\x00-\x08\x0a-\x1f\x7f]*)", re.ASCII
)
_LONGEST = 200
"""Characters of one word; no package has a longer name."""
_REQUIREMENT = re.compile(
    r"""[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?     # the name
        (?:\[[A-Za-z0-9._,-]*\])?                       # [extras]
        (?:(?:[=~!<>]=|[<>]|===)[A-Za-z0-9.*+!_-]+,?)*  # versions
    """,
    re.VERBOSE | re.ASCII,
)
_ARCHIVE = re.compile(r"\.(whl|zip|tar|tgz|tbz|txz|gz|bz2|xz)$", re.IGNORECASE)
_SWITCHES = frozenset(
    """
    -U --upgrade --pre --no-deps --force-reinstall --ignore-installed -I --no-cache-dir
    --prefer-binary --only-binary=:all: --user --dry-run --no-warn-script-location
    --break-system-packages --no-compile --no-input --disable-pip-version-check
    -q -qq -qqq --quiet -v -vv -vvv --verbose -y --yes
    """.split()  # noqa: SIM905 - twenty quotation marks help nobody
)
_RENEWING = frozenset({"-U", "--upgrade", "-I", "--ignore-installed", "--force-reinstall"})
_FILES = ("-r", "--requirement", "-c", "--constraint", "-e", "--editable")
_SOURCES = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host")
TERMINAL = "In a terminal you can: python -m pip {verb} ..."
NOT_FILES = (
    "%pip {verb} takes names of packages here, not {word}: a file or a folder may hold what code in "
    "the sandbox has written, and pip runs outside of it. " + TERMINAL
)
NOT_SOURCES = (
    "%pip {verb} does not take {word} from a cell: where packages come from is for your pip "
    "configuration to say (pip config set global.extra-index-url ...). " + TERMINAL
)
NOT_KNOWN = "%pip {verb} does not take {word} here. " + TERMINAL
NOT_FILLED_IN = (
    "%pip {verb} runs outside the sandbox, where the notebook's variables are not known: write the "
    "names out instead of {word}."
)
NOTHING = "%pip {verb} needs the name of a package."
QUOTES = "A quotation mark in the line has no partner."


@dataclass(frozen=True, slots=True, kw_only=True)
class PipCell:
    """Packages to install or uninstall, as the user."""

    verb: str
    """install, uninstall."""
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SatisfiedCell:
    """Asks for what is installed already, as many notebooks do in their first cell."""

    lines: tuple[str, ...]


def read(code: str) -> PipCell | WrongCell | None:
    """What the cell asks of pip; None when it is not such a cell. Never raises."""
    if "%pip" not in code:
        return None
    lines = [
        line.strip()
        for line in code.replace("\\\n", " ").split("\n")
        if line.strip() and not line.lstrip().startswith("#")
    ]
    line = _LINE.fullmatch(lines[0]) if len(lines) == 1 else None
    if line is None:
        return None
    verb = line.group(1)
    try:
        words = shlex.split(line.group(2), comments=True)
    except ValueError:
        return WrongCell(sentence=QUOTES)
    for word in words:
        if reason := _objection(word):
            shown = word if len(word) <= 80 else f"{word[:79]}…"
            return WrongCell(sentence=reason.format(verb=verb, word=shown))
    if all(word.startswith("-") for word in words):
        return WrongCell(sentence=NOTHING.format(verb=verb))
    return PipCell(verb=verb, arguments=tuple(words))


def satisfied(cell: PipCell) -> SatisfiedCell | None:
    """That nothing has to be done, when the environment is found to have all of it."""
    from packaging.requirements import Requirement

    if cell.verb != "install" or _RENEWING & set(cell.arguments):
        return None
    lines = []
    for word in cell.arguments:
        if word.startswith("-"):
            continue
        try:
            wanted = Requirement(word)
            version = importlib.metadata.version(wanted.name)
        except (ValueError, importlib.metadata.PackageNotFoundError):
            return None
        if wanted.extras or not wanted.specifier.contains(version, prereleases=True):
            return None
        lines.append(f"Requirement already satisfied: {wanted.name} {version}")
    return SatisfiedCell(lines=tuple(lines))


def _objection(word: str) -> str:
    """Why this word is not passed to pip; "" when it is."""
    if len(word) > _LONGEST:
        return NOT_KNOWN
    if "{" in word or "$" in word:
        return NOT_FILLED_IN
    if word in _SWITCHES:
        return ""
    if word.startswith("-"):
        option = word.partition("=")[0]
        if option in _FILES or option[:2] in ("-r", "-c", "-e"):
            return NOT_FILES
        return NOT_SOURCES if option in _SOURCES or option[:2] in ("-i", "-f") else NOT_KNOWN
    if "://" in word or "@" in word:
        return NOT_SOURCES
    if _ARCHIVE.search(word) or not _REQUIREMENT.fullmatch(word):
        return NOT_FILES
    return ""
