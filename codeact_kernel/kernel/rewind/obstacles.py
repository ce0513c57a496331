"""What a checkpoint does not bring back, in words.

Rule: the sandbox tells facts (docs/wire.md), and they are data: kinds it may name, bounded numbers and
names without control characters. The sentences are made here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from codeact_kernel.trace.text import plain

_MOST = 16
_NAMES = 5
_LENGTH = 80

_STOPS: dict[str, tuple[str, str]] = {
    "threads": ("a thread is running", "{count} threads are running"),
    "pools": (
        "a thread of native code is running (a pool of OpenMP or the like)",
        "{count} threads of native code are running (a pool of OpenMP or the like)",
    ),
    "busy": ("code is still running", ""),
    "debugger": ("the debugger is attached", ""),
    "limit": ("there is no room for another process (settings processes, memory_mb)", ""),
    "failed": ("of a mistake in this kernel, which its log describes", ""),
}
"""Because of these there is no checkpoint: one, several."""
_STAYS: dict[str, tuple[str, str]] = {
    "processes": (
        "a program that code has started is running; going back ends it",
        "{count} programs that code has started are running; going back ends them",
    ),
    "files": (
        "a file is open for writing; what is in it stays as it is",
        "{count} files are open for writing; what is in them stays as it is",
    ),
    "sockets": (
        "a socket is open; what went through it is not taken back",
        "{count} sockets are open; what went through them is not taken back",
    ),
    "pipes": (
        "a pipe is open; what went through it is not taken back",
        "{count} ends of pipes are open; what went through them is not taken back",
    ),
}
"""These a checkpoint does not bring back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One fact. `stops`: there was no checkpoint because of it."""

    kind: str
    count: int = 1
    names: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        return self.kind in _STOPS

    def __str__(self) -> str:
        one, several = (_STOPS | _STAYS)[self.kind]
        words = several.format(count=self.count) if several and self.count > 1 else one
        if not self.names:
            return words
        more = ", …" if self.count > len(self.names) else ""
        first, _, rest = words.partition(";")
        return f"{first} ({', '.join(self.names)}{more}){';' if rest else ''}{rest}"


def read(value: Any) -> tuple[Obstacle, ...]:
    """What the sandbox says, each field checked."""
    found = []
    for each in (value if isinstance(value, list) else [])[:_MOST]:
        kind = each.get("kind") if isinstance(each, dict) else None
        if not isinstance(kind, str) or kind not in _STOPS | _STAYS:
            continue
        count, names = each.get("count"), each.get("names")
        found.append(
            Obstacle(
                kind=kind,
                count=min(count, 10**6) if type(count) is int and count > 0 else 1,
                names=tuple(_names(names if isinstance(names, list) else [])),
            )
        )
    return tuple(found)


def _names(names: Iterable[Any]) -> Iterable[str]:
    for name in list(names)[:_NAMES]:
        text = " ".join(plain(str(name)).split())[:_LENGTH]
        if text:
            yield text


def sentence(obstacles: Iterable[Obstacle]) -> str:
    """All of them, joined."""
    return "; ".join(str(each) for each in obstacles)
