"""bubblewrap: namespaces around the launcher, which adds Landlock, seccomp and limits itself.

As root it is run as root, so that it can mount what lies below private homes; the launcher keeps
just the capabilities to become somebody else, and loses them with the rest. Otherwise it makes a
user namespace. Rule: no mount is writable and without a size.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from codeact_kernel.sandbox import plan as plans
from codeact_kernel.sandbox.folder import ETC_STUBS
from codeact_kernel.sandbox.plan import Plan
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.visible import MACHINE, SYSTEM, is_below
from codeact_kernel.sandbox.workspace import Workspace

SCRATCH = "/scratch"
_STAGING = "/staging"
"""Where the launcher finds the layers of mode cow, and hides them."""
_FONT_LIST = "/etc/matplotlib-fonts.json"
_TMP = "/tmp"  # noqa: S108 - the one inside, a file system of its own
_NAMESPACES = ("ipc", "pid", "net", "uts")
_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_SYS_ADMIN")
"""For the launcher, as root: change user, empty the bounding set, swap the workspace's owner."""
_TO_STAGE = ("CAP_SETPCAP", "CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_CHOWN")
"""For the launcher, for mode cow: mount a layer, which works in it with the rights of who mounted."""


def unfit() -> str | None:
    """Why it cannot be tried here."""
    return None if program() else "bubblewrap (bwrap) is not installed"


def user(policy: Policy) -> int:
    """As root always somebody else: what that user cannot reach is mounted for it."""
    return plans.unprivileged_uid(policy)


def shortcomings(plan: Plan) -> Iterator[str]:
    """Nothing that could be known before it runs."""
    yield from ()


def program() -> str | None:
    """bwrap's path, from the absolute entries of PATH."""
    for folder in (*os.get_exec_path(), "/usr/bin", "/usr/local/bin"):
        path = os.path.join(folder, "bwrap")
        if folder.startswith("/") and os.access(path, os.X_OK):
            return path
    return None


def orders(plan: Plan) -> dict[str, Any]:
    """For the launcher."""
    return plans.orders(
        plan,
        scratch=SCRATCH,
        tmp=_TMP,
        font_list=_FONT_LIST,
        backend={
            "swap_owner": _swapped(plan),
            "grants": _grants(plan),
            "stage": _stage(plan) if plan.workspace.mode == "cow" else None,
        },
    )


def command(plan: Plan, launcher: list[str]) -> list[str]:
    """bwrap with its options, then the launcher."""
    return [program() or "bwrap", *options(plan), "--", *launcher]


def options(plan: Plan) -> list[str]:
    """What is shown and what is apart, in bwrap's words; `enclose.py` understands these."""
    return [
        *_isolation(plan),
        *_system(plan),
        *_parents(plan),
        *_etc(plan),
        *_environment(plan),
        *(option for shown in plan.folders for option in _folder(shown, plan)),
        *_layers(plan),
        *_devices(plan),
        "--remount-ro", "/dev",
        "--remount-ro", "/",
    ]  # fmt: skip


def _isolation(plan: Plan) -> list[str]:
    options = ["--die-with-parent", "--new-session", "--as-pid-1", "--hostname", "sandbox"]
    options += [f"--unshare-{name}" for name in _NAMESPACES]
    options += ["--unshare-cgroup-try", "--cap-drop", "ALL"]
    if not plan.drops:
        options += ["--unshare-user"]
    needed = set(_CAPABILITIES if plan.drops else ())
    needed.update(_TO_STAGE if plan.workspace.mode == "cow" else ())
    for capability in sorted(needed):
        options += ["--cap-add", capability]
    return options


def _system(plan: Plan) -> list[str]:
    policy = plan.policy
    options = _tmpfs(_TMP, policy.tmp_size, "1777") + _tmpfs(SCRATCH, policy.scratch_size, "0777")
    for path in SYSTEM:
        if os.path.islink(path):
            options += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            options += ["--ro-bind", path, path]
    options += ["--proc", "/proc", "--dev", "/dev"]
    return options + _tmpfs("/dev/shm", policy.tmp_size, "1777")  # noqa: S108


def _etc(plan: Plan) -> list[str]:
    options = []
    for path in MACHINE:
        if os.path.exists(path):
            options += ["--ro-bind", path, path]
    if plan.fonts:
        options += ["--ro-bind", plan.folder.fonts, _FONT_LIST]
    for name in ETC_STUBS:
        options += ["--ro-bind", plan.folder.etc(name), f"/etc/{name}"]
    return options


def _tmpfs(path: str, size: int, mode: str) -> list[str]:
    return ["--perms", mode, "--size", str(size), "--tmpfs", path]


def _parents(plan: Plan) -> list[str]:
    """Folders on the way to what is mounted, open to all: bwrap's own would be root's alone."""
    shown = [*MACHINE, *plan.visible.paths, *(folder.path or "/" for folder in plan.folders)]
    parents = set()
    for path in shown:
        while (path := os.path.dirname(path)) not in ("/", "/dev"):
            parents.add(path)
    return [part for path in sorted(parents) for part in ("--perms", "0755", "--dir", path)]


def _environment(plan: Plan) -> list[str]:
    """The Python environment; what lies in the workspace is mounted after that."""
    above = [path for path in plan.visible.paths if not _in_folders(path, plan)]
    return [part for path in above for part in ("--ro-bind", os.path.realpath(path), path)]


def _folder(shown: Workspace, plan: Plan) -> list[str]:
    """A folder of the user's, then what in it is protected from being written, then what is hidden."""
    if shown.path is None:
        return []
    options = ["--bind" if shown.mode == "rw" else "--ro-bind", shown.path, shown.path]
    for path in shown.kept:
        options += ["--ro-bind", path, path]
    for path in plan.visible.paths:
        if is_below(path, shown.path) and path != shown.path:
            options += ["--ro-bind", os.path.realpath(path), path]
    for path in shown.masked:
        blank = plan.folder.blank_folder if os.path.isdir(path) else plan.folder.blank_file
        options += ["--ro-bind", blank, path]
    return options


def _layers(plan: Plan) -> list[str]:
    """For mode cow, what the launcher puts together: the folder alone, the area, the blanks."""
    shown = plan.workspace
    if shown.path is None or shown.mode != "cow":
        return []
    return [
        "--ro-bind", shown.path, f"{_STAGING}/lower",
        "--bind", str(plan.policy.staging), f"{_STAGING}/area",
        "--ro-bind", plan.folder.blank_file, f"{_STAGING}/blank",
        "--ro-bind", plan.folder.blank_folder, f"{_STAGING}/blank.d",
    ]  # fmt: skip


def _stage(plan: Plan) -> dict[str, Any]:
    """Orders for `layers.overlay`."""
    shown = plan.workspace
    path = shown.path or ""
    kept = [name for name in shown.kept if name not in shown.masked]
    covers = [(f"{_STAGING}/lower{name.removeprefix(path)}", name) for name in kept]
    for name in shown.masked:
        covers.append((f"{_STAGING}/blank{'.d' if os.path.isdir(name) else ''}", name))
    return {
        "nested": not plan.drops,
        "path": path,
        "place": _STAGING,
        "lower": f"{_STAGING}/lower",
        "area": f"{_STAGING}/area",
        "mark": shown.marks[path],
        "covers": covers,
    }


def _devices(plan: Plan) -> list[str]:
    return [part for path, _ in plan.devices for part in ("--dev-bind", path, path)]


def _in_folders(path: str, plan: Plan) -> bool:
    return any(folder.path and is_below(path, folder.path) for folder in plan.folders)


def _swapped(plan: Plan) -> list[tuple[str, int, int]]:
    """As root: folders whose owner must look like the sandbox's user for it to get in."""
    if not plan.drops:
        return []
    swapped = []
    for folder in plan.folders:
        if folder.path is not None:
            swapped.append((folder.path, *folder.owner))
    if plan.workspace.mode == "cow":
        swapped.append((f"{_STAGING}/lower", *plan.workspace.owner))
    for path in plan.visible.paths:
        found = os.stat(path)
        if not _in_folders(path, plan) and not _open_to_all(found.st_mode):
            swapped.append((path, found.st_uid, found.st_gid))
    return swapped


def _open_to_all(mode: int) -> bool:
    needed = 0o005 if stat.S_ISDIR(mode) else 0o004
    return mode & needed == needed


def _grants(plan: Plan) -> list[tuple[str, str]]:
    writable = [_TMP, SCRATCH, "/dev/shm"]  # noqa: S108
    if plan.workspace.path is not None and plan.workspace.mode != "ro":
        writable.append(plan.workspace.path)
    writable += [folder.path for folder in plan.mounts if folder.path and folder.mode == "rw"]
    devices = ("null", "zero", "full", "random", "urandom", "ptmx", "pts")
    return [
        ("/", "read"),
        *((path, "write") for path in writable),
        *((f"/dev/{name}", "device") for name in devices),
        *((path, "device") for path, writable in plan.devices if writable),
    ]
