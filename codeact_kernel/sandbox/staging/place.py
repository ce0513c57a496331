"""One staged change, put in the folder or taken back out of the layer.

Rule: nothing raises for what the layer or the folder holds; why it could not be done is a clause.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from codeact_kernel.sandbox.staging import layer
from codeact_kernel.sandbox.staging.apply import Refused, Tree
from codeact_kernel.sandbox.staging.layer import Change, Entry


def put(upper: Tree, tree: Tree, change: Change, *, told: bool) -> str:
    """Do to the folder what the change says; why not, "" when it is done.

    `told`: the user has decided about these very bytes, so no others are put in place.
    """
    return _attempt(lambda: _put(upper, tree, change, told))


def _put(upper: Tree, tree: Tree, change: Change, told: bool) -> None:
    path, entry = change.path, change.entry
    if change.act == "deleted":
        tree.delete(path)
        return
    if change.act == "replaced":
        if entry.kind == "folder" and entry.replaces and _is_folder(tree, path):
            tree.empty(path)
            return
        tree.delete(path)
    if entry.kind == "folder":
        tree.put_folder(path)
    elif entry.kind == "link":
        tree.put_link(path, upper.read_link(path))
    else:
        source = upper.open_file(path)
        try:
            tree.put_file(
                path,
                source,
                entry.mode,
                lambda: not told or layer.stamp(os.fstat(source)) == entry.stamp,
            )
        finally:
            os.close(source)


def restore(upper: Tree, tree: Tree, path: str) -> str:
    """The folder's content in the layer's file, so that code sees it again at once; why not."""

    def act() -> None:
        source = tree.open_file(path)
        try:
            upper.overwrite(path, source)
        finally:
            os.close(source)

    return _attempt(act)


def content(tree: Tree, path: str, most: int) -> bytes | None:
    """What is in a plain file; None when it is none, or has more than `most` bytes."""
    try:
        source = tree.open_file(path)
    except (OSError, Refused):
        return None
    with os.fdopen(source, "rb") as file:
        data = file.read(most + 1)
    return data if len(data) <= most else None


def remove(upper: Tree, path: str, entry: Entry) -> None:
    """Out of the layer. A folder that still holds something stays."""
    try:
        upper.remove(path, folder=entry.kind == "folder")
    except (OSError, Refused):
        return


def _attempt(act: Callable[[], None]) -> str:
    try:
        act()
    except Refused as reason:
        return str(reason)
    except OSError as error:
        return (error.strerror or type(error).__name__).lower()
    return ""


def kind(found: os.stat_result) -> str:
    """What lies in the folder: folder, file, link, other."""
    if stat.S_ISDIR(found.st_mode):
        return "folder"
    if stat.S_ISREG(found.st_mode):
        return "file"
    return "link" if stat.S_ISLNK(found.st_mode) else "other"


def _is_folder(tree: Tree, path: str) -> bool:
    found = tree.stat(path)
    return found is not None and stat.S_ISDIR(found.st_mode)
