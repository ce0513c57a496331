"""Judging a report: each thing that was not seen counts, whatever was asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codeact_kernel.errors import SandboxRefused, SettingsError
from codeact_kernel.sandbox import report as reports
from codeact_kernel.sandbox.guarantees import gaps
from codeact_kernel.sandbox.layers.idmap import id_map
from codeact_kernel.sandbox.plan import limits
from codeact_kernel.sandbox.policy import GIB, MIB, Policy
from codeact_kernel.sandbox.report import Report, grade, verify

STRICT = Policy.strict(Path("/home/me/work"))


def good() -> Report:
    """What a sandbox of the strict profile sees with bubblewrap."""
    return Report(
        backend="bubblewrap",
        uid=1900000000,
        gid=1900000000,
        seccomp=2,
        no_new_privs=True,
        capabilities=dict.fromkeys(("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"), 0),
        landlock_abi=7,
        namespaces=("mnt", "pid", "net", "ipc", "uts", "cgroup"),
        sockets={"inet": "ENOTSUP"},
        canary="ENOENT",
        writes={"/": "EROFS"},
        scratch="done",
        workspace="rw",
        swapped=(),
        unreadable={},
        interfaces=(),
        processes=0,
        limits=limits(STRICT),
        tmp_size=128 * MIB,
        environment=("HOME", "PATH"),
        descriptors=(0, 1, 2, 5),
        new_namespace="EPERM",
        python="3.11.7",
    )


def test_all_walls_seen_is_namespaces() -> None:
    """The good report has the best local grade and meets the policy."""
    assert grade(good()) == "namespaces"
    assert verify(good(), STRICT) == []


WORSE: list[dict[str, Any]] = [
    {"seccomp": 0},
    {"no_new_privs": False},
    {"capabilities": {"CapEff": 1}},
    {"sockets": {"inet": "done"}},
    {"sockets": {}},
    {"canary": "done"},
    {"writes": {"/": "EROFS", "/usr": "done"}},
    {"unreadable": {"/home/me/work/.env": "done"}},
    {"swapped": ("/home/me/work/.git",)},
    {"new_namespace": "done"},
]


@pytest.mark.parametrize("change", WORSE, ids=lambda change: next(iter(change)))
def test_one_open_door_is_no_sandbox(change: dict[str, Any]) -> None:
    """Each hole alone makes the grade "none" and the sandbox unusable."""
    report = replace(good(), **change)
    assert grade(report) == "none"
    assert verify(report, STRICT)


UNMET: list[dict[str, Any]] = [
    {"namespaces": ("mnt", "pid", "ipc", "uts")},
    {"interfaces": ("eth0",)},
    {"interfaces": None},
    {"processes": 3},
    {"uid": 0},
    {"limits": {**limits(STRICT), "DATA": -1}},
    {"limits": {**limits(STRICT), "NPROC": 10_000}},
    {"limits": {}},
    {"environment": ("HOME", "AWS_SECRET_ACCESS_KEY")},
    {"descriptors": (0, 1, 2, 5, 6)},
    {"scratch": "EACCES"},
]


@pytest.mark.parametrize("change", UNMET, ids=lambda change: next(iter(change)))
def test_a_demand_that_is_not_met_is_named(change: dict[str, Any]) -> None:
    """Bubblewrap without one of its walls is not quietly used as something weaker."""
    assert len(verify(replace(good(), **change), STRICT)) >= 1


def test_ro_means_that_writing_was_refused() -> None:
    """A writable workspace fails a policy of mode "ro"; the other way round is only reported."""
    assert verify(good(), replace(STRICT, workspace_mode="ro"))
    report = replace(good(), workspace="ro")
    assert verify(report, STRICT) == []
    assert any("not written" in gap.what for gap in gaps(report, STRICT))


def test_landlock_alone_is_landlock() -> None:
    """Without namespaces the grade says so, and what is missing is put in words."""
    report = replace(
        good(), backend="landlock", namespaces=(), interfaces=("eth0",), processes=None, uid=1000
    )
    assert grade(report) == "landlock"
    assert verify(report, replace(STRICT, isolation="landlock")) == []
    assert verify(report, replace(STRICT, isolation="namespaces"))
    assert verify(replace(report, landlock_abi=0), replace(STRICT, isolation="landlock"))
    assert any("multiprocessing" in gap.what for gap in gaps(report, STRICT))


def test_no_isolation_is_said_in_the_first_line() -> None:
    """With "none" nothing is demanded but a clean environment, and one gap says it all."""
    policy = replace(STRICT, isolation="none")
    report = replace(good(), backend="none", seccomp=0, canary="done")
    assert verify(report, policy) == []
    assert verify(replace(report, environment=("SECRET",)), policy)
    assert "delete whatever you can" in gaps(report, policy)[0].what


def wire_form(report: Report) -> dict[str, Any]:
    """The report as the self-test sends it."""
    values = report.to_json()
    values["namespaces"] = dict.fromkeys(report.namespaces, 1)
    return values


def test_a_report_is_read_from_its_json() -> None:
    """Namespaces that are not ours are its own; all else comes through as it is."""
    raw = json.dumps(wire_form(good())).encode()
    assert reports.read(raw, "bubblewrap") == good()


@pytest.mark.parametrize(
    "change",
    [
        {"uid": "0"},
        {"seccomp": True},
        {"limits": []},
        {"environment": [1]},
        {"sockets": {"inet": None}},
    ],
    ids=str,
)
def test_a_forged_report_is_refused(change: dict[str, Any]) -> None:
    """A field of another type is not converted, it is an error."""
    raw = json.dumps({**wire_form(good()), **change}).encode()
    with pytest.raises(SandboxRefused, match="cannot be read"):
        reports.read(raw, "bubblewrap")


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_report_is_refused(raw: bytes) -> None:
    """Whatever the bytes are, the answer is the same refusal."""
    with pytest.raises(SandboxRefused):
        reports.read(raw, "bubblewrap")


def test_profiles_have_the_limits_they_promise() -> None:
    """strict: 512 MB, 30 s for all; notebook: half the machine, 120 s for steps, none for cells."""
    strict, notebook = Policy.strict(), Policy.notebook()
    assert (strict.memory, strict.step_seconds, strict.cell_seconds) == (512 * MIB, 30, 30)
    assert strict.imports is not None
    assert {"numpy", "pandas", "IPython", "json"} <= strict.imports
    assert not {"subprocess", "socket", "ctypes", "pip"} & strict.imports
    assert (notebook.step_seconds, notebook.cell_seconds, notebook.imports) == (120, None, None)
    assert notebook.memory >= GIB // 2


@pytest.mark.parametrize(
    "change",
    [{"isolation": "docker"}, {"memory": 0}, {"processes": -1}, {"step_seconds": float("nan")}],
    ids=str,
)
def test_a_policy_that_makes_no_sense_cannot_exist(change: dict[str, Any]) -> None:
    """The sentence names the field."""
    with pytest.raises(SettingsError, match=next(iter(change))):
        replace(Policy.strict(), **change)


def test_the_owner_map_swaps_two_users_and_leaves_the_others() -> None:
    """Every id on disk is given once, nobody's files come to look as root's."""
    for theirs in (0, 1000):
        rows = [tuple(map(int, line.split())) for line in id_map(theirs, 70000).splitlines()]
        inside = [number for first, _, count in rows for number in (first, first + count - 1)]
        shown = {second for _, second, _ in rows}
        assert (theirs, 70000, 1) in rows
        assert 0 not in shown
        assert len(inside) == len(set(inside)) + sum(count == 1 for _, _, count in rows)
