"""What must be visible inside besides the workspace: the Python environment and a few files of /etc.

Rule: exactly these paths, read-only, never the folder around them. A path that would show the
user's home (or one of its parents) is left out and said so.
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32")

MACHINE = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls",
    "/etc/pki/ca-trust",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/mime.types",
    "/etc/magic",
    "/etc/manpath.config",
    "/etc/man_db.conf",
    "/etc/groff",
    "/etc/xml",
    "/etc/sgml",
    "/etc/texmf",
    "/etc/papersize",
    "/etc/ImageMagick-6",
    "/etc/ImageMagick-7",
    "/etc/OpenCL",
    "/etc/os-release",
    "/etc/debian_version",
    "/etc/java-11-openjdk",
    "/etc/java-17-openjdk",
    "/etc/java-21-openjdk",
    "/etc/java-25-openjdk",
    "/etc/locale.alias",
    "/etc/protocols",
    "/etc/services",
    "/etc/terminfo",
    "/var/cache/fontconfig",
    "/var/cache/man",
)
"""What programs read of the machine, and fail or complain without."""
_STORES = ("/nix/store", "/gnu/store")
"""Whole systems live in these, each package in a folder of its own that links to the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """`paths` to show at their own place, `search` for sys.path inside, `notes` for the report."""

    paths: tuple[str, ...]
    search: tuple[str, ...]
    site_folders: tuple[str, ...]
    notes: tuple[str, ...] = ()


def package_folder() -> str:
    """The folder of codeact_kernel itself: shown always, and never writable."""
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def environment(homes: tuple[str, ...], cwd: str) -> Visible:
    """What this interpreter imports from, found in the running process.

    None of `homes` is ever shown as a whole. An entry of sys.path that is the working directory `cwd` is
    where the user works, not where packages come from: it is left out.
    """
    package = package_folder()
    search = [path for path in sys.path if _is_installed(path, cwd)]
    wanted = [
        sys.base_prefix,
        sys.base_exec_prefix,
        sys.prefix,
        sys.exec_prefix,
        *search,
        *_editable_targets(),
        *(store for store in _STORES if sys.base_prefix.startswith(store)),
        *(path for home in homes for path in _user_fonts(home)),
    ]
    notes = []
    paths: list[str] = []
    for path in dict.fromkeys(os.path.abspath(path) for path in wanted):
        if not os.path.exists(path):
            continue
        if any(_shows(path, home) for home in homes):
            notes.append(
                f"Modules in {path} cannot be imported inside: showing that folder would show your home."
            )
        else:
            paths += [path, os.path.realpath(path)]
    paths += [package, os.path.realpath(package)]
    paths += _interpreter_chain(sys.executable)
    return Visible(
        paths=tuple(_without_covered(paths)),
        search=tuple(search),
        site_folders=_user_site(),
        notes=tuple(notes),
    )


def is_imported(path: str, visible: Visible) -> bool:
    """Would a module that is left in `path`, a real path, be found by this process?

    True for a folder of the search path itself, and for anything within an environment.
    """
    environments = (package_folder(), sys.prefix, sys.base_prefix)
    searched = map(os.path.realpath, (*sys.path, *visible.search))
    return path in searched or any(
        is_below(path, os.path.realpath(folder)) for folder in environments
    )


def is_below(path: str, folder: str) -> bool:
    """Is `path` the folder itself or somewhere in it? By name alone, both absolute."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _is_installed(path: str, cwd: str) -> bool:
    return bool(path) and os.path.exists(path) and os.path.abspath(path) != cwd


def _shows(path: str, home: str) -> bool:
    return is_below(home, os.path.realpath(path)) or is_below(home, path)


def _without_covered(paths: Iterable[str]) -> Iterator[str]:
    """Each path once, parents first, without those a system folder or a parent shows already."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda path: (path.count("/"), path)):
        if not any(is_below(path, folder) for folder in (*SYSTEM, *kept)):
            kept.append(path)
            yield path


def _interpreter_chain(executable: str) -> list[str]:
    """The interpreter and every link on the way to its file, each under the name it is called by."""
    chain: list[str] = []
    path = os.path.abspath(executable)
    while len(chain) < 40:
        chain.append(path)
        try:
            target = os.readlink(path)
        except OSError:
            break
        path = os.path.normpath(os.path.join(os.path.dirname(path), target))
    return [*chain, os.path.realpath(executable)]


def _editable_targets() -> Iterator[str]:
    """Folders that import hooks of editable installs point to; plain .pth lines are in sys.path."""
    for name, module in list(sys.modules.items()):
        if not name.startswith("__editable__"):
            continue
        for table in (getattr(module, "MAPPING", {}), getattr(module, "NAMESPACES", {})):
            for target in table.values():
                yield from [target] if isinstance(target, str) else target
    for finder in sys.meta_path:
        known = getattr(finder, "known_source_files", None)  # scikit-build-core
        if isinstance(known, dict):
            yield from {os.path.dirname(path) for path in known.values() if isinstance(path, str)}


def _user_fonts(home: str) -> list[str]:
    return [os.path.join(home, ".fonts"), os.path.join(home, ".local/share/fonts")]


def _user_site() -> tuple[str, ...]:
    folder = site.USER_SITE if site.ENABLE_USER_SITE else None
    return (folder,) if folder and folder in sys.path else ()
