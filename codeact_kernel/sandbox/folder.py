"""The private folder of one sandbox, outside: canary, stubs for /etc, blanks, stderr, and scratch.

Rule: whoever holds the lock owns the folder. One whose lock is free was left behind by a kernel
that was killed, and the next one to start takes it away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "codeact-sandbox-"
USER = "sandbox"


@dataclass(frozen=True, slots=True)
class Folder:
    """`path` is ours alone; `lock` is a descriptor that is held as long as the sandbox may run."""

    path: str
    lock: int

    @property
    def scratch(self) -> str:
        """Writable by the sandbox, where it has no scratch of its own in memory."""
        return f"{self.path}/scratch"

    @property
    def forbidden(self) -> str:
        """The sandbox's user may write here as far as file permissions go; only walls refuse it."""
        return f"{self.path}/forbidden"

    @property
    def canary(self) -> str:
        """A file anybody might read as far as file permissions go; only walls refuse it."""
        return f"{self.path}/canary"

    @property
    def blank_file(self) -> str:
        """Mounted over a secret file: nobody can open it."""
        return f"{self.path}/blank"

    @property
    def blank_folder(self) -> str:
        """Mounted over a secret folder: nobody can list it."""
        return f"{self.path}/blank.d"

    @property
    def fonts(self) -> str:
        """A copy of matplotlib's font list, when there is one."""
        return f"{self.path}/fontlist.json"

    @property
    def stderr(self) -> str:
        """What is said before the wire carries it."""
        return f"{self.path}/stderr"

    def etc(self, name: str) -> str:
        """The stub that stands in for /etc/<name>."""
        return f"{self.path}/{name}"

    def remove(self) -> None:
        """Delete it with all that is in it; idempotent."""
        delete(self.path)
        with contextlib.suppress(OSError):
            os.close(self.lock)


ETC_STUBS = ("passwd", "group", "nsswitch.conf", "hosts")


def make(runtime: Path, uid: int, gid: int) -> Folder:
    """A fresh folder below `runtime` for a sandbox that runs as `uid`. Raises OSError."""
    path = f"{os.path.realpath(runtime)}/{_PREFIX}{os.urandom(8).hex()}"
    os.mkdir(path, 0o700)
    lock = os.open(f"{path}/locking", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.rename(f"{path}/locking", f"{path}/lock")  # only now: `sweep` believes a lock it can take
    folder = Folder(path, lock)
    for name in (folder.scratch, folder.forbidden):
        os.mkdir(name, 0o700)
        if uid != os.getuid():
            os.chown(name, uid, gid)
    os.mkdir(folder.blank_folder, 0)
    _write(folder.canary, "Whoever reads this is not in a sandbox.\n")
    _write(folder.blank_file, "", 0)
    _write(folder.stderr, "")
    for name, text in _stubs(uid, gid).items():
        _write(folder.etc(name), text)
    if uid != os.getuid():
        os.chmod(path, 0o711)  # noqa: S103 - the other user has to pass through to its scratch
    return folder


def adopt(runtime: Path, path: str, lock: int) -> Folder:
    """The folder of a sandbox that another kernel of ours started. Raises OSError when it is none."""
    above, name = os.path.split(path)
    if above != os.path.realpath(runtime) or not name.startswith(_PREFIX):
        raise OSError(0, f"{path} is no folder of a sandbox")
    return Folder(path, lock)


def sweep(runtime: Path) -> None:
    """Take away what killed kernels of ours left below `runtime`."""
    with os.scandir(runtime) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False):
                _sweep(entry.path)


def _sweep(path: str) -> None:
    try:
        if os.stat(path, follow_symlinks=False).st_uid != os.getuid():
            return
        lock = os.open(f"{path}/lock", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    else:
        delete(path)
    finally:
        os.close(lock)


def delete(path: str) -> None:
    """Whatever code put there, however deep or forbidden. Nothing of it runs any more."""
    import shutil  # slow to import, and not needed to start

    def open_up(_: object, name: str, __: object) -> None:
        for folder in (os.path.dirname(name), name):
            with contextlib.suppress(OSError):
                if stat.S_ISDIR(os.lstat(folder).st_mode):
                    os.chmod(folder, 0o700)

    with contextlib.suppress(RecursionError):
        shutil.rmtree(path, onerror=open_up)
    if os.path.lexists(path):
        subprocess.run(["rm", "-rf", "--", path], check=False, stderr=subprocess.DEVNULL)


def _write(path: str, text: str, mode: int = 0o644) -> None:
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)


def _stubs(uid: int, gid: int) -> dict[str, str]:
    return {
        "passwd": f"{USER}:x:{uid}:{gid}::/scratch/home:/bin/sh\n",
        "group": f"{USER}:x:{gid}:\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
        "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    }
