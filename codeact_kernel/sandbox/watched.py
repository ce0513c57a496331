"""What of one sandbox is watched from outside: which gauges its backend leaves to us.

Rule: a limit that the kernel keeps is only read; what it does not keep is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from codeact_kernel.sandbox import usage
from codeact_kernel.sandbox.disk import Quota
from codeact_kernel.sandbox.ended import Ended
from codeact_kernel.sandbox.gauges import Crowd, Gauge, GroupMemory, Inodes, TreeMemory
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.report import Report
from codeact_kernel.sandbox.spawn import Spawned
from codeact_kernel.sandbox.watch import Watch

_IN_MEMORY = ("/scratch", "/tmp", "/dev/shm")  # noqa: S108 - those inside
_SELDOM = {"cgroup": 1.0, "watchdog": 0.25}
"""Nothing is lost by looking late where the kernel keeps the limit."""


def watch(spawned: Spawned, report: Report, over: Callable[[Ended], None]) -> Watch:
    """Begin to watch; without walls nothing is limited and nothing watched."""
    if report.memory_guard == "none":
        return Watch((), over, seldom=1.0)
    gauges = (*_memory(spawned, report), *_disk(spawned, report))
    return Watch(gauges, over, seldom=_SELDOM[report.memory_guard])


def _memory(spawned: Spawned, report: Report) -> Iterator[Gauge]:
    policy, group = spawned.policy, spawned.group
    pids = _pids(spawned)
    if report.memory_guard == "cgroup" and group is not None:
        yield GroupMemory(group, policy.memory)
        yield Crowd(pids, group.tasks, policy.processes)
    else:
        yield TreeMemory(pids, policy.memory)
        yield Crowd(pids, lambda: None, policy.processes)


def _disk(spawned: Spawned, report: Report) -> Iterator[Gauge]:
    policy = spawned.policy
    if "mnt" in report.namespaces:
        yield Inodes(_root(spawned), _IN_MEMORY, policy.disk_files)
    else:
        yield Quota(
            spawned.folder.scratch,
            "its temporary folders",
            size=policy.scratch_size,
            files=policy.disk_files,
            since=0.0,
            pids=_pids(spawned),
        )
    for path, place, since in _written_to(policy, report):
        yield Quota(
            path,
            place,
            size=policy.disk_size,
            files=policy.disk_files,
            since=since,
            pids=_pids(spawned),
        )


def _written_to(policy: Policy, report: Report) -> Iterator[tuple[str, str, float]]:
    """Folders on disk, what they are called, since when what changed there is code's doing."""
    now = time.time() - 1
    if policy.workspace is not None and report.workspace in ("rw", "partly"):
        yield str(policy.workspace.resolve()), "the notebook's folder", now
    elif policy.staging is not None and report.workspace == "cow":
        yield f"{policy.staging}/upper", "the notebook's folder", 0.0
    for mount in policy.mounts:
        if mount.writable and not mount.device:
            yield mount.path, mount.path, now


def _pids(spawned: Spawned) -> Callable[[], list[int]]:
    return lambda: usage.tree(spawned.process.pid)


def _root(spawned: Spawned) -> Callable[[], str | None]:
    """The file system inside, by the first process there: ours, so what is mounted is what we mounted."""
    found: list[str] = []

    def root() -> str | None:
        if not found:
            tree = usage.tree(spawned.process.pid)
            first = spawned.outside
            found.extend(f"/proc/{pid}/root" for pid in tree[first : first + 1])
        return found[0] if found else None

    return root
