"""What can stand where the cursor is in an agent cell's first line: words, options, their values.

Rule: known without the sandbox: a first line of ours is no Python. Where a task begins there is
nothing to complete. Names of models are read in a thread, and only when one is being typed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from codeact_kernel.kernel.cells.agent_options import APPROVALS
from codeact_kernel.kernel.channels.messages import Incoming

_LINE = re.compile(r"[ \t\n]*(%%?)agent([ \t].*)?$", re.ASCII)
_WORDS = ("continue", "help", "files", "trust display", "distrust display", "checkpoint", "rewind")
_OPTIONS = (
    "--model",
    "--steps",
    "--budget",
    "--approve",
    "--vision",
    "--no-vision",
    "--without",
    "--api-base",
)
_MOST = 300
_BARE = frozenset(("--vision", "--no-vision"))
"""Options that take no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """`matches` may each replace what is between `start` and the cursor, counted in characters."""

    start: int
    matches: tuple[str, ...]


class Completer:
    """Answers completions in first lines of agent cells. `names()` are models; it may be slow.
    `typed(code)` is told what is being written, in every cell."""

    def __init__(
        self,
        answer: Callable[[Incoming, dict[str, object]], None],
        names: Callable[[], Sequence[str]],
        typed: Callable[[str], None],
    ) -> None:
        self._answer = answer
        self._typed = typed
        self._names = names
        self._open: set[asyncio.Task[None]] = set()

    def takes(self, message: Incoming) -> bool:
        """Answer a complete_request when it is about an agent cell. Raises BadMessage."""
        content = message.read_content()
        code, cursor = content.get("code"), content.get("cursor_pos")
        if not isinstance(code, str) or type(cursor) is not int:
            return False
        self._typed(code)
        if complete(code, cursor) is None:
            return False
        task = asyncio.get_running_loop().create_task(self._complete(message, code, cursor))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        return True

    async def _complete(self, message: Incoming, code: str, cursor: int) -> None:
        names: Sequence[str] = ()
        if "--model" in code[:cursor]:
            names = await asyncio.to_thread(self._names)
        found = complete(code, cursor, names) or Completion(start=cursor, matches=())
        self._answer(
            message,
            {
                "status": "ok",
                "matches": list(found.matches[:_MOST]),
                "cursor_start": found.start,
                "cursor_end": cursor,
                "metadata": {},
            },
        )


def complete(code: str, cursor: int, models: Iterable[str] = ()) -> Completion | None:
    """What fits at the cursor; None when this is not the first line of an agent cell."""
    found = _LINE.match(code[:cursor])
    if found is None or found.group(2) is None:
        return None
    typed = found.group(2)
    *before, word = re.split(r"[ \t]+", typed)
    start = cursor - len(word)
    return Completion(start=start, matches=_matches(before[1:], word, found.group(1), models))


def _matches(before: list[str], word: str, magic: str, models: Iterable[str]) -> tuple[str, ...]:
    choices: Iterable[str]
    option = before[-1] if before and before[-1] in _OPTIONS else ""
    if option and option not in _BARE:
        choices = {"--model": models, "--approve": APPROVALS}.get(option, ())
    elif not _only_options(before):
        choices = ()
    elif before or word.startswith("-") or magic == "%%":
        choices = (each for each in _OPTIONS if each not in before)
    else:
        choices = (*_WORDS, *_OPTIONS)
    return tuple(dict.fromkeys(each for each in choices if each.startswith(word)))


def _only_options(words: list[str]) -> bool:
    """Whether everything so far is an option or the value of one: no task has begun."""
    takes = False
    for place, word in enumerate(words):
        if takes:
            takes = False
        elif word in _OPTIONS:
            takes = word not in _BARE
        elif not (word.startswith("--") and "=" in word) and not (
            place == 0 and word == "continue"
        ):
            return False
    return True
