"""What code inside cannot do, tried by code inside, on each grade."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from codeact_kernel.sandbox import plan
from codeact_kernel.sandbox.policy import MIB, Policy
from codeact_kernel.sandbox.visible import package_folder
from codeact_kernel.sandbox.workspace import home_folders
from tests.sandbox.conftest import WAYS, Start


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Both."""
    return str(request.param)


TRY = """
def tried(attempt):
    try:
        return attempt() or "done"
    except OSError as error:
        return type(error).__name__
"""


async def test_no_socket_of_any_family_can_be_opened(start: Start, strict: Policy) -> None:
    """Every address family there is gives EOPNOTSUPP; so do the datagram pairs that could connect."""
    inside = await start(strict)
    opened = await inside.run(
        """
        import errno, socket
        refused = set()
        answer = []
        for family in range(1, 46):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
                try:
                    socket.socket(family, kind)
                    answer.append([family, kind])
                except OSError as error:
                    refused.add(error.errno)
        answer += [code for code in refused if code != errno.EOPNOTSUPP]
        try:
            socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            answer.append("datagram pair")
        except OSError:
            pass
        left, right = socket.socketpair()
        left.send(b"x")
        """
    )
    assert opened == []


async def test_names_are_not_resolved(start: Start, strict: Policy) -> None:
    """A look-up ends as an ordinary error that libraries expect, not in an abort."""
    inside = await start(strict)
    assert "gaierror" in await inside.run("import socket; socket.getaddrinfo('example.org', 80)")


async def test_no_variable_of_the_host_is_inside(
    start: Start, strict: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment is made new: a key in ours is not in any process inside."""
    monkeypatch.setenv("CODEACT_TEST_API_KEY", "sk-secret")
    inside = await start(strict)
    names, raw = await inside.run(
        """
        import os
        answer = [list(os.environ), open("/proc/self/environ").read()]
        """
    )
    assert set(names) <= plan.VARIABLES
    assert "secret" not in raw


async def test_no_other_process_is_seen_or_reached(start: Start, strict: Policy) -> None:
    """Nothing outside can be listed by number, read, or sent a signal."""
    inside = await start(strict)
    seen, signalled, environ = await inside.run(
        TRY
        + f"""
import os
pids = [pid for pid in range(1, 100000) if pid != os.getpid()]
def listed():
    return [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
def signal():
    os.kill({os.getpid()}, 0)
def environ():
    return open("/proc/{os.getpid()}/environ").read()[:1]
answer = [tried(listed), tried(signal), tried(environ)]
"""
    )
    assert seen in ("done", "PermissionError")
    assert signalled in ("ProcessLookupError", "PermissionError")
    assert environ in ("FileNotFoundError", "PermissionError")


async def test_only_a_stub_of_the_accounts_is_inside(start: Start, strict: Policy) -> None:
    """/etc/passwd names the sandbox's user at most; shadow and the user's home cannot be read."""
    inside = await start(strict)
    home = home_folders()[0]
    accounts, shadow, listing = await inside.run(
        TRY
        + f"""
import os
answer = [
    tried(lambda: open("/etc/passwd").read()),
    tried(lambda: open("/etc/shadow").read()),
    tried(lambda: os.listdir({home!r})),
]
"""
    )
    if strict.isolation == "namespaces":
        assert accounts.count("\n") == 1
        assert accounts.startswith("sandbox:")
    else:
        assert accounts == "PermissionError"
    assert shadow in ("FileNotFoundError", "PermissionError")
    # The way to an interpreter below the home may be there, nothing else of it.
    assert set(listing if isinstance(listing, list) else ()) <= {".pyenv", ".venv", ".local"}


async def test_nothing_outside_scratch_can_be_written(
    start: Start, strict: Policy, tmp_path: Path
) -> None:
    """System, environment, home and the host's temporary folders refuse; scratch takes it."""
    inside = await start(strict)

    places = [
        "/",
        "/usr",
        "/usr/local",
        "/etc",
        "/opt",
        "/root",
        "/home",
        "/var/tmp",  # noqa: S108
        "/dev",
        "/proc",
    ]
    places += ["/run", str(tmp_path), sys.prefix, home_folders()[0]]
    written = await inside.run(
        f"""
import os
answer = []
for place in {places!r}:
    try:
        open(os.path.join(place, "codeact-was-here"), "x")
        answer.append(place)
    except OSError:
        pass
for place in (os.environ["HOME"], os.environ["TMPDIR"], os.environ["MPLCONFIGDIR"]):
    open(os.path.join(place, "mine"), "x").close()
"""
    )
    assert written == []


async def test_the_code_that_runs_outside_cannot_be_changed_from_inside(
    start: Start, strict: Policy
) -> None:
    """The package itself stays read-only even where its checkout is the workspace."""
    package = Path(package_folder())
    policy = replace(strict, workspace=package.parent, workspace_mode="rw")
    inside = await start(policy)
    result = await inside.run(f"open({str(package / 'wire.py')!r}, 'a')")
    assert str(result).startswith(("OSError: [Errno 30]", "PermissionError"))


async def test_two_gibibytes_end_as_a_memory_error(start: Start, strict: Policy) -> None:
    """Under strict an allocation beyond 512 MB fails in the cell; the process lives on."""
    inside = await start(strict)
    assert (await inside.run("bytearray(2 << 30)")).startswith("MemoryError")
    assert await inside.run("answer = len(bytearray(100 << 20))") == 100 << 20


async def test_the_number_of_processes_is_limited(start: Start) -> None:
    """A fork bomb stops at the policy's number."""
    inside = await start(replace(Policy.strict(), isolation="namespaces", processes=20))
    forked = await inside.run(
        """
        import os, signal
        children = []
        try:
            while len(children) < 100:
                pid = os.fork()
                if pid == 0:
                    signal.pause()
                children.append(pid)
        except OSError:
            pass
        for pid in children:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        answer = len(children)
        """
    )
    assert 10 <= forked < 20


async def test_no_descriptor_but_the_wire_is_inherited(start: Start, strict: Policy) -> None:
    """A file we hold open, inheritable even, is not open inside."""
    held = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(held, True)
    inside = await start(strict)
    os.close(held)
    links = await inside.run(
        """
        import os
        answer = {}
        for fd in os.listdir("/proc/self/fd"):
            try:
                answer[fd] = os.readlink(f"/proc/self/fd/{fd}")
            except OSError:
                pass
        """
    )
    others = [fd for fd in links if fd not in ("0", "1", "2")]
    assert len([fd for fd in others if links[fd].startswith("socket:")]) == 1
    assert all(links[fd].startswith(("socket:", "/proc/")) for fd in others)
    assert links["0"] == "/dev/null"


@pytest.mark.parametrize(
    "attempt",
    [
        "libc.unshare(0x10000000)",
        "libc.unshare(0x00020000)",
        "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
        "libc.umount2(b'/tmp', 2)",
        "libc.ptrace(0, 0, 0, 0)",
        "libc.chroot(b'/tmp')",
        "libc.setns(0, 0)",
        "libc.syscall(425, 1, 0)",
        "libc.syscall(321, 0, 0, 0)",
        "libc.syscall(323, 0)",
        "libc.syscall(250, 0, 0)",
        "libc.syscall(298, 0, 0, -1, -1, 0)",
        "libc.syscall(56, 0x10000011, 0, 0, 0, 0)",
        "libc.syscall(29, 0, 4096, 0o1600)",
    ],
)
async def test_what_an_interpreter_never_needs_is_refused(start: Start, attempt: str) -> None:
    """Namespaces, mounts, ptrace, io_uring, bpf, userfaultfd, keys, perf, shared segments: EPERM."""
    inside = await start(Policy.strict())
    result = await inside.run(
        f"import ctypes; libc = ctypes.CDLL(None, use_errno=True); r = {attempt}; "
        "answer = [r, ctypes.get_errno()]"
    )
    assert result == [-1, 1]


async def test_no_file_can_be_made_set_user_id(
    start: Start, strict: Policy, workspace: Path
) -> None:
    """A program left in the workspace never gives its owner's rights to who runs it outside."""
    inside = await start(replace(strict, workspace=workspace, workspace_mode="rw"))
    results = await inside.run(
        TRY
        + """
import os
os.close(os.open("plain/program", os.O_CREAT | os.O_WRONLY, 0o755))
answer = [
    tried(lambda: os.chmod("plain/program", 0o4755)),
    tried(lambda: os.open("plain/other", os.O_CREAT | os.O_WRONLY, 0o4755)),
    tried(lambda: os.chmod("plain/program", 0o700)),
]
"""
    )
    assert results == ["PermissionError", "PermissionError", "done"]
    assert not (workspace / "plain/program").stat().st_mode & 0o6000


async def test_temporary_folders_are_sized(start: Start) -> None:
    """Temporary, shared and scratch memory are full at their limit, not when the machine's memory is."""
    policy = replace(
        Policy.strict(), isolation="namespaces", tmp_size=8 * MIB, scratch_size=16 * MIB
    )
    inside = await start(policy)
    for place in ("/tmp", "/dev/shm", "/scratch"):  # noqa: S108
        result = await inside.run(f"open({place + '/big'!r}, 'wb').write(bytes(20 << 20))")
        assert "No space left" in result
