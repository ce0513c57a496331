"""The first milliseconds: the sandbox boots while this process still imports.

Rule: nothing heavy above `spawn`, in this file or in what it imports at the top: no zmq, no
asyncio, no litellm. A kernel whose settings are wrong or whose sandbox is refused comes up all the
same and answers each cell with the sentence; one that dies at once tells nobody why.
"""

from __future__ import annotations

import os
import signal
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeact_kernel.errors import CodeActError, SandboxRefused
from codeact_kernel.sandbox import mounts
from codeact_kernel.sandbox.plan import unprivileged_uid
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.spawn import Spawned, spawn
from codeact_kernel.settings import Settings, load, notebook_name, state_path

if TYPE_CHECKING:
    from codeact_kernel.sandbox.egress.allowlist import Allowlist
    from codeact_kernel.sandbox.staging.area import Area

_USAGE = "usage: python -m codeact_kernel.kernel -f CONNECTION_FILE"


def main(arguments: list[str]) -> int:
    """Run the kernel until it is shut down; the exit code."""
    try:
        path = connection_path(arguments)
    except IndexError:
        sys.stderr.write(_USAGE + "\n")
        return 2
    # A handler, not SIG_IGN: what is ignored stays ignored in the sandbox that is started below.
    signal.signal(signal.SIGINT, lambda *_: None)
    settings, early, refusal, area = Settings(), None, "", None
    try:
        settings = load()
        policy, area = staged(policy_of(settings, Path.cwd()), notebook_name())
        early = _left(path, settings, policy) or spawn(policy, worker_config(settings, policy))
    except SandboxRefused as error:
        refusal = str(error)
    except CodeActError as error:
        # With defaults: it was what the settings ask for that cannot be.
        policy, refusal = policy_of(Settings(), Path.cwd()), str(error)
    try:
        from codeact_kernel.kernel.app import run

        return run(path, settings, policy, early, refusal, area)
    finally:
        if early is not None:
            early.kill()


def _left(connection: Path, settings: Settings, policy: Policy) -> Spawned | None:
    """The sandbox that stood by in the kernel whose restart this is; nothing is imported when it is none."""
    note = note_of(connection)
    if not settings.standby or not note.exists():
        return None
    from codeact_kernel.sandbox import handover, made

    wanted = made.wanted(policy, tuple(settings.preload) or made.preload())
    return handover.take(policy, "" if wanted is None else made.text(wanted), note)


def note_of(connection: Path) -> Path:
    """The file that says where what the last kernel with this connection file left can be had."""
    path = os.path.realpath(os.fsencode(connection))
    return state_path() / "standby" / f"{zlib.crc32(path):08x}{zlib.adler32(path):08x}"


def connection_path(arguments: list[str]) -> Path:
    """The file after -f (or in -f=FILE, as some launchers write it). Raises IndexError."""
    for index, word in enumerate(arguments):
        if word in ("-f", "--f"):
            return Path(arguments[index + 1])
        if word.startswith(("-f=", "--f=")):
            return Path(word.partition("=")[2])
    raise IndexError("-f")


def policy_of(settings: Settings, here: Path) -> Policy:
    """What the user's settings allow the sandbox; `here` is the notebook's folder."""
    workspace = Path(settings.workspace).expanduser() if settings.workspace else here
    policy = (Policy.strict if settings.profile == "strict" else Policy.notebook)(workspace)
    given: dict[str, Any] = {
        "isolation": settings.isolation,
        "workspace_mode": settings.mode,
        "memory": None if settings.memory_mb is None else settings.memory_mb * 1024 * 1024,
        "step_seconds": settings.step_seconds,
        "cell_seconds": settings.cell_seconds,
        "processes": settings.processes,
        "cpus": settings.cpus,
        "disk_size": None if settings.disk_mb is None else settings.disk_mb * 1024 * 1024,
        "state": state_path(),
        "mounts": mounts.parse(settings.mounts, settings.devices),
        "egress": _egress(settings) if settings.allow_net else None,
    }
    return replace(policy, **{name: value for name, value in given.items() if value is not None})


def staged(policy: Policy, notebook: str) -> tuple[Policy, Area | None]:
    """In mode cow the policy with the notebook's staging area; without one it will be read-only."""
    if policy.workspace_mode != "cow" or policy.workspace is None or policy.state is None:
        return policy, None
    from codeact_kernel.sandbox.staging.area import About, reserve

    folder = os.path.realpath(policy.workspace)
    about = About(folder, f"{os.path.realpath(os.getcwd())}/{notebook}" if notebook else "")
    try:
        area = reserve(policy.state, about, unprivileged_uid(policy))
        if not area.is_empty():
            from codeact_kernel.sandbox.staging.staging import Staging

            Staging(area).tidy()
    except OSError as error:
        import logging

        logging.getLogger(__name__).warning("what code writes cannot be staged: %s", error)
        return policy, None
    uid = area.uid if os.getuid() == 0 else None
    return replace(policy, staging=Path(area.path), uid=uid), area


def _egress(settings: Settings) -> Allowlist | None:
    """Imported only when there is one."""
    from codeact_kernel.sandbox.egress import allowlist

    return allowlist.parse(settings.allow_net, settings.inject_headers, settings.net_mb)


def worker_config(settings: Settings, policy: Policy) -> dict[str, object]:
    """What the program inside is told."""
    return {
        "preload": list(settings.preload),
        "imports": None if policy.imports is None else sorted(policy.imports),
        "workspace": None if policy.workspace is None else str(policy.workspace),
        "profile": policy.profile,
    }
