"""The launcher: the first program in the sandbox, which puts the last walls around itself.

    python -I -S inside.py WIRE <ORDERS

Rule: standard library only. The order is fixed: control group, descriptors, guardian, owners, privileges, limits,
environment, Landlock, seccomp, self-test, and only then the environment's packages and the worker,
in this same process. A layer that fails ends it: exit code 70 and one line on stderr.

ORDERS is a JSON object, made in `plan.py`.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any

FAILED = 70
_AHEAD = ("dataclasses", "inspect", "logging", "pathlib", "selectors", "subprocess", "traceback")


def main() -> None:
    wire, orders = int(sys.argv[1]), json.load(sys.stdin)
    # At the end: nothing that lies beside the package may take the place of the standard library.
    sys.path.append(orders["package"])
    try:
        joining = _begin_to_join(orders["doors"])
        _import_ahead(orders["module"])
        orders["grouped"] = _has_joined(joining)
        _close_all_but(wire, orders["doorway"])
        _forget_orders()
        if orders["guard"]:
            _guard()
        abi = _build_walls(orders) if orders["walls"] else _no_walls(orders)
        _report(wire, orders, abi)
    except Exception as error:  # noqa: BLE001 - whatever it was, no code may run now
        sys.stderr.write(f"sandbox: {type(error).__name__}: {error}\n")
        raise SystemExit(FAILED) from None
    if orders["module"]:
        _become(orders["module"], wire, orders)


def _begin_to_join(doors: list[int]) -> int | None:
    """Have a child put us into the control groups behind these descriptors; None when there are none.

    The system takes 10 ms and more for it, in which it does nothing.
    """
    if not doors:
        return None
    us = str(os.getpid()).encode()
    pid = os.fork()
    if pid:
        return pid
    try:
        for door in doors:
            os.write(door, us)
    except OSError as error:
        os.write(2, f"sandbox: the control group cannot be joined: {error}\n".encode())
        os._exit(1)
    os._exit(0)


def _has_joined(child: int | None) -> bool:
    """Wait for it; False when there are no groups, or one is shut."""
    return child is not None and os.waitpid(child, 0)[1] == 0


def _import_ahead(module: str | None) -> None:
    """What the worker will need of the standard library, while we would wait."""
    for name in _AHEAD if module else ():
        importlib.import_module(name)


def _guard() -> None:
    from codeact_kernel.sandbox.layers import processes

    processes.guard()


def _build_walls(orders: Mapping[str, Any]) -> int:
    """Every layer; the Landlock version in force."""
    from codeact_kernel.sandbox.layers import capabilities, idmap, landlock, rlimits, seccomp

    ports, families = _way_out(orders["doorway"])
    if orders["count_tasks"]:
        orders["limits"]["NPROC"] += rlimits.tasks_of(os.getuid())
    for path, uid, gid in orders["swap_owner"]:
        try:
            idmap.swap_owner(path, (uid, gid), orders["uid"])
        except OSError as error:
            # Not fatal: the folder is then as it is, and the self-test says what that means.
            sys.stderr.write(f"sandbox: owners of {path} cannot be mapped: {error}\n")
    if orders["stage"]:
        _stage(orders)
    capabilities.drop(orders["uid"])
    capabilities.die_with_parent()
    rlimits.restrict(orders["limits"])
    _set_scene(orders)
    abi = landlock.restrict(_grants(orders), ports)
    if orders["shared"]:
        seccomp.restrict_shared()
    # Memory behind a descriptor is nobody's: only a control group counts it.
    seccomp.restrict(families, absent=() if orders["grouped"] else ("memfd_create",))
    return abi


def _way_out(doorway: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ports that may be connected to and families of sockets: none without an allowlist."""
    if doorway is None:
        return (), ()
    from codeact_kernel.sandbox.layers import doorway as doorways

    doorways.hand_out(doorway)
    return (doorways.PORT,), doorways.FAMILIES


def _stage(orders: Mapping[str, Any]) -> None:
    """The workspace as a copy; where that cannot be had it stays read-only, and the report says so."""
    from codeact_kernel.sandbox.layers import overlay

    look = orders["look"]
    look["staging"] = overlay.stage(orders["stage"])
    if look["staging"] == "done":
        # A copy has other numbers; the folder below it was compared.
        ours = orders["stage"]["path"]
        look["marks"] = {
            path: mark
            for path, mark in look["marks"].items()
            if path != ours and not path.startswith(f"{ours}/")
        }


def _grants(orders: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Rules are about files, not names: /proc/self has to be the folder it stands for now."""
    ours = f"/proc/{os.getpid()}"
    return [(ours if path == "/proc/self" else path, kind) for path, kind in orders["grants"]]


def _no_walls(orders: Mapping[str, Any]) -> int:
    from codeact_kernel.sandbox.layers import capabilities

    capabilities.die_with_parent()
    _set_scene(orders)
    return 0


def _set_scene(orders: Mapping[str, Any]) -> None:
    """Environment, folders and working directory, as the user the code will run as."""
    os.environ.clear()  # noqa: TID251 - inside, the environment is our own making
    os.environ.update(orders["environment"])  # noqa: TID251
    time.tzset()
    os.umask(0o022)
    for folder in orders["folders"]:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    for link, target in orders["links"].items():
        os.symlink(target, link)
    try:
        os.chdir(orders["cwd"])
    except PermissionError:
        os.chdir(orders["look"]["scratch"])


def _close_all_but(*kept: int | None) -> None:
    start = 3
    for descriptor in sorted(number for number in kept if number is not None):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, 4096)


def _forget_orders() -> None:
    """What they came on is replaced by nothing to read."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _report(wire: int, orders: Mapping[str, Any], abi: int) -> None:
    from codeact_kernel.sandbox import selftest
    from codeact_kernel.wire import encode

    report = json.dumps(selftest.run(orders["look"], abi)).encode()
    stream = socket.socket(fileno=wire)
    try:
        stream.sendall(b"".join(bytes(piece) for piece in encode({"t": "selftest"}, (report,))))
    finally:
        stream.detach()


def _become(module: str, wire: int, orders: Mapping[str, Any]) -> None:
    """Find the environment's packages, then be the worker."""
    import site

    sys.path.remove(orders["package"])
    sys.dont_write_bytecode = True
    site.main()
    for folder in orders["site_folders"]:
        site.addsitedir(folder)
    sys.path += [path for path in orders["path"] if path not in sys.path]
    sys.argv = [module, str(wire), json.dumps(orders["config"])]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
