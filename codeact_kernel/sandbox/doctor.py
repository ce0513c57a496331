"""Find out what this machine can do by doing it: each backend is started and asked from inside.

Rule: nothing is concluded from version numbers or settings; a layer is there when a sandbox that
was just started saw it. The text is for a person, the JSON for a program; both say the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from codeact_kernel.errors import SandboxRefused
from codeact_kernel.sandbox import report as reports
from codeact_kernel.sandbox.admission import SELFTEST_SECONDS, read_selftest
from codeact_kernel.sandbox.guarantees import Gap, gaps, namespaces_remedy
from codeact_kernel.sandbox.policy import MIB, Policy
from codeact_kernel.sandbox.report import Report
from codeact_kernel.sandbox.spawn import Kind, Spawned, spawn
from codeact_kernel.wire import BadFrame, Decoder, Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One isolation tried: its report, or why it was refused."""

    isolation: str
    milliseconds: float
    report: Report | None = None
    refused: str = ""
    standby: str = ""
    """Why one more cannot wait to be finished when it is taken; "" when it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """`grade` is what a notebook gets with this policy; "refused" when it would not start."""

    grade: str
    policy: Policy
    attempts: tuple[Attempt, ...]
    gaps: tuple[Gap, ...]

    @property
    def ok(self) -> bool:
        """A notebook would start."""
        return self.grade != "refused"

    def to_json(self) -> dict[str, Any]:
        """JSON values: grade, ok, attempts with reports, gaps."""
        return {
            "grade": self.grade,
            "ok": self.ok,
            "profile": self.policy.profile,
            "isolation": self.policy.isolation,
            "workspace_mode": self.policy.workspace_mode,
            "mounts": [str(mount) for mount in self.policy.mounts],
            "attempts": [_attempt_json(attempt) for attempt in self.attempts],
            "gaps": [asdict(gap) for gap in self.gaps],
        }

    def to_text(self) -> str:
        """Lines for a terminal."""
        return "\n".join(_lines(self))


def doctor(policy: Policy) -> Diagnosis:
    """Try what `policy` could lead to, strongest first. Blocks for some 100 ms; raises nothing."""
    wanted = ("namespaces", "landlock") if policy.isolation == "auto" else (policy.isolation,)
    if policy.egress is not None:
        wanted = ("namespaces",)
    attempts = tuple(_attempt(replace(policy, isolation=isolation)) for isolation in wanted)
    used = next((attempt for attempt in attempts if attempt.report), None)
    if used is None or used.report is None:
        refused = Gap(what="No notebook can be run here.", remedy=namespaces_remedy())
        return Diagnosis(grade="refused", policy=policy, attempts=attempts, gaps=(refused,))
    return Diagnosis(
        grade=reports.grade(used.report),
        policy=policy,
        attempts=attempts,
        gaps=tuple(gaps(used.report, policy)),
    )


def _attempt(policy: Policy) -> Attempt:
    start = time.monotonic()
    try:
        report, kind = _ask(policy)
    except SandboxRefused as error:
        return Attempt(isolation=policy.isolation, milliseconds=_since(start), refused=str(error))
    return Attempt(
        isolation=policy.isolation,
        milliseconds=_since(start),
        report=report,
        standby=_why_no_standby(policy, kind),
    )


def _why_no_standby(policy: Policy, kind: Kind) -> str:
    try:
        spawned = spawn(policy, {}, module=None, standby=kind)
        try:
            if _first_frame(spawned).type != "warm":
                return "it did not wait"
            spawned.ring()
            read_selftest(_first_frame(spawned), spawned)
        finally:
            spawned.kill()
    except SandboxRefused as error:
        return str(error)
    return ""


def _ask(policy: Policy) -> tuple[Report, Kind]:
    """What the strongest backend that holds saw, as `process.launch` finds it. Raises SandboxRefused."""
    tried: dict[str, str] = {}
    while True:
        spawned = spawn(policy, {}, module=None, failed=tried)
        try:
            return read_selftest(_first_frame(spawned), spawned), spawned.kind
        except SandboxRefused as error:
            tried[spawned.backend] = str(error)
        finally:
            spawned.kill()


def _first_frame(spawned: Spawned) -> Frame:
    decoder = Decoder()
    spawned.socket.settimeout(SELFTEST_SECONDS)
    while True:
        try:
            data = spawned.socket.recv(1 << 20)
            frames = list(decoder.feed(data))
        except (TimeoutError, BadFrame) as error:
            raise SandboxRefused(f"no self-test came: {error}") from None
        if frames:
            return frames[0]
        if not data:
            raise SandboxRefused(spawned.last_words() or "it ended before its self-test")


def _since(start: float) -> float:
    return round((time.monotonic() - start) * 1000, 1)


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "isolation": attempt.isolation,
        "ok": attempt.report is not None,
        "refused": attempt.refused,
        "standby": attempt.standby if attempt.report else None,
        "milliseconds": attempt.milliseconds,
        "report": attempt.report.to_json() if attempt.report else None,
    }


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    policy = diagnosis.policy
    yield f"grade: {diagnosis.grade}   (profile {policy.profile}, isolation {policy.isolation})"
    if policy.mounts:
        yield f"also shown to code: {', '.join(map(str, policy.mounts))}"
    for attempt in diagnosis.attempts:
        yield ""
        if attempt.report is None:
            yield f"{attempt.isolation}: cannot be had: {attempt.refused}"
            continue
        yield f"{attempt.isolation}: holds, seen from inside in {attempt.milliseconds:.0f} ms"
        yield from (f"  {name:<13} {text}" for name, text in _layers(attempt.report, policy))
        standby = attempt.standby and f"none can wait: {attempt.standby}"
        yield f"  standby       {standby or 'one more can wait, and is finished when it is taken'}"
        yield from (f"  note          {note}" for note in attempt.report.notes)
    if diagnosis.gaps:
        yield ""
        yield "not guaranteed here:"
        for gap in diagnosis.gaps:
            yield f"  - {gap.what}"
            if gap.remedy:
                yield f"    {gap.remedy}"


def _layers(report: Report, policy: Policy) -> Iterator[tuple[str, str]]:
    yield "started by", _PROGRAMS.get(report.backend, report.backend)
    if report.backend != "none":
        own = ", ".join(report.namespaces) or "none of its own"
        yield "namespaces", own
        yield (
            "landlock",
            f"version {report.landlock_abi}" if report.landlock_abi else "not in force",
        )
        yield "seccomp", "filter on" if report.seccomp == 2 else "no filter"
        held = [name for name, bits in report.capabilities.items() if bits]
        yield "privileges", f"user {report.uid}, capabilities: {', '.join(held) or 'none'}"
    opened = [family for family, result in report.sockets.items() if result == "done"]
    yield "network", f"sockets: {', '.join(opened) or 'none can be opened'}"
    yield "files outside", "can be read" if report.canary == "done" else "cannot be read"
    written = [folder for folder, result in report.writes.items() if result == "done"]
    yield "writes", f"outside: {', '.join(written) or 'refused everywhere'}"
    yield "workspace", report.workspace
    yield "processes", _count(report.processes)
    guard = _MEMORY_GUARDS[report.memory_guard]
    yield "memory", guard.format(size=f"{policy.memory // MIB} MB")
    if report.memory_guard != "none":
        added = f"{policy.disk_size // MIB} MB, {policy.disk_files:,} files"
        yield "disk", f"what code adds is capped by watchdog: {added}"
    yield "limits", ", ".join(_limit(*limit) for limit in report.limits.items())


_PROGRAMS = {
    "bubblewrap": "bubblewrap",
    "namespaces": "this kernel itself, without bubblewrap",
    "landlock": "this kernel itself, without namespaces",
    "none": "this kernel itself, without walls",
}
_MEMORY_GUARDS = {
    "cgroup": "total memory capped by cgroup: {size}",
    "watchdog": "total memory capped by watchdog, 50 ms: {size}",
    "none": "total memory not capped",
}


def _count(processes: int | None) -> str:
    return "others cannot be listed" if processes is None else f"{processes} others can be seen"


def _limit(name: str, value: int) -> str:
    if value < 0:
        return f"{name} none"
    return f"{name} {value // MIB} MB" if name in ("DATA", "FSIZE") else f"{name} {value}"
