"""What a sandbox that stands by was made for: a value that another one is compared with.

Rule: whatever a new sandbox would show, hide, allow or import is in it, so two that are equal are
the same to code. To find it out is to look at the notebook's folder: some milliseconds.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, fields, is_dataclass

from codeact_kernel.sandbox import visible, workspace
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.visible import Visible
from codeact_kernel.sandbox.workspace import Workspace

PRELOAD = ("numpy", "pandas", "matplotlib")
"""What nearly every notebook imports, and what takes longest; those that are installed."""
_INSTALLED = ("site-packages", "dist-packages")
_FILES = 2000
"""Source files of one package that are looked at; who edits more restarts the kernel twice."""

Times = tuple[tuple[str, int], ...]
"""Paths, and when each was last changed (ns)."""


@dataclass(frozen=True, slots=True)
class Made:
    """`area` is the staging area's device and inode. `installed`: each place packages are found in.
    `edited`: sources outside of these places."""

    policy: Policy
    seen: Visible
    folders: tuple[Workspace, ...]
    area: tuple[int, int] | None
    imports: tuple[str, ...]
    installed: Times
    edited: Times


def preload() -> tuple[str, ...]:
    """What of PRELOAD is installed."""
    return tuple(name for name in PRELOAD if importlib.util.find_spec(name) is not None)


def text(made: Made) -> str:
    """The same for equal ones, in whatever process. It holds what the policy holds, secrets too."""
    return json.dumps(_plain(made))


def _plain(value: object) -> object:
    if is_dataclass(value):
        return [
            type(value).__name__,
            *(_plain(getattr(value, each.name)) for each in fields(value)),
        ]
    if isinstance(value, Mapping):
        return sorted([str(key), _plain(each)] for key, each in value.items())
    if isinstance(value, Set):
        return sorted(map(str, value))
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value if isinstance(value, int | float | str | None) else repr(value)


def is_edited(name: str, since: float) -> bool:
    """Was a source file of this package, which is worked on in place, changed since?"""
    return any(changed > since * 1e9 for _, changed in _times(_sources(name)))


def wanted(policy: Policy, imports: tuple[str, ...]) -> Made | None:
    """What one that was started now, to import these, would be made for; None when nobody can tell."""
    homes = workspace.home_folders()
    try:
        seen = visible.environment(homes, os.getcwd())
        shown = workspace.examine(policy, homes, seen)
        mounts, _ = workspace.examine_mounts(policy, seen, shown)
        area = None if policy.staging is None else os.stat(policy.staging)
    except OSError:
        return None
    edited = tuple(_times(path for name in imports for path in _sources(name)))
    return Made(
        policy=policy,
        seen=seen,
        folders=(shown, *mounts),
        area=area and (area.st_dev, area.st_ino),
        imports=imports,
        installed=tuple(_times(seen.search)),
        edited=edited,
    )


def _sources(name: str) -> Iterator[str]:
    """The files of a package whose changes its folder's time does not tell: one being worked on."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return
    places = [] if spec is None else [*(spec.submodule_search_locations or [spec.origin or ""])]
    for place in places:
        if not any(part in _INSTALLED for part in place.split(os.sep)):
            yield from _files(place)


def _files(place: str) -> Iterator[str]:
    if os.path.isfile(place):
        yield place
    left = _FILES
    for folder, folders, names in os.walk(place):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for file in sorted(name for name in names if name.endswith((".py", ".so"))):
            left -= 1
            if left < 0:
                return
            yield os.path.join(folder, file)


def _times(paths: Iterable[str]) -> Iterator[tuple[str, int]]:
    for path in paths:
        try:
            yield path, os.stat(path).st_mtime_ns
        except OSError:
            continue
