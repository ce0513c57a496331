"""Landlock, seccomp and limits alone, where no namespaces can be had.

Files, sockets and programs outside are out of reach all the same. What it cannot do is said in the
report: hide names, give a /dev/shm, protect one file in a writable folder.
Rule: Landlock only ever adds, so a folder with protected entries is granted entry by entry.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from codeact_kernel.sandbox import plan as plans
from codeact_kernel.sandbox import visible as visibles
from codeact_kernel.sandbox import workspace as workspaces
from codeact_kernel.sandbox.layers import landlock
from codeact_kernel.sandbox.plan import Plan
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.workspace import Workspace

Grant = tuple[str, str]

_DEVICES = ("null", "zero", "full", "random", "urandom")
_SYS = (
    "devices/system/cpu/online", "devices/system/cpu/possible", "devices/system/cpu/present",
    "fs/cgroup/cpu.max", "fs/cgroup/memory.max", "fs/cgroup/cpuset.cpus.effective",
    "fs/cgroup/cpu/cpu.cfs_quota_us", "fs/cgroup/cpu/cpu.cfs_period_us", "fs/cgroup/cpu/cpu.shares",
    "fs/cgroup/memory/memory.limit_in_bytes", "fs/cgroup/cpuset/cpuset.cpus",
)  # fmt: skip
"""How much of the machine there is. Programs see that they are there, and fail when they cannot read them."""
_FRESH = "worker/fresh"
"""What a Python that code starts finds first: locks of multiprocessing, without /dev/shm."""
_PROC = ("self", "cpuinfo", "meminfo", "stat", "version", "filesystems", "loadavg", "sys/vm")


def unfit() -> str | None:
    """Why it cannot be tried here."""
    return None if landlock.abi() else "this Linux kernel has no Landlock"


def user(policy: Policy) -> int:
    """As root somebody else, but only where that user could get to the interpreter and the folders."""
    uid = plans.unprivileged_uid(policy)
    if uid == os.getuid():
        return uid
    shown = visibles.environment(workspaces.home_folders(), os.getcwd()).paths
    folders = [policy.runtime, policy.workspace, *(mount.path for mount in policy.mounts)]
    theirs = [str(folder) for folder in folders if folder is not None and os.path.isdir(folder)]
    return uid if all(map(_reachable, (*shown, *theirs))) else os.getuid()


def orders(plan: Plan) -> dict[str, Any]:
    """For the launcher."""
    scratch = plan.folder.scratch
    orders = plans.orders(
        plan,
        scratch=scratch,
        tmp=scratch,
        font_list=plan.folder.fonts,
        backend={
            "guard": True,
            "shared": True,
            "count_tasks": not plan.drops,
            "grants": [*_environment(plan), (scratch, "write"), *_users(plan)],
        },
    )
    orders["environment"].update(_variables())
    orders["look"]["masked"] = [p for folder in plan.folders for p in _hidden_files(folder)]
    return orders


def _variables() -> dict[str, str]:
    """For programs that would else fail at what is not granted here."""
    return {
        "PYTHONPATH": os.path.join(visibles.package_folder(), _FRESH),
        "GIT_CONFIG_NOSYSTEM": "1",  # where there is a file of the machine's, git ends if it may not read it
        "TAR_OPTIONS": "--no-same-owner",  # as root it would else, and fail
    }


def command(plan: Plan, launcher: list[str]) -> list[str]:
    """The launcher alone: it is its own guardian's child."""
    return launcher


def shortcomings(plan: Plan) -> Iterator[str]:
    """What this plan cannot give without namespaces, for the report."""
    shown = plan.workspace
    if shown.path and shown.mode == "rw" and (shown.kept or shown.masked):
        yield (
            f"New files can be made in folders below {shown.path} that hold nothing protected, but not "
            "beside the notebook: without namespaces it could not be protected otherwise."
        )
    if shown.path and shown.mode == "cow":
        yield (
            f"{shown.path} is read-only for code: without namespaces what it writes cannot be staged. "
            "It can write below $HOME and $TMPDIR."
        )
    if plan.uid == 0:
        yield (
            "Python or the notebook's folder lies below a folder that only root may enter, so code runs "
            "with root's user id (without any capability)."
        )


def _environment(plan: Plan) -> Iterator[Grant]:
    for path in (*visibles.SYSTEM, *visibles.MACHINE, *plan.visible.paths):
        if os.path.exists(path):
            yield os.path.realpath(path), "read"
    for name in _PROC:
        yield f"/proc/{name}", "read"
    for name in _SYS:
        yield os.path.realpath(f"/sys/{name}"), "read"
    for name in _DEVICES:
        yield f"/dev/{name}", "device"
    if plan.fonts:
        yield plan.folder.fonts, "read"


def _users(plan: Plan) -> Iterator[Grant]:
    """The user's folders and devices."""
    for folder in plan.folders:
        yield from _workspace(folder)
    for path, writable in plan.devices:
        yield os.path.realpath(path), "device" if writable else "read"


def _workspace(shown: Workspace) -> Iterator[Grant]:
    if shown.path is None:
        return
    kind = "write" if shown.mode == "rw" else "read"
    apart = {*shown.masked, *shown.kept}
    waiting = [shown.path]
    while waiting:
        folder = waiting.pop()
        if not any(visibles.is_below(path, folder) for path in apart):
            yield folder, kind
            continue
        yield folder, "list"
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink() or entry.path in shown.masked:
                    continue
                if entry.path in shown.kept:
                    yield entry.path, "read"
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    yield entry.path, kind


def _hidden_files(shown: Workspace) -> Iterator[str]:
    """Files the self-test must not be able to open; a hidden folder's names cannot be hidden."""
    for path in shown.masked:
        if os.path.isdir(path):
            with os.scandir(path) as entries:
                yield from [entry.path for entry in entries if entry.is_file()][:3]
        else:
            yield path


def _reachable(path: str) -> bool:
    """Could any user read this, as far as file permissions go?"""
    path = os.path.realpath(path)
    mode = os.stat(path).st_mode
    needed = 0o005 if stat.S_ISDIR(mode) else 0o004
    if mode & needed != needed:
        return False
    while (path := os.path.dirname(path)) != "/":
        if not os.stat(path).st_mode & 0o001:
            return False
    return True
