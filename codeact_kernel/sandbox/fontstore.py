"""The font list on disk, outside: found by the next sandbox, kept after it was made.

Rule: what is kept came from inside a sandbox, so it is checked and bounded first. On the start
path: looking for it is one directory listing.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

_NAME = re.compile(r"fontlist-v[0-9.]{1,20}json")
_MAX_SIZE = 16 * 1024 * 1024


def find(state: Path | None) -> Path | None:
    """The list for this environment, when it was made before."""
    if state is None:
        return None
    try:
        names = sorted(filter(_NAME.fullmatch, os.listdir(_folder(state))))
    except OSError:
        return None
    return _folder(state) / names[-1] if names else None


def keep(state: Path, name: object, raw: bytes) -> Path | None:
    """Write a list where `find` looks, whole or not at all; None when it is not one. OSError."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return None
    if len(raw) > _MAX_SIZE or not _is_font_list(raw):
        return None
    folder = _folder(state)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{name}.{os.urandom(4).hex()}"
    unfinished.write_bytes(raw)
    unfinished.chmod(0o644)
    return unfinished.replace(folder / name)


def _is_font_list(raw: bytes) -> bool:
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return isinstance(values, dict) and values.get("__class__") == "FontManager"


def _folder(state: Path) -> Path:
    """One for each environment and Python version."""
    environment = sys.prefix.replace("%", "%25").replace("/", "%2F")[-200:]
    return state / "fonts" / f"{sys.version_info.major}.{sys.version_info.minor}-{environment}"
