"""Further folders and devices, which only the user's own configuration names.

Rule: each is read-only unless it says otherwise. A folder is looked at as the workspace is: secrets
in it are hidden, what runs later by itself stays read-only, links are not followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from codeact_kernel.errors import SettingsError

_NEVER = ("/proc", "/sys", "/dev", "/scratch", "/staging")
_OURS = ("/", "/tmp", "/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64")  # noqa: S108


@dataclass(frozen=True, slots=True)
class Mount:
    """A path that is shown beside the workspace."""

    path: str
    writable: bool = False
    device: bool = False

    def __str__(self) -> str:
        return f"{self.path} ({'rw' if self.writable else 'ro'})"


def parse(folders: Iterable[str], devices: Iterable[str]) -> tuple[Mount, ...]:
    """The settings `mounts` and `devices`: PATH, PATH:ro or PATH:rw each. Raises SettingsError."""
    return (
        *(_parsed("mounts", text, device=False) for text in folders),
        *(_parsed("devices", text, device=True) for text in devices),
    )


def _parsed(name: str, text: str, *, device: bool) -> Mount:
    path, colon, mode = text.rpartition(":")
    if not colon or "/" in mode:
        path, mode = text, "ro"
    if mode not in ("ro", "rw"):
        raise SettingsError(f"{name}: the mode of {path} must be ro or rw, not {mode[:40]!r}.")
    path = os.path.normpath(os.path.expanduser(path))
    if not path.startswith("/"):
        raise SettingsError(f"{name}: {path[:200]!r} must be an absolute path.")
    if device != _is_below(path, ("/dev",)) or path == "/dev":
        where = "below /dev" if device else "elsewhere than /dev; devices are named in `devices`"
        raise SettingsError(f"{name}: {path} must be {where}.")
    if path in _OURS or (not device and _is_below(path, _NEVER)):
        raise SettingsError(f"{name}: {path} is the system's and cannot be shown to code.")
    return Mount(path, mode == "rw", device)


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
