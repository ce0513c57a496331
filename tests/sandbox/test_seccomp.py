"""The filter's decisions, computed for both machines: every jump lands, every errno is the one meant."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from codeact_kernel.sandbox.layers import seccomp
from codeact_kernel.sandbox.layers.calls import (
    EXAMINED,
    MACHINES,
    NOT_OURS,
    ONLY_ONESELF,
    REFUSED,
    UNHEARD,
    UNSUPPORTED,
)

ALLOW, SILENCE = 0, -1
ARCHES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def decide(
    machine: str,
    number: int,
    *arguments: int,
    arch: int | None = None,
    families: tuple[int, ...] = (),
    absent: tuple[str, ...] = (),
    steps: list[seccomp.Step] | None = None,
) -> int:
    """What the filter answers: 0 or an errno. A small interpreter of the instructions it uses."""
    steps = steps or seccomp.program(machine, families, absent)
    words = {0: number, 4: ARCHES[machine] if arch is None else arch}
    words |= {16 + 8 * index: value & 0xFFFFFFFF for index, value in enumerate(arguments)}
    accumulator = at = 0
    while True:
        code, when_true, when_false, operand = steps[at]
        at += 1
        match code:
            case 0x20:
                accumulator = words.get(operand, 0)
            case 0x54:
                accumulator &= operand
            case 0x06:
                return ALLOW if operand == 0x7FFF0000 else operand & 0xFFFF or SILENCE
            case 0x15:
                at += when_true if accumulator == operand else when_false
            case 0x35:
                at += when_true if accumulator >= operand else when_false
            case 0x45:
                at += when_true if accumulator & operand else when_false
            case _:
                raise AssertionError(code)


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    """As far as the installed headers know the call; a wrong number would refuse another one."""
    if not HEADERS[machine].is_file():
        pytest.skip("the kernel's headers are not installed (linux-libc-dev)")
    lines = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text())
    known = {name: int(value) for name, value in lines}
    column = MACHINES.index(machine)
    examined_oneself = {name: row for name, (_, row) in ONLY_ONESELF.items()}
    tables = (REFUSED, EXAMINED, UNSUPPORTED, NOT_OURS, UNHEARD, examined_oneself)
    ours = {name: row[column] for table in tables for name, row in table.items()}
    newest = max(known.values())
    assert len(ours.keys() & known.keys()) > 100
    for name, value in ours.items():
        if name in known or value is None or value <= newest:
            assert known.get(name) == value, name


def number(name: str, machine: str) -> int:
    """The call's number, which it must have."""
    found = {**REFUSED, **EXAMINED}[name][MACHINES.index(machine)]
    assert found is not None
    return found


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> str:
    """Each machine there is a table for."""
    return str(request.param)


def test_every_listed_call_is_refused(machine: str) -> None:
    """EPERM for each call of the table that the machine has; an ordinary one passes."""
    for row in REFUSED.values():
        if (call := row[MACHINES.index(machine)]) is not None:
            assert decide(machine, call) == errno.EPERM
    assert decide(machine, {"x86_64": 0, "aarch64": 63}[machine]) == ALLOW  # read


def test_no_number_stands_for_two_calls() -> None:
    """A slip in the table would refuse something an interpreter needs."""
    for column in range(len(MACHINES)):
        numbers = [row[column] for row in (*REFUSED.values(), *EXAMINED.values())]
        known = [value for value in numbers if value is not None]
        assert len(known) == len(set(known))


def test_every_jump_fits_a_byte(machine: str) -> None:
    """The kernel takes jumps of at most 255 and programs of at most 4096 instructions."""
    steps = seccomp.program(machine, (2, 10))
    assert len(steps) < 4096
    assert all(0 <= jump <= 255 for step in steps for jump in step[1:3])


def test_foreign_doors_are_closed(machine: str) -> None:
    """The 32-bit interfaces are refused whatever the number; so are x32's numbers."""
    assert decide(machine, 1, arch=0x40000003) == errno.EPERM
    if machine == "x86_64":
        assert decide(machine, 0x40000000 | 39) == errno.ENOSYS


def test_threads_and_forks_pass_new_namespaces_do_not(machine: str) -> None:
    """clone is judged by its flags; clone3 hides them, so libc is sent back to clone."""
    clone = number("clone", machine)
    assert decide(machine, clone, 17) == ALLOW
    assert decide(machine, clone, 0x3D0F00) == ALLOW  # a thread of glibc's
    for flag in (
        0x20000,
        0x2000000,
        0x4000000,
        0x8000000,
        0x10000000,
        0x20000000,
        0x40000000,
        0x80,
    ):
        assert decide(machine, clone, flag | 17) == errno.EPERM
    assert decide(machine, number("clone3", machine)) == errno.ENOSYS


def test_sockets_only_of_the_families_named(machine: str) -> None:
    """None by default; a later allowance opens exactly the one."""
    call = number("socket", machine)
    assert {decide(machine, call, family, 1) for family in range(50)} == {errno.EOPNOTSUPP}
    assert decide(machine, call, 2, 1, families=(2,)) == ALLOW
    assert decide(machine, call, 10, 1, families=(2,)) == errno.EOPNOTSUPP


def test_pairs_are_unix_and_connected(machine: str) -> None:
    """Stream and seqpacket with any flags, nothing that could address somebody else."""
    call = number("socketpair", machine)
    assert decide(machine, call, 1, 1) == decide(machine, call, 1, 5 | 0o2000000) == ALLOW
    assert decide(machine, call, 1, 2) == decide(machine, call, 1, 3) == errno.EPERM
    assert decide(machine, call, 2, 1) == errno.EOPNOTSUPP


def test_set_id_bits_are_refused_and_plain_modes_are_not(machine: str) -> None:
    """In chmod always; in open only where a file is made, since the mode is garbage otherwise."""
    assert decide(machine, number("fchmod", machine), 3, 0o755) == ALLOW
    assert decide(machine, number("fchmod", machine), 3, 0o4755) == errno.EPERM
    assert decide(machine, number("fchmodat", machine), 3, 0, 0o2755) == errno.EPERM
    openat = number("openat", machine)
    assert decide(machine, openat, 3, 0, 0o101, 0o644) == ALLOW
    assert decide(machine, openat, 3, 0, 0o101, 0o4755) == errno.EPERM
    assert decide(machine, openat, 3, 0, 0o20200000 | 1, 0o4755) == errno.EPERM
    assert decide(machine, openat, 3, 0, 0, 0o4755) == ALLOW
    assert decide(machine, number("openat2", machine)) == errno.ENOSYS


def test_pipes_are_the_only_nodes(machine: str) -> None:
    """os.mkfifo works, a device or an odd mode does not."""
    call = number("mknodat", machine)
    assert decide(machine, call, 3, 0, 0o010644, 0) == ALLOW
    for mode in (0o020644, 0o060644, 0o100644, 0o644, 0o014755):
        assert decide(machine, call, 3, 0, mode, 0) == errno.EPERM


def test_memory_behind_a_descriptor_can_be_absent(machine: str) -> None:
    """Where nobody would count it memfd_create is not there, so that libraries do something else."""
    call = number("memfd_create", machine)
    assert decide(machine, call) == ALLOW
    assert decide(machine, call, absent=("memfd_create",)) == errno.ENOSYS


def test_typing_into_a_terminal_is_refused(machine: str) -> None:
    """TIOCSTI and TIOCLINUX, and TIOCSETD, which loads kernel modules; other requests pass."""
    call = number("ioctl", machine)
    assert decide(machine, call, 0, 0x5423) == errno.EPERM
    assert decide(machine, call, 0, 0x5412) == decide(machine, call, 0, 0x541C) == errno.EPERM
    assert decide(machine, call, 0, 0x5401) == ALLOW


def test_an_unknown_machine_has_no_filter() -> None:
    """It is an error, so the sandbox is refused, not a filter with the wrong numbers."""
    with pytest.raises(OSError, match="riscv64"):
        seccomp.program("riscv64")


def test_where_nothing_is_our_own_the_second_filter_answers(machine: str) -> None:
    """Attributes do not exist, owners and watches are refused, others' priorities too; modes and
    times are left as they are without an error; one's own limits and everything else pass."""
    steps, column = seccomp.shared_program(machine), MACHINES.index(machine)
    for table, answer in (
        (UNSUPPORTED, errno.EOPNOTSUPP),
        (NOT_OURS, errno.EPERM),
        (UNHEARD, SILENCE),
    ):
        for row in table.values():
            if (call := row[column]) is not None:
                assert decide(machine, call, 0, 0, 0, steps=steps) == answer
    for place, row in ONLY_ONESELF.values():
        call = row[column]
        assert call is not None
        of_another = [77 if index == place else 1 for index in range(3)]
        of_oneself = [0 if index == place else 1 for index in range(3)]
        assert decide(machine, call, *of_another, steps=steps) == errno.EPERM
        assert decide(machine, call, *of_oneself, steps=steps) == ALLOW
    assert decide(machine, number("ioctl", machine), 3, 0x40086602, steps=steps) == errno.EPERM
    assert decide(machine, number("ioctl", machine), 3, 0x541B, steps=steps) == ALLOW
    assert decide(machine, number("openat", machine), 3, 0, 0, steps=steps) == ALLOW
    assert len(steps) < 4096
