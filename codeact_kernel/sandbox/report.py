"""What the self-test saw, judged: the report, its grade, the demands it does not meet.

Rule: the report is data from inside. Every field is checked when it is read, and nothing is added
to it that was not seen; what was asked for plays a part only in `verify`, which compares.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from codeact_kernel.errors import SandboxRefused
from codeact_kernel.sandbox import plan as plans
from codeact_kernel.sandbox.policy import Policy

GRADES = ("vm", "gvisor", "namespaces", "landlock", "none")
"""Strongest first."""

_WALLS = ("mnt", "pid", "net", "ipc", "uts")
_DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One sandbox as seen from inside. An attempt is "done" or the errno that refused it."""

    backend: str
    uid: int
    gid: int
    seccomp: int
    """2: a filter is on."""
    no_new_privs: bool
    capabilities: dict[str, int]
    landlock_abi: int
    """0: Landlock is not in force."""
    namespaces: tuple[str, ...]
    """Those that are not the outer's."""
    sockets: dict[str, str]
    """By address family: could one be opened?"""
    network: dict[str, str] = field(default_factory=dict)
    """Where the policy has an allowlist: could the proxy, and anything else, be reached?"""
    canary: str
    """Could a file outside, open to everybody, be read?"""
    writes: dict[str, str]
    """By folder outside: could a file be made there?"""
    scratch: str
    workspace: str
    """One of none, ro, rw, cow (writes are staged), partly (only entries of it can be written), or
    the errno listing gave."""
    staging: str = ""
    """Was the layer that takes the writes mounted? "" when it was not asked for."""
    swapped: tuple[str, ...]
    """Paths that are no longer the files they were when they were looked at outside."""
    unreadable: dict[str, str]
    """Hidden files and folders: could they be opened?"""
    interfaces: tuple[str, ...] | None
    """Network interfaces beside the loopback; None: cannot be listed."""
    processes: int | None
    """Other processes that can be seen; None: cannot be listed."""
    limits: dict[str, int]
    tmp_size: int
    environment: tuple[str, ...]
    descriptors: tuple[int, ...] | None
    new_namespace: str
    python: str
    memory_guard: str = "none"
    """Who keeps all processes together to their memory: cgroup, watchdog, or none. Seen outside."""
    notes: tuple[str, ...] = ()
    """Sentences for the user about what is not shown inside."""

    def to_json(self) -> dict[str, Any]:
        """JSON values, with the grade."""
        return {"grade": grade(self), **asdict(self)}


def read(
    raw: bytes | bytearray, backend: str, notes: tuple[str, ...] = (), memory_guard: str = "none"
) -> Report:
    """The report of a `selftest` frame. Raises SandboxRefused when it is not one."""
    try:
        values = json.loads(raw)
        inodes = _table(values, "namespaces", int)
        return Report(
            backend=backend,
            uid=_one(values, "uid", int),
            gid=_one(values, "gid", int),
            seccomp=_one(values, "seccomp", int),
            no_new_privs=_one(values, "no_new_privs", bool),
            capabilities=_table(values, "capabilities", int),
            landlock_abi=_one(values, "landlock_abi", int),
            namespaces=tuple(_own(inodes)),
            sockets=_table(values, "sockets", str),
            network=_table(values, "network", str),
            canary=_one(values, "canary", str),
            writes=_table(values, "writes", str),
            scratch=_one(values, "scratch", str),
            workspace=_one(values, "workspace", str),
            staging=_one(values, "staging", str),
            swapped=_list(values, "swapped", str),
            unreadable=_table(values, "unreadable", str),
            interfaces=None if values["interfaces"] is None else _list(values, "interfaces", str),
            processes=None if values["processes"] is None else _one(values, "processes", int),
            limits=_table(values, "limits", int),
            tmp_size=_one(values, "tmp_size", int),
            environment=_list(values, "environment", str),
            descriptors=None
            if values["descriptors"] is None
            else _list(values, "descriptors", int),
            new_namespace=_one(values, "new_namespace", str),
            python=_one(values, "python", str),
            memory_guard=memory_guard,
            notes=notes,
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SandboxRefused(
            f"The sandbox's self-test cannot be read ({error}), so it is not used."
        ) from error


def grade(report: Report) -> str:
    """One of GRADES, from what was seen alone."""
    if any(_open_doors(report)):
        return "none"
    if not any(_missing_namespaces(report)):
        return "namespaces"
    return "landlock" if report.landlock_abi else "none"


def verify(report: Report, policy: Policy) -> list[str]:
    """The policy's demands that are not met, as clauses; empty: the sandbox may be used."""
    unmet = list(_unclean(report))
    if policy.isolation == "none":
        return unmet
    unmet += _open_doors(report)
    unmet += _network(report, policy)
    unmet += _loose_limits(report, policy)
    if policy.isolation == "namespaces" or report.backend in ("bubblewrap", "namespaces"):
        unmet += _missing_namespaces(report)
    elif not report.landlock_abi:
        unmet.append("Landlock is not in force")
    if policy.workspace_mode != "rw" and report.workspace in ("rw", "partly"):
        unmet.append("the workspace can be written")
    if policy.workspace_mode == "ro" and report.workspace == "cow":
        unmet.append("the workspace takes writes")
    return unmet


def _open_doors(report: Report) -> Iterator[str]:
    """What must hold in every grade but "none"."""
    if report.seccomp != 2:
        yield "no system call filter is on"
    if not report.no_new_privs:
        yield "programs can gain privileges"
    held = [name for name, bits in report.capabilities.items() if bits and name != "CapBnd"]
    if held or (report.uid == 0 and report.capabilities.get("CapBnd", -1)):
        yield f"capabilities are left ({', '.join(held) or 'CapBnd'})"
    for family, result in report.sockets.items():
        if result == _DONE and not (family == "inet" and _leads_to_proxy_only(report)):
            yield f"a socket of family {family} can be opened"
    if not report.sockets:
        yield "no socket was tried"
    if report.canary == _DONE:
        yield "a file outside can be read"
    for folder, result in report.writes.items():
        if result == _DONE:
            yield f"{folder} can be written"
    for path, result in report.unreadable.items():
        if result == _DONE:
            yield f"{path} can be read"
    for path in report.swapped:
        yield f"{path} was replaced while the sandbox started"
    if report.new_namespace == _DONE:
        yield "new namespaces can be made"


def _leads_to_proxy_only(report: Report) -> bool:
    others = [result for place, result in report.network.items() if place != "proxy"]
    alone = "net" in report.namespaces and report.interfaces == ()
    return alone and bool(others) and _DONE not in others


def _network(report: Report, policy: Policy) -> Iterator[str]:
    if policy.egress is None:
        if report.sockets.get("inet") == _DONE:
            yield "a socket can be opened although no host is allowed"
    elif report.network.get("proxy") != _DONE:
        yield f"the network proxy cannot be reached ({report.network.get('proxy')})"


def _missing_namespaces(report: Report) -> Iterator[str]:
    for kind in _WALLS:
        if kind not in report.namespaces:
            yield f"the {kind} namespace is not its own"
    if report.uid == 0:
        yield "it runs as root"
    if report.interfaces != ():
        yield "network interfaces can be seen"
    if report.processes != 0:
        yield "other processes can be seen"


def _loose_limits(report: Report, policy: Policy) -> Iterator[str]:
    for name, wanted in plans.limits(policy).items():
        seen = report.limits.get(name, -1)
        # Without namespaces the user's other processes count too, so the number is a higher one.
        if seen < 0 or (seen > wanted and not (name == "NPROC" and report.backend == "landlock")):
            yield f"RLIMIT_{name} is {seen}, not {wanted}"


def _unclean(report: Report) -> Iterator[str]:
    if foreign := set(report.environment) - plans.VARIABLES:
        yield f"variables of the outside are there ({', '.join(sorted(foreign))})"
    if report.descriptors is not None and len(set(report.descriptors) - {0, 1, 2}) > 1:
        yield "more descriptors than the wire are open"
    if report.scratch != _DONE:
        yield f"scratch cannot be written ({report.scratch})"


def _own(inodes: Mapping[str, int]) -> Iterator[str]:
    for kind, inode in inodes.items():
        try:
            if os.stat(f"/proc/self/ns/{kind}").st_ino != inode:
                yield kind
        except OSError:
            continue


def _one(values: Mapping[str, Any], name: str, kind: type) -> Any:
    value = values[name]
    if type(value) is not kind:
        raise TypeError(f"{name} is {value!r}")
    return value


def _list(values: Mapping[str, Any], name: str, kind: type) -> tuple[Any, ...]:
    items = _one(values, name, list)
    if not all(type(item) is kind for item in items):
        raise TypeError(f"{name} is {items!r}")
    return tuple(items)


def _table(values: Mapping[str, Any], name: str, kind: type) -> dict[str, Any]:
    table = _one(values, name, dict)
    if not all(type(item) is kind for item in table.values()):
        raise TypeError(f"{name} is {table!r}")
    return dict(table)
