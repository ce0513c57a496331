"""The user's folder, looked at before it is shown: is it fit, what in it is kept from whom.

Rule: no link is followed. What is found is remembered by device and inode, so that the self-test
notices when a name leads somewhere else by the time it is mounted.
"""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass, field

from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.unasked import runs_unasked
from codeact_kernel.sandbox.visible import Visible, is_below, is_imported

SECRETS = frozenset((
    ".env", ".envrc", ".netrc", ".pgpass", ".my.cnf", ".npmrc", ".pypirc", ".ssh", ".aws", ".azure",
    ".boto", ".s3cfg", ".gcloud", ".gnupg", ".kube", ".docker", ".config",
    ".git-credentials", ".vault-token", ".terraformrc", ".databrickscfg", ".kaggle", ".huggingface",
    ".snowflake", ".streamlit", ".jupyter", ".ipython", ".password-store",
    "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519",
))  # fmt: skip
SECRET_BEGINNINGS = (".env.", ".yarnrc", ".secrets")
"""Names that hold passwords and keys, and how such names begin. Nobody inside reads them, wherever
in the folder they lie. Not patterns: to compile thirty takes as long as to look at the folder."""

_SYSTEM = ("/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/run", "/sbin", "/sys", "/usr")
_SHARED = ("/", "/tmp", "/var", "/var/tmp", "/home", "/mnt", "/media", "/opt", "/srv")  # noqa: S108
_SKIPPED = ("node_modules", "site-packages", "__pycache__")
_DEPTH = 4
_BUDGET = 5000
"""Entries looked at when searching for secrets: a few milliseconds."""
_MOST_KEPT = 200
"""Each is a mount."""

_MOVE = "Move it into a folder of its own, or name one with the setting `workspace`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """`masked` and `kept` are paths below `path`: unreadable, and read-only unless all of it is."""

    path: str | None = None
    mode: str = "ro"
    """ro, rw, or cow."""
    owner: tuple[int, int] = (0, 0)
    masked: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    marks: dict[str, list[int]] = field(default_factory=dict)
    """[device, inode] of the folder and of everything in `kept`."""
    notes: tuple[str, ...] = ()


def examine(policy: Policy, homes: tuple[str, ...], visible: Visible) -> Workspace:
    """The folder as it will be shown; without a path when it must not be.

    Nowhere that the outside imports from, which `visible` knows, may code leave a module.
    """
    if policy.workspace is None:
        return Workspace()
    path = os.path.realpath(policy.workspace)
    if reason := _unfit(path, homes, os.path.realpath(policy.runtime)):
        return Workspace(notes=(reason,))
    found = os.stat(path, follow_symlinks=False)
    masked, unasked, complete = _search(path)
    notes = []
    mode = policy.workspace_mode
    if mode == "cow" and policy.staging is None:
        mode = "ro"
    if mode != "ro" and is_imported(path, visible):
        mode = "ro"
        notes.append(
            f"{path} is read-only for code, because the kernel itself imports modules from there."
        )
    kept, links = _protected(path) if mode != "ro" else ([], [])
    unasked = unasked if mode == "rw" else []  # in a copy they are only not put in place
    kept = sorted(
        {*kept, *unasked, *(_installed(path, visible) if mode != "ro" else ())} - {*masked}
    )
    if mode == "cow":
        links = []  # they can be replaced in the copy only
    notes += [f"{link} is a link and cannot be protected from being replaced." for link in links]
    if not complete:
        notes.append(
            f"{path} is large: files with passwords (.env ...) were searched for in a part of it only."
        )
    return Workspace(
        path=path,
        mode=mode,
        owner=(found.st_uid, found.st_gid),
        masked=tuple(masked),
        kept=tuple(kept),
        marks={name: mark for name in (path, *kept) if (mark := _mark(name))},
        notes=tuple(notes),
    )


def examine_mounts(
    policy: Policy, visible: Visible, shown: Workspace
) -> tuple[tuple[Workspace, ...], tuple[str, ...]]:
    """The user's further folders as they will be shown, and sentences about those that will not."""
    found: list[Workspace] = []
    notes: list[str] = []
    for mount in policy.mounts:
        path = os.path.realpath(mount.path)
        others = [place.path for place in (shown, *found) if place.path]
        if mount.device:
            if not os.path.exists(path):
                notes.append(f"{mount.path} does not exist, so it is not shown to code.")
        elif not os.path.isdir(path):
            notes.append(f"{mount.path} is no folder, so it is not shown to code.")
        elif any(is_below(path, other) or is_below(other, path) for other in others):
            notes.append(f"{path} overlaps another folder that is shown, so it is not shown apart.")
        else:
            writable = mount.writable and not is_imported(path, visible)
            found.append(_mount(path, "rw" if writable else "ro", visible))
    return tuple(found), tuple(notes)


def _mount(path: str, mode: str, visible: Visible) -> Workspace:
    masked, unasked, _ = _search(path)
    kept = {*_protected(path)[0], *unasked, *_installed(path, visible)} if mode == "rw" else set()
    left = tuple(sorted(kept - set(masked)))
    owner = os.stat(path)
    return Workspace(
        path=path,
        mode=mode,
        owner=(owner.st_uid, owner.st_gid),
        masked=tuple(masked),
        kept=left,
        marks={name: mark for name in (path, *left) if (mark := _mark(name))},
    )


def _unfit(path: str, homes: tuple[str, ...], runtime: str) -> str | None:
    """Why this folder cannot be shown, as a sentence; None when it can."""
    if not os.path.isdir(path):
        return f"The folder {path} does not exist, so code runs without a workspace."
    for home in map(os.path.realpath, homes):
        if is_below(home, path):
            where = "your home folder" if path == home else f"{path}, above your home folder"
            return f"The notebook lies in {where}, which is not shown to code. {_MOVE}"
    if path in _SHARED or path == runtime or any(is_below(path, folder) for folder in _SYSTEM):
        return f"The notebook lies in {path}, which belongs to the system and is not shown to code. {_MOVE}"
    if not os.access(path, os.R_OK | os.X_OK):
        return f"The folder {path} cannot be read, so code runs without a workspace."
    try:
        owner_home = pwd.getpwuid(os.stat(path).st_uid).pw_dir
    except KeyError:
        return None
    if owner_home != "/" and os.path.realpath(owner_home) == path:
        return f"The notebook lies in {path}, a home folder, which is not shown to code. {_MOVE}"
    return None


def _protected(path: str) -> tuple[list[str], list[str]]:
    """What exists at the top and runs or opens later by itself; and such names that are links."""
    kept: list[str] = []
    links: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and not entry.name.endswith(".ipynb"):
                continue
            if entry.is_symlink():
                links.append(entry.path)
            elif entry.is_file() or entry.is_dir():  # a pipe would block who mounts it
                kept.append(entry.path)
    return sorted(kept), sorted(links)


def _installed(path: str, visible: Visible) -> list[str]:
    """What in the folder the outside imports from: a venv, the source of an editable install."""
    inside = (name for name in visible.paths if name != path and is_below(name, path))
    return [name for name in inside if not os.path.islink(name)]


def _search(path: str) -> tuple[list[str], list[str], bool]:
    """Files and folders named like a secret, those that run unasked; False when there was too much
    to look at it all."""
    found: list[str] = []
    unasked: list[str] = []
    waiting = [(path, 0)]
    seen = 0
    complete = True
    while waiting:
        folder, depth = waiting.pop(0)
        for entry in _entries(folder):
            seen += 1
            if not entry.is_file(follow_symlinks=False) and not entry.is_dir(follow_symlinks=False):
                continue
            if entry.name in SECRETS or entry.name.startswith(SECRET_BEGINNINGS):
                found.append(entry.path)
                continue
            if runs_unasked(entry.name) and len(unasked) < _MOST_KEPT:
                unasked.append(entry.path)
            if entry.is_dir(follow_symlinks=False) and entry.name not in _SKIPPED:
                if depth < _DEPTH and seen < _BUDGET:
                    waiting.append((entry.path, depth + 1))
                else:
                    complete = False
    return sorted(found), sorted(unasked), complete


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return


def _mark(path: str) -> list[int] | None:
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return [found.st_dev, found.st_ino]


def home_folders() -> tuple[str, ...]:
    """The user's home, as the session and as the account have it; they may differ, or be missing."""
    found = [os.path.expanduser("~")]
    with contextlib.suppress(KeyError):  # a user without an account, as containers have them
        found.append(pwd.getpwuid(os.getuid()).pw_dir)
    return tuple(dict.fromkeys(home for home in found if home.startswith("/")))
