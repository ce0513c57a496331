"""Everything a backend needs to know to start one sandbox, worked out once, outside.

Rule: values only. A backend turns a plan into a command line and orders for the launcher
(`inside.py` lists their keys by reading them); nothing here starts anything.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codeact_kernel.sandbox import folder as folders
from codeact_kernel.sandbox import fontstore
from codeact_kernel.sandbox import visible as visibles
from codeact_kernel.sandbox import workspace as workspaces
from codeact_kernel.sandbox.folder import Folder
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.visible import Visible
from codeact_kernel.sandbox.workspace import Workspace

_FIRST_UID = 1_900_000_000
"""Beyond every range that distributions, containers and systemd give out."""
_NOBODY = 65534


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`uid` is who the code runs as; `drops` whether that is somebody else than we are."""

    policy: Policy
    config: Mapping[str, Any]
    module: str | None
    uid: int
    gid: int
    folder: Folder
    visible: Visible
    workspace: Workspace
    mounts: tuple[Workspace, ...] = ()
    """The user's further folders."""
    unshown: tuple[str, ...] = ()
    """Why some of them are not among these."""
    fonts: str | None = None
    """The file name matplotlib gives its font list, when the folder has a copy of it."""

    @property
    def drops(self) -> bool:
        return self.uid != os.getuid()

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.workspace.notes, *self.unshown, *self.visible.notes)

    @property
    def folders(self) -> tuple[Workspace, ...]:
        """Every folder of the user's that is shown: the workspace, and the further ones."""
        return (*((self.workspace,) if self.workspace.path else ()), *self.mounts)

    @property
    def devices(self) -> list[tuple[str, bool]]:
        """Path, and whether it may be written, of each device that is there."""
        named = [mount for mount in self.policy.mounts if mount.device]
        return [(m.path, m.writable) for m in named if os.path.exists(m.path)]


def draw_up(policy: Policy, config: Mapping[str, Any], module: str | None, uid: int) -> Plan:
    """The plan, with its private folder made. Raises OSError when that cannot be."""
    homes = workspaces.home_folders()
    gid = uid if uid != os.getuid() else os.getgid()
    visible = visibles.environment(homes, os.getcwd())
    workspace = workspaces.examine(policy, homes, visible)
    mounts, unshown = workspaces.examine_mounts(policy, visible, workspace)
    folder = folders.make(policy.runtime, uid, gid)
    return Plan(
        policy=policy,
        config=config,
        module=module,
        uid=uid,
        gid=gid,
        folder=folder,
        visible=visible,
        workspace=workspace,
        mounts=mounts,
        unshown=unshown,
        fonts=_copy_fonts(policy, folder),
    )


def _copy_fonts(policy: Policy, folder: Folder) -> str | None:
    if (found := fontstore.find(policy.state)) is None:
        return None
    with open(found, "rb") as source, open(folder.fonts, "xb") as copy:
        copy.write(source.read())
    os.chmod(folder.fonts, 0o644)
    return found.name


def unprivileged_uid(policy: Policy) -> int:
    """Who the code will run as: as root a user that owns nothing, where there is one, else ourselves."""
    if os.getuid() != 0:
        return os.getuid()
    if policy.uid is not None:
        return policy.uid
    uid = _FIRST_UID + int.from_bytes(os.urandom(2))
    return next(filter(_is_mapped, (uid, _NOBODY)), os.getuid())


def orders(
    plan: Plan, *, backend: Mapping[str, Any], scratch: str, tmp: str, font_list: str
) -> dict[str, Any]:
    """What the launcher is told; `backend` brings the keys that differ between backends."""
    places = environment(plan, scratch)
    look = {
        "canary": plan.folder.canary,
        "forbidden": [
            *("/", "/usr", "/etc", plan.folder.path, plan.folder.forbidden),
            *(str(mount.path) for mount in plan.mounts if mount.mode == "ro"),
        ],
        "scratch": scratch,
        "workspace": plan.workspace.path,
        "masked": [path for folder in plan.folders for path in folder.masked],
        "marks": {k: mark for folder in plan.folders for k, mark in folder.marks.items()},
        "staging": "",
        "limits": list(limits(plan.policy)),
        "tmp": tmp,
        "proxy": None if plan.policy.egress is None else _proxy()[1],
        "ours": [],
    }
    return {
        "package": os.path.dirname(visibles.package_folder()),
        "walls": True,
        "guard": False,
        "count_tasks": False,
        "shared": False,
        "swap_owner": [],
        "stage": None,
        "uid": plan.uid if plan.drops else None,
        "limits": limits(plan.policy),
        "environment": places,
        "folders": [f"{scratch}/{name}" for name in _SCRATCH_FOLDERS.values()]
        + _packages(plan, scratch),
        "links": {f"{places['MPLCONFIGDIR']}/{plan.fonts}": font_list} if plan.fonts else {},
        "cwd": plan.workspace.path or scratch,
        "grants": [],
        "look": look,
        "module": plan.module,
        "path": [*plan.visible.search, *_packages(plan, scratch)],
        "site_folders": list(plan.visible.site_folders),
        "config": worker_config(plan),
        **backend,
    }


def limits(policy: Policy) -> dict[str, int]:
    """By the names of RLIMIT_*."""
    return {
        "DATA": policy.memory - policy.memory // 8,
        "NPROC": policy.processes,
        "FSIZE": policy.file_size,
        "NOFILE": policy.open_files,
        "CORE": 0,
    }


def worker_config(plan: Plan) -> dict[str, Any]:
    """What the worker gets: the caller's keys, and what only the policy decides."""
    imports = plan.policy.imports
    return {
        **plan.config,
        "workspace": plan.workspace.path,
        "profile": plan.policy.profile,
        "imports": None if imports is None else sorted(imports),
    }


_SCRATCH_FOLDERS = {
    "HOME": "home",
    "TMPDIR": "tmp",
    "XDG_CACHE_HOME": "home/.cache",
    "XDG_CONFIG_HOME": "home/.config",
    "XDG_DATA_HOME": "home/.local/share",
    "IPYTHONDIR": "home/.ipython",
    "MPLCONFIGDIR": "home/.cache/matplotlib",
    "JUPYTER_RUNTIME_DIR": "home/.local/share/jupyter/runtime",
}


_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
_PIP_PREFIX = "home/.local"
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")


VARIABLES = frozenset(_SCRATCH_FOLDERS) | {
    *_PROXY_VARIABLES, *map(str.upper, _PROXY_VARIABLES), "no_proxy", "NO_PROXY",
    "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_PREFIX", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
    "PATH", "LANG", "USER", "LOGNAME", "SHELL", "VIRTUAL_ENV", "TZ",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
    "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH", "GIT_CONFIG_NOSYSTEM",
    "TAR_OPTIONS",
}  # fmt: skip
"""All names `environment` may give."""


def environment(plan: Plan, scratch: str) -> dict[str, str]:
    """All variables there are inside."""
    places = {name: f"{scratch}/{path}" for name, path in _SCRATCH_FOLDERS.items()}
    values = {
        **places,
        "PATH": f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "USER": folders.USER,
        "LOGNAME": folders.USER,
        "SHELL": "/bin/sh",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    if sys.prefix != sys.base_prefix:
        values["VIRTUAL_ENV"] = sys.prefix
    if plan.policy.timezone:
        values["TZ"] = plan.policy.timezone
    return values if plan.policy.egress is None else {**values, **_proxy_environment(scratch)}


def _proxy() -> tuple[str, int]:
    """Where inside the proxy listens; only imported where there is one."""
    from codeact_kernel.sandbox.layers import doorway

    return doorway.ADDRESS


def _packages(plan: Plan, scratch: str) -> list[str]:
    """Where pip puts what it fetches, when it can fetch: the environment itself is read-only."""
    if plan.policy.egress is None:
        return []
    import sysconfig

    base = f"{scratch}/{_PIP_PREFIX}"
    scheme, places = sysconfig.get_preferred_scheme("prefix"), {"base": base, "platbase": base}
    paths = (sysconfig.get_path(name, scheme, places) for name in ("purelib", "platlib"))
    return list(dict.fromkeys(paths))


def _proxy_environment(scratch: str) -> dict[str, str]:
    """For requests, urllib, httpx, pip, curl …: some read small letters, some capitals."""
    host, port = _proxy()
    url = f"http://{host}:{port}"
    trusted = next(filter(os.path.isfile, _CERTIFICATES), None)
    return {
        # Some libraries bring a list of their own, which lacks what this machine was told to trust.
        **({"SSL_CERT_FILE": trusted, "REQUESTS_CA_BUNDLE": trusted} if trusted else {}),
        **{name: url for name in _PROXY_VARIABLES},
        **{name.upper(): url for name in _PROXY_VARIABLES},
        "no_proxy": "",
        "NO_PROXY": "",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_PREFIX": f"{scratch}/{_PIP_PREFIX}",
    }


def launcher(wire: int) -> list[str]:
    """The command that is started inside; its orders come on its standard input."""
    program = os.path.join(visibles.package_folder(), "sandbox", "inside.py")
    return [sys.executable, "-I", "-S", program, str(wire)]


def kept(channel: int, command: list[str]) -> list[str]:
    """The same command, started by somebody who may keep it for another kernel."""
    program = os.path.join(visibles.package_folder(), "sandbox", "keeper.py")
    return [sys.executable, "-I", "-S", program, str(channel), "--", *command]


def _is_mapped(uid: int) -> bool:
    """Does the user namespace we are in know `uid`? A container often knows 65536 only."""
    try:
        with open("/proc/self/uid_map") as file:
            rows = [tuple(map(int, line.split())) for line in file]
    except OSError:
        return False
    return any(first <= uid < first + count for first, _, count in rows)
