"""Start a sandbox and hand it over while it boots. On the kernel's start path: imports little.

Rule: starting is not trusting. What comes back has said nothing yet; `process.launch` waits for
its self-test and decides. Start it from the main thread: it dies with the thread that started it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Protocol

from codeact_kernel.errors import SandboxRefused
from codeact_kernel.sandbox import cgroups
from codeact_kernel.sandbox import plan as plans
from codeact_kernel.sandbox.cgroups import Group
from codeact_kernel.sandbox.folder import Folder
from codeact_kernel.sandbox.plan import Plan
from codeact_kernel.sandbox.policy import Policy

WORKER = "codeact_kernel.worker"
Socket = socket.socket
_MESSAGES = socket.SOCK_SEQPACKET
_HELD = 1024 * 1024
"""Bytes that each direction of the wire should hold; the system may give less."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A way to start a sandbox; see `backends/__init__.py`."""

    name: str
    unfit: Callable[[], str | None]
    user: Callable[[Policy], int]
    orders: Callable[[Plan], dict[str, Any]]
    command: Callable[[Plan, list[str]], list[str]]
    shortcomings: Callable[[Plan], Iterable[str]]


_ALLOWED = {
    "auto": ("bubblewrap", "namespaces", "landlock"),
    "namespaces": ("bubblewrap", "namespaces"),
    "landlock": ("landlock",),
    "none": ("none",),
}
"""By isolation: modules of `backends`, strongest first; imported when their turn comes."""
_SHARED_NETWORK = ("landlock", "none")
"""On these a proxy would listen on the machine's own loopback, and code could connect to others."""


def _backend(name: str) -> Backend:
    module = importlib.import_module(f"codeact_kernel.sandbox.backends.{name}")
    parts = (module.unfit, module.user, module.orders, module.command, module.shortcomings)
    return Backend(name, *parts)


@dataclass(frozen=True, slots=True)
class Kind:
    """The backend a sandbox has, and in clauses why it has no stronger one."""

    backend: str
    stronger: tuple[str, ...] = ()


class Process(Protocol):
    """What is asked of a process that was started, as of `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


@dataclass(slots=True)
class Spawned:
    """A sandbox that is starting. `socket` is our end of the wire, blocking.

    `doorway` is where its listener comes out when the policy has an allowlist (layers/doorway.py).
    """

    process: Process
    socket: socket.socket
    kind: Kind
    policy: Policy
    folder: Folder
    notes: tuple[str, ...] = ()
    """Sentences for the user: what is not shown inside, which stronger backend cannot be had."""
    group: Group | None = None
    """Where the kernel limits all of it together; None: the watchdog has to."""
    doorway: Socket | None = None
    bell: Socket | None = None
    """Rung when one that stands by is taken (`late.py`); None: it does not stand by."""
    keeper: Socket | None = None
    """To who started it, when that may keep it for the next kernel (`keeper.py`)."""
    outside: int = 1
    """How many of its processes, from the first one, are not inside."""
    _rung: bool = field(default=False, repr=False)
    _killed: bool = field(default=False, repr=False)

    @property
    def backend(self) -> str:
        """Its name."""
        return self.kind.backend

    def ring(self) -> None:
        """It is taken: it may be finished. Does nothing where nothing is left to do; idempotent."""
        if self.bell is not None and not self._rung:
            self._rung = True
            with contextlib.suppress(OSError):  # whoever waits for its self-test is told
                self.bell.send(b"!", socket.MSG_NOSIGNAL)

    @property
    def scratch(self) -> Path:
        """The sandbox's private folder outside; its own scratch may be in memory instead."""
        return Path(self.folder.path)

    def kill(self) -> None:
        """End every process of it and take its folder away; idempotent, some milliseconds."""
        if self._killed:
            return
        from codeact_kernel.sandbox.layers import processes  # brings ctypes; not needed to start

        self._killed = True
        self._close()
        processes.kill_below(self.process.pid)
        self.process.terminate()  # a guardian buries its dead before it goes
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.group is not None:
            self.group.remove()
        self.folder.remove()

    def let_go(self) -> None:
        """It is somebody else's: nothing of it is ended, or taken away, from here."""
        self._killed = True
        self._close()
        for lock in (self.folder.lock, *(self.group.locks if self.group else ())):
            os.close(lock)

    def _close(self) -> None:
        for ours in (self.socket, self.doorway, self.bell, self.keeper):
            if ours is not None:
                ours.close()

    @property
    def memory_guard(self) -> str:
        """Who keeps all processes together to their memory: cgroup, watchdog, or none."""
        if self.policy.isolation == "none":
            return "none"
        return "cgroup" if self.group is not None and self.group.is_joined() else "watchdog"

    def last_words(self) -> str:
        """The end of what it wrote to stderr while it started; at most a few lines."""
        try:
            with open(self.folder.stderr, "rb") as file:
                file.seek(max(os.fstat(file.fileno()).st_size - 2000, 0))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        return " ".join(line.strip() for line in text.splitlines()[-3:])


def spawn(
    policy: Policy,
    config: Mapping[str, Any],
    *,
    module: str | None = WORKER,
    failed: Mapping[str, str] = MappingProxyType({}),
    standby: Kind | None = None,
) -> Spawned:
    """Start the strongest backend the policy allows, without waiting for it.

    `module` is what runs inside as __main__ after the self-test (None: nothing, it ends); `failed`
    names backends that were tried and did not hold, with the reason. `standby` is what the one has
    that this sandbox may replace: it gets no other, and is not finished until it is taken. Raises
    SandboxRefused when none is left.
    """
    reasons = [f"{name}: {reason}" for name, reason in failed.items()]
    if standby is not None:
        reasons += standby.stronger
    for name in _ALLOWED[policy.isolation]:
        if name in failed or (standby and name != standby.backend):
            continue
        if policy.egress is not None and name in _SHARED_NETWORK:
            reasons.append(f"{name}: it has no network of its own, so allow_net cannot be kept to")
            continue
        backend = _backend(name)
        if reason := backend.unfit():
            reasons.append(reason)
            continue
        plan = _plan(policy, config, module, backend.user(policy))
        try:
            return _start(backend, plan, reasons, stands_by=standby is not None)
        except OSError as error:
            reasons.append(f"{backend.name}: {error}")
            plan.folder.remove()
        except BaseException:
            plan.folder.remove()
            raise
    raise SandboxRefused(refusal(policy, reasons))


def refusal(policy: Policy, reasons: list[str]) -> str:
    """The one line that helps."""
    from codeact_kernel.sandbox.guarantees import namespaces_remedy

    why = "; ".join(reasons) or "nothing was left to try"
    return (
        f"No sandbox with isolation={policy.isolation!r} can be had here ({why}), so nothing was run. "
        f"{namespaces_remedy()} More: codeact doctor"
    )


def _plan(policy: Policy, config: Mapping[str, Any], module: str | None, uid: int) -> Plan:
    try:
        return plans.draw_up(policy, config, module, uid)
    except OSError as error:
        raise SandboxRefused(
            f"The sandbox's folder below {policy.runtime} cannot be made ({error}), so nothing was run."
        ) from error


def _start(backend: Backend, plan: Plan, failed: list[str], *, stands_by: bool) -> Spawned:
    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        wire, inside = _pair(ours, theirs)
        for end in (wire, inside):  # a large frame then wakes its reader less often
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _HELD)
        doorway, door = (None, None) if plan.policy.egress is None else _pair(ours, theirs)
        bell, cord = _pair(ours, theirs) if stands_by else (None, None)
        keeper, channel = _pair(ours, theirs, _MESSAGES) if stands_by else (None, None)
        group = cgroups.make(plan.policy) if plan.policy.isolation != "none" else None
        doors: tuple[int, ...] = ()
        if group is not None:
            ours.callback(group.remove)
            doors = theirs.enter_context(group.doors())
        ends = [end.fileno() for end in (inside, door, cord, channel) if end is not None]
        command = backend.command(plan, plans.launcher(inside.fileno()))
        process = subprocess.Popen(
            command if channel is None else plans.kept(channel.fileno(), command),
            stdin=theirs.enter_context(_orders(backend, plan, doors, door, cord)),
            stdout=subprocess.DEVNULL,
            stderr=theirs.enter_context(open(plan.folder.stderr, "ab")),
            pass_fds=(*ends, *doors),
            cwd="/",
            env={"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"},
            start_new_session=True,
        )
        ours.pop_all()
    tried = (
        "Made without it" if backend.name == "namespaces" else "A stronger one cannot be had here"
    )
    weaker = [f"{tried}: {reason}." for reason in failed]
    notes = (*plan.notes, *backend.shortcomings(plan), *weaker)
    kind = Kind(backend.name, tuple(failed))
    return Spawned(
        process=process,
        socket=wire,
        kind=kind,
        policy=plan.policy,
        folder=plan.folder,
        notes=notes,
        group=group,
        doorway=doorway,
        bell=bell,
        keeper=keeper,
        outside=1 if keeper is None else 2,
    )


def _pair(
    ours: contextlib.ExitStack,
    theirs: contextlib.ExitStack,
    kind: socket.SocketKind = socket.SOCK_STREAM,
) -> tuple[socket.socket, socket.socket]:
    """A connected pair; each end is closed with its stack."""
    one, other = socket.socketpair(type=kind)
    return ours.enter_context(one), theirs.enter_context(other)


def _orders(
    backend: Backend,
    plan: Plan,
    doors: tuple[int, ...],
    door: Socket | None,
    cord: Socket | None,
) -> BinaryIO:
    """A file in memory: orders outgrow what an argument may hold, and nobody else need see them."""
    file = open(os.memfd_create("orders"), "w+b")  # noqa: SIM115 - the caller closes it
    orders = {
        **backend.orders(plan),
        "doors": doors,
        "doorway": None if door is None else door.fileno(),
        "bell": None if cord is None else cord.fileno(),
    }
    file.write(json.dumps(orders).encode())
    file.seek(0)
    return file
