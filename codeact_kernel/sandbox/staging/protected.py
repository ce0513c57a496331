"""Names that are never put into a folder by themselves: what runs, or is opened, later unasked.

Rule: one list for every mode. It is about names anywhere in the workspace, there already or new.
"""

from __future__ import annotations

import fnmatch

NAMES = (
    ".*",  # dotfiles: .git and its hooks, .envrc, .pre-commit-config.yaml, .vscode, .ipython ...
    "*.ipynb",
    "*.pth",
    "sitecustomize.py",
    "usercustomize.py",
    "pyvenv.cfg",
    "__pycache__",
    "*.pyc",  # runs in place of the source beside it
    "jupyter*config.py",
    "jupyter*config.json",
    "ipython*config.py",
    "ipython*config.json",
    "*.code-workspace",
    "*.desktop",
)
"""Patterns of one part of a path, compared without regard to case."""


def is_protected(path: str) -> bool:
    """Whether any part of a path below the workspace has such a name."""
    return any(
        fnmatch.fnmatchcase(part, pattern)
        for part in path.casefold().split("/")
        for pattern in NAMES
    )
