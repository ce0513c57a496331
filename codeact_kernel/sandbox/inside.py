"""The launcher: the first program in the sandbox, which puts the last walls around itself.

    python -I -S inside.py WIRE <ORDERS

Rule: standard library only. The order is fixed: control group, descriptors, guardian, owners, privileges, limits,
environment, Landlock, seccomp, self-test, and only then the environment's packages and the worker,
in this same process. A layer that fails ends it: exit code 70 and one line on stderr.
Of one that is to stand by something is left for later (`late.py`): the worker does its imports, and
before any code runs in it that is done.

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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codeact_kernel.sandbox.late import Late
    from codeact_kernel.sandbox.layers.mounter import Mounter

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
        _close_all_but(wire, orders["doorway"], orders["bell"])
        _forget_orders()
        if orders["guard"]:
            _guard()
        late = None
        if orders["bell"] is None:
            _report(wire, orders, _build_walls(orders) if orders["walls"] else _no_walls(orders))
        else:
            late = _put_off(wire, orders)
            if not orders["module"]:
                late.complete()
    except Exception as error:  # noqa: BLE001 - whatever it was, no code may run now
        sys.stderr.write(f"sandbox: {type(error).__name__}: {error}\n")
        raise SystemExit(FAILED) from None
    if orders["module"]:
        _become(orders["module"], wire, orders, late)


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
    from codeact_kernel.sandbox.layers import landlock, overlay

    ports, families = _way_out(orders["doorway"])
    _swap_owners(orders)
    if orders["stage"]:
        # Where it cannot be had the workspace stays read-only, and the report says so.
        overlay.keep_mounts_apart(orders["stage"])
        overlay.note(orders["look"], orders["stage"]["path"], overlay.stage(orders["stage"]))
    _step_down(orders)
    abi = landlock.restrict(orders["grants"], ports)
    _filter_calls(orders, families)
    return abi


def _put_off(wire: int, orders: dict[str, Any]) -> Late:
    """Every layer that can be had before the sandbox is taken; what is left to do then."""
    from codeact_kernel.sandbox import selftest
    from codeact_kernel.sandbox.late import Late
    from codeact_kernel.sandbox.layers import landlock
    from codeact_kernel.sandbox.layers.mounter import leave_behind

    bell: int = orders["bell"]
    mounter: Mounter | None = None
    ports, families = _way_out(orders["doorway"])
    if orders["walls"]:
        _swap_owners(orders)
        if orders["stage"]:
            mounter = leave_behind(orders["stage"], bell)
        _step_down(orders)
        if mounter is not None:
            landlock.restrict_all_but_files(ports)
        else:
            # Which process will be the one that runs code is not known yet; it narrows this.
            grants = [
                ("/proc" if path == "/proc/self" else path, k) for path, k in orders["grants"]
            ]
            landlock.restrict(grants, ports)
        _filter_calls(orders, families)
    else:
        _no_walls(orders)
    legacy = selftest.legacy(but={bell} if mounter is None else {mounter.word, mounter.end})
    return Late(wire=wire, bell=bell, mounter=mounter, orders=orders, ports=ports, legacy=legacy)


def _swap_owners(orders: Mapping[str, Any]) -> None:
    from codeact_kernel.sandbox.layers import idmap

    for path, uid, gid in orders["swap_owner"]:
        try:
            idmap.swap_owner(path, (uid, gid), orders["uid"])
        except OSError as error:
            # Not fatal: the folder is then as it is, and the self-test says what that means.
            sys.stderr.write(f"sandbox: owners of {path} cannot be mapped: {error}\n")


def _step_down(orders: Mapping[str, Any]) -> None:
    """Privileges, limits, environment: from here on as the user the code will run as."""
    from codeact_kernel.sandbox.layers import capabilities, rlimits

    if orders["count_tasks"]:
        orders["limits"]["NPROC"] += rlimits.tasks_of(os.getuid())
    capabilities.drop(orders["uid"])
    capabilities.die_with_parent()
    rlimits.restrict(orders["limits"])
    _set_scene(orders)


def _filter_calls(orders: Mapping[str, Any], families: tuple[int, ...]) -> None:
    from codeact_kernel.sandbox.layers import seccomp

    if orders["shared"]:
        seccomp.restrict_shared()
    # Memory behind a descriptor is nobody's: only a control group counts it.
    seccomp.restrict(families, absent=() if orders["grouped"] else ("memfd_create",))


def _way_out(doorway: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ports that may be connected to and families of sockets: none without an allowlist."""
    if doorway is None:
        return (), ()
    from codeact_kernel.sandbox.layers import doorway as doorways

    doorways.hand_out(doorway)
    return (doorways.PORT,), doorways.FAMILIES


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
        # What a sandbox that stands by has there now is covered when it is taken.
        os.chdir(orders["cwd"] if orders["bell"] is None else orders["look"]["scratch"])
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


def _become(module: str, wire: int, orders: Mapping[str, Any], late: Late | None) -> None:
    """Find the environment's packages, then be the worker."""
    import site

    sys.path.remove(orders["package"])
    sys.dont_write_bytecode = True
    site.main()
    for folder in orders["site_folders"]:
        site.addsitedir(folder)
    sys.path += [path for path in orders["path"] if path not in sys.path]
    sys.argv = [module, str(wire), json.dumps(orders["config"])]
    runpy.run_module(module, {"late": late}, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
