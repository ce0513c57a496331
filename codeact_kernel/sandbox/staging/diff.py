"""What a staged change looks like: a line, and for text a unified diff.

Rule: content from inside is only read here, a bounded part of it, and shown with every control
character spelled out, so that neither a terminal nor a page obeys it.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Sequence

from codeact_kernel.sandbox.staging.apply import Refused, Tree
from codeact_kernel.sandbox.staging.layer import Change
from codeact_kernel.sandbox.staging.protected import is_protected

MAX_TEXT = 200_000
"""Bytes up to which a file is compared."""
MAX_LINES = 400
"""Lines of one diff that are shown."""
_MAX_COMPARED = 3000
_MAX_NAMES = 500
_MAX_TOLD = 5
_MAX_NAME = 80
_WORDS = {"created": "new", "changed": "changed", "deleted": "deleted", "replaced": "replaced"}


def listing(changes: Sequence[Change], folder: str, upper: str) -> str:
    """All changes, each with its diff. Raises OSError when folder or layer are gone."""
    parts: list[str] = []
    for change, lines in each(changes, folder, upper):
        parts.append(headline(change))
        parts += [f"    {line}" for line in lines]
    if len(changes) > _MAX_NAMES:
        parts.append(f"... and {len(changes) - _MAX_NAMES:,} more")
    return "\n".join(parts)


def each(changes: Sequence[Change], folder: str, upper: str) -> list[tuple[Change, list[str]]]:
    """The first changes with their diffs, as long as there is room. Raises OSError."""
    found: list[tuple[Change, list[str]]] = []
    with Tree(folder) as old, Tree(upper) as new:
        left = MAX_LINES * 10
        for change in changes[:_MAX_NAMES]:
            lines = compared(change, old, new) if left > 0 else []
            left -= len(lines)
            found.append((change, lines))
    return found


def summary(changes: Sequence[Change], quote: str = "") -> str:
    """The first paths, each between quotes, and how many more there are. A folder stands for its content."""
    folders = {f"{change.path}/" for change in changes if change.entry.kind == "folder"}
    paths = [c.path for c in changes if not any(c.path.startswith(folder) for folder in folders)]
    named = [f"{path}/" if f"{path}/" in folders else path for path in paths]
    told = [shown(name[-_MAX_NAME:]).replace(quote or "\0", "") for name in named[:_MAX_TOLD]]
    more = len(named) - len(told)
    listed = ", ".join(f"{quote}{name}{quote}" for name in told)
    return listed + (f" and {more:,} more" if more else "")


def headline(change: Change) -> str:
    """One line: what would happen to which path."""
    entry, word = change.entry, _WORDS[change.act]
    if change.act == "deleted":
        what = ""
    elif entry.kind == "folder":
        what = "folder" + (", without what was in it" if entry.replaces else "")
    else:
        what = entry.kind if entry.kind != "file" else f"{entry.size:,} bytes"
        if entry.kind == "file" and entry.mode & 0o111:
            what += ", can be run"
    if is_protected(change.path):
        what += ("; " if what else "") + "protected"
    return f"{word:<9}{shown(change.path)}" + (f"  ({what})" if what else "")


def compared(change: Change, old: Tree, new: Tree) -> list[str]:
    """The lines of the diff, or one that says why there is none; nothing for folders."""
    if change.entry.kind == "link":
        return [f"-> {shown(_link(new, change.path))}"]
    if change.entry.kind not in ("file", "deleted"):
        return []
    before = _text(old, change.path) if change.act != "created" else ""
    after = _text(new, change.path) if change.entry.kind == "file" else ""
    if before is None or after is None:
        return []
    return _unified(before.splitlines(), after.splitlines())


def shown(text: str) -> str:
    """Text with everything that is not simply seen spelled out."""
    return "".join(c if c == "\t" or _is_plain(c) else _spelled(c) for c in text)


def _unified(before: list[str], after: list[str]) -> list[str]:
    alike = (a == b for a, b in zip(before, after, strict=False))
    start = max(sum(1 for _ in itertools.takewhile(bool, alike)) - 3, 0)
    before, after = before[start:], after[start:]
    if max(len(before), len(after)) > _MAX_COMPARED:
        return [f"(lines from {start + 1} on differ: {len(before):,} before, {len(after):,} now)"]
    import difflib  # on nobody's start path

    lines = list(difflib.unified_diff(before, after, lineterm="", n=3))[2:]
    cut = [shown(line[:2000]) for line in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        cut.append(f"... {len(lines) - MAX_LINES:,} more lines")
    if start:
        cut.insert(0, f"(line numbers from line {start + 1} on)")
    return cut


def _text(tree: Tree, path: str) -> str | None:
    """A file as text; "" when there is none, None when it is no text or too large."""
    try:
        handle = tree.open_file(path)
    except FileNotFoundError:
        return ""
    except (OSError, Refused):
        return None
    with open(handle, "rb") as file:
        data = file.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT or b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _link(tree: Tree, path: str) -> str:
    try:
        return tree.read_link(path)
    except (OSError, Refused):
        return "?"


def _is_plain(char: str) -> bool:
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _spelled(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode()


def told(refused: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each path that was refused."""
    return [f"{shown(path)}: {reason}" for path, reason in refused]
