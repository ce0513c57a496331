"""Files of the workspace as they were at a checkpoint: what to delete, what to write.

Rule: whatever cannot be done is named and the rest is done; the outer kernel looks again afterwards.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable
from typing import Any


def put_back(arguments: dict[str, Any]) -> dict[str, Any]:
    """The answer to the query of this name."""
    delete, write = arguments["delete"], arguments["write"]
    failed = [path for path in sorted(delete, reverse=True) if not _done(_delete, path)]
    failed += [each["path"] for each in write if not _done(_write, each)]
    return {"failed": _strings(failed)}


def _done(act: Callable[[Any], None], what: Any) -> bool:
    try:
        act(what)
    except (OSError, ValueError):
        return False
    return True


def _delete(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        os.rmdir(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _write(each: dict[str, Any]) -> None:
    path = each["path"]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.islink(path):
        os.unlink(path)
    with open(path, "wb") as file:
        file.write(base64.b64decode(each["base64"]))
    os.chmod(path, each["mode"])


def _strings(paths: Iterable[Any]) -> list[str]:
    return [str(path) for path in paths]
