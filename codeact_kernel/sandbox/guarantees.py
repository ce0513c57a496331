"""What a sandbox does not guarantee, in plain words, and how to get it.

Rule: derived from a report, so only from what was seen. One sentence for what may happen, one for
what to do; no remedy is named that would not help on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codeact_kernel.sandbox.policy import MIB, Policy
from codeact_kernel.sandbox.report import Report, grade

_SCOPED_SIGNALS_ABI = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """`what` may happen; `remedy` is what to do about it, "" when nothing is to be done here."""

    what: str
    remedy: str = ""


def gaps(report: Report, policy: Policy) -> list[Gap]:
    """Everything this sandbox leaves open that a stronger one, or another setting, would not."""
    if report.backend == "none":
        return [
            Gap(
                what="Code can read, change and delete whatever you can, use the network and start "
                "programs that outlive the notebook.",
                remedy="Remove isolation = none from your configuration.",
            )
        ]
    return [
        *(_without_namespaces(report) if grade(report) == "landlock" else ()),
        *_workspace(report, policy),
        *_resources(report, policy),
        *_network(policy),
    ]


def namespaces_remedy() -> str:
    """What stands between this machine and namespaces, as an instruction."""
    if not any(os.access(f"{folder}/bwrap", os.X_OK) for folder in ("/usr/bin", "/usr/local/bin")):
        return "Install bubblewrap (on Debian or Ubuntu: apt install bubblewrap)."
    for name, bad, remedy in _SWITCHES:
        if _read(f"/proc/sys/{name}") == bad:
            return f"An administrator can allow it with: {remedy}"
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return (
            "Containers usually forbid it: start this one with --security-opt seccomp=unconfined "
            "--security-opt systempaths=unconfined, or rely on the container's own walls."
        )
    return "Run: bwrap --unshare-all --ro-bind / / true, and read why it fails."


_SWITCHES = (
    ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"),
    ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "an AppArmor profile for bwrap with the rule userns, "
        "or sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)


def _without_namespaces(report: Report) -> Iterator[Gap]:
    remedy = namespaces_remedy()
    yield Gap(
        what="Code can find out whether a file outside exists and how large it is, not what is in it.",
        remedy=remedy,
    )
    yield Gap(
        what="Scratch is a folder on disk, and there is no /dev/shm: Python's multiprocessing uses "
        "files in scratch instead, other programs that need it fail.",
        remedy=remedy,
    )
    yield Gap(
        what="Modes, times and attributes of files stay as they are, without an error: nothing else "
        "would keep code from changing those of your files outside.",
        remedy=remedy,
    )
    if report.uid == 0:
        yield Gap(
            what="Code runs with root's user id (without any capability).",
            remedy="Have Python and the notebook where every user may read them, or: " + remedy,
        )
    if report.landlock_abi < _SCOPED_SIGNALS_ABI:
        yield Gap(
            what="Code can send signals to other programs of the same user.",
            remedy="A Linux kernel from 6.12 on prevents it. " + remedy,
        )


def _workspace(report: Report, policy: Policy) -> Iterator[Gap]:
    if report.workspace == "none":
        return
    if report.workspace == "partly":
        yield Gap(
            what="In the notebook's folder code can change files and fill subfolders, but make no "
            "new file beside the notebook.",
            remedy=namespaces_remedy(),
        )
    elif report.workspace == "rw":
        yield Gap(
            what="Code can change and delete the files in the notebook's folder, except notebooks "
            f"and names that begin with a dot, and write up to {policy.disk_size // MIB} MB.",
            remedy="Set workspace_mode = ro if it need not write there.",
        )
    elif report.workspace == "cow":
        yield Gap(
            what="What code writes in the notebook's folder is staged on disk, outside the folder: "
            f"up to {policy.disk_size // MIB} MB.",
        )
    elif report.workspace == "ro" and policy.workspace_mode == "cow":
        why = report.staging or "no namespaces, or no place to stage in"
        yield Gap(
            what=f"The notebook's folder can be read but not written: what code writes cannot be "
            f"staged here ({why}). Code can write in its scratch folder ($HOME, $TMPDIR).",
            remedy="Set workspace_mode = rw to let code write there directly.",
        )
    elif report.workspace == "ro" and policy.workspace_mode == "rw":
        yield Gap(
            what="The notebook's folder can be read but not written: its owner cannot be mapped to "
            "the user that code runs as.",
            remedy="Start the kernel as the folder's owner, or keep it on ext4, xfs or btrfs.",
        )
    elif report.workspace != "ro":
        yield Gap(
            what=f"The notebook's folder cannot be read by the user that code runs as "
            f"({report.workspace}).",
            remedy="Start the kernel as the folder's owner.",
        )


def _network(policy: Policy) -> Iterator[Gap]:
    if policy.egress is not None:
        yield Gap(
            what=f"Code can send whatever it can read to {policy.egress}, "
            f"{policy.egress.bytes_in_all // MIB} MB in all.",
            remedy="Take out of allow_net what is not needed.",
        )


def _resources(report: Report, policy: Policy) -> Iterator[Gap]:
    if report.memory_guard == "watchdog":
        yield Gap(
            what=f"All processes together may use {policy.memory // MIB} MB; that is looked at every "
            "50 ms, so for a moment it may be more.",
            remedy="Where the kernel starts as root, or below a systemd session that hands on its "
            "control groups, the machine itself keeps the limit.",
        )
    if not report.landlock_abi:
        yield Gap(
            what="Only the mount namespace guards files; there is no second wall behind it.",
            remedy="A Linux kernel from 5.13 on with Landlock switched on adds it.",
        )


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
