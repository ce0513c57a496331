"""Cell text -> what it asks for: a run, its continuation, help, plain code, or a mistake.

Rule: pure; nothing here meets a kernel, and only IPython knows what is a magic. Only a cell's own first line makes it an agent cell; an
option that is misspelt is said, never taken for a part of the task.

    %%agent [options]            %agent [options] task            %agent continue [options] [words]
    the task                     %agent help
    %agent files [keep|discard PATH ...|--all]
    %agent checkpoint [NAME]     %agent rewind [N|NAME] [--force]     %agent redo     %agent branches
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.cells.agent_options import Options, read_options

HELP = """\
Give the agent a task; it works in this notebook, cell by cell, in the sandbox.

    %%agent [options]              the task is the rest of the cell, as many lines as you like
    %agent [options] task          the task is the rest of the line
    %agent trust display           show what code displays as it is, script included, until the
                                   kernel ends; %agent distrust display cleans displays again
    %agent continue [options]      go on with the last run; words after it are added to the task
    %agent files                   what steps wrote and you have not decided about, with diffs
    %agent files keep PATH ...     put it in the notebook's folder (--all: everything;
                                   --force: also over what was changed outside)
    %agent files discard PATH ...  give it up (--all: everything)

    %agent checkpoint NAME         keep the state of the notebook as it is now: variables, open
                                   databases in memory, random numbers, everything but files
    %agent rewind [N or NAME]      take it back there, or to before the last step (each step of the
                                   agent keeps one); --force: even if not all can be restored
    %agent redo                    take the last rewind back
    %agent branches                what is kept, as a tree

    --model NAME       the language model, "anthropic/claude-sonnet-4-6" or "replay/NOTEBOOK.ipynb"
    --steps N          at most N steps
    --budget USD       at most this much money
    --approve WHEN     never, ask (before each step), or risky (only when a check finds something)
    --vision           show plots to the model (--no-vision: do not)
    --without NAMES    switch tools off: shell, or functions of the notebook (commas between them)
    --api-base URL     the address of an OpenAI-compatible server

{name} in a task is replaced by the value of that variable; {{name}} stays {name}.
Defaults come from the configuration file, or CODEACT_MODEL, CODEACT_STEPS ... in the environment.
A cell can only narrow the approve, steps and budget you set there; another address is asked about.
"""
ASSIGNMENT = (
    "This reads like an assignment, and %agent is not a variable: it gives a task to the agent. Write "
    "a variable named agent without the %, or begin the task with a word."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainCell:
    """Not ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCell:
    """A task. `{name}` is not filled in yet."""

    task: str
    options: Options


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinueCell:
    """Go on with the last run; `words` are added to its task, "" for none."""

    words: str
    options: Options


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpCell:
    """Show HELP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesCell:
    """List, keep or discard what is staged; `all` or some `paths`."""

    verb: str
    """list, keep, discard."""
    paths: tuple[str, ...] = ()
    all: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointCell:
    """Keep the state, or go to another one. `which` is a number or a name, "" for none."""

    verb: str
    """checkpoint, rewind, redo, branches."""
    which: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustCell:
    """Show displays as they are (`trusted`), or cleaned again."""

    trusted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongCell:
    """Meant for the agent, and wrong: one sentence."""

    sentence: str


Cell = (
    PlainCell
    | AgentCell
    | ContinueCell
    | HelpCell
    | FilesCell
    | CheckpointCell
    | TrustCell
    | WrongCell
)

_FIRST = re.compile(r"(%%?)agent(?![\w.(=])[ \t]*([^\n]*)\n?", re.ASCII)
_LATER = re.compile(r"^%%?agent(?:[ \t]|$)", re.MULTILINE)
_ASSIGNS = re.compile(r"(?:[-+*/%@&|^]|//|\*\*|<<|>>)?=(?!=)")
_CALL = re.compile(r"get_ipython\(\)\.run_line_magic\('%?agent'")
_NAME = re.compile(r"\{\{([^\W\d]\w*)\}\}|\{([^\W\d]\w*)\}")


def read(code: str) -> Cell:
    """What this cell asks for. Never raises."""
    if "%agent" not in code:
        return PlainCell()
    text = code.lstrip()
    first = _FIRST.match(text)
    try:
        if first is None:
            return _not_first(text)
        return _agent(first.group(1) == "%%", first.group(2), text[first.end() :])
    except UsageError as error:
        return WrongCell(sentence=str(error))


def _not_first(text: str) -> Cell:
    if _LATER.search(text) is None or not _is_magic(text):
        return PlainCell()
    raise UsageError("%agent must be the only thing in its cell: put the code above it in its own.")


def _is_magic(text: str) -> bool:
    """Whether IPython would run `%agent` somewhere in it, and not find it in a string or a file."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        code = TransformerManager().transform_cell(text)
    except Exception:  # noqa: BLE001 -- what IPython cannot read, the kernel inside will refuse
        return False
    return len(_CALL.findall(code)) > len(_CALL.findall(text))


def _agent(whole_cell: bool, line: str, body: str) -> Cell:
    if not whole_cell and body.strip():
        raise UsageError("%agent takes one line; for a longer task write %%agent above it.")
    if _ASSIGNS.match(line):
        raise UsageError(ASSIGNMENT)
    options, rest = read_options(line)
    word, _, words = rest.partition(" ")
    if word == "help" and not words.strip() and not body.strip():
        return HelpCell()
    if word == "files" and not whole_cell and (not words.split() or words.split()[0] in _DECISIONS):
        return _files(words)
    if not whole_cell and (found := _checkpoint(word, words)) is not None:
        return found
    if rest in ("trust display", "distrust display") and not whole_cell and not body.strip():
        return TrustCell(trusted=word == "trust")
    if word == "continue" and not whole_cell:
        more, words = read_options(words.lstrip())
        return ContinueCell(words=words, options=more.over(options))
    task = "\n".join(part for part in (rest, body.strip("\n")) if part.strip()).strip()
    if not task:
        raise UsageError("There is no task: write it below %%agent, or behind %agent on its line.")
    return AgentCell(task=task, options=options)


_TAKES = {"checkpoint": 1, "rewind": 1, "redo": 0, "branches": 0}
"""How many words these take; with more it is a task."""
_LABEL = re.compile(r"[^\W\d_][\w-]{0,39}")
_DECISIONS = ("list", "keep", "discard")


def _files(words: str) -> FilesCell:
    try:
        verb, *rest = shlex.split(words) or ["list"]
    except ValueError:
        raise UsageError("A quotation mark in the paths has no partner.") from None
    paths = tuple(word for word in rest if not word.startswith("--"))
    given = {word for word in rest if word.startswith("--")}
    if unknown := sorted(given - {"--all", "--force"}):
        raise UsageError(f"{unknown[0][:40]!r} is not an option here. Known: --all, --force.")
    if verb != "list" and bool(paths) == ("--all" in given):
        raise UsageError(f"Say what to {verb}: paths as %agent files lists them, or --all.")
    return FilesCell(verb=verb, paths=paths, all="--all" in given, force="--force" in given)


def _checkpoint(word: str, words: str) -> CheckpointCell | None:
    """None: it is the beginning of a task. Raises UsageError."""
    which = words.split()
    force = word in ("rewind", "redo") and "--force" in which
    if force:
        which.remove("--force")
    if word not in _TAKES or len(which) > _TAKES[word]:
        return None
    if word == "checkpoint" and which and not _LABEL.fullmatch(which[0]):
        raise UsageError(
            "A checkpoint's name begins with a letter and has letters, digits, - and _ (40 at most)."
        )
    return CheckpointCell(verb=word, which="".join(which), force=force)


def names_in(task: str) -> tuple[str, ...]:
    """The variables a task asks for, each once."""
    return tuple(dict.fromkeys(m.group(2) for m in _NAME.finditer(task) if m.group(2)))


def fill(task: str, values: Mapping[str, str]) -> str:
    """The task with `{name}` replaced and `{{name}}` unescaped. Raises UsageError for a missing name."""
    missing = [name for name in names_in(task) if name not in values]
    if missing:
        raise UsageError(
            f"{{{missing[0]}}} in the task: no variable {missing[0]} is defined in this notebook. "
            f"Define it in a cell above, or write {{{{{missing[0]}}}}} for the plain text."
        )
    return _NAME.sub(
        lambda m: "{" + m.group(1) + "}" if m.group(1) else values[m.group(2)],
        task,
    )
