"""What stands outside and must not be touched, and who looks at it.

Rule: an escape is something that happened: a secret came out, somebody called, a file, a process
or the machine is not what it was. What a program says about itself counts for nothing, but for the
one word it may only say when it holds in its hands what it must not get.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VICTIM = """
import ctypes, os, signal, sys
def caught(number, frame):
    os.write(1, f"signal {number};".encode())
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, caught)
secret = sys.argv[1]
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # it ends with the tests
ctypes.CDLL(None).prctl(0x59616d61, -1, 0, 0, 0)
os.write(1, b"ready;")
while True:
    signal.pause()
"""


class Canaries:
    """All of them, owned by `uid`, below a folder that everybody may enter."""

    def __init__(self, uid: int) -> None:
        self.uid = uid
        self.secrets = {name: f"{name}-{secrets.token_hex(12)}" for name in _SECRETS}
        self.flag = f"flag-{secrets.token_hex(12)}"
        self.nap = str(100_000_000 + secrets.randbelow(800_000_000))
        self.base = Path(tempfile.mkdtemp(prefix="codeact-canaries-"))
        self.base.chmod(0o755)
        self._set_up()

    # -- standing ---------------------------------------------------------------------------

    def _set_up(self) -> None:
        self._make_files()
        self._listen()
        self._start_victim()
        self._seen = self._state()

    def restore(self) -> None:
        """Everything new, after something happened to it."""
        self._take_down()
        for path in self.base.iterdir():
            shutil.rmtree(path)
        self._set_up()

    def _make_files(self) -> None:
        self.outside, self.work = self.base / "outside", self.base / "home/work"
        for folder in (
            self.outside / "sub",
            *(self.work / name for name in (".git/hooks", ".ssh", "sub/deeper", "plain")),
        ):
            folder.mkdir(parents=True)
        hidden = self.secrets["workspace"]
        for path, text in {
            self.outside / "secret.txt": self.secrets["file"],
            self.outside / "victim.txt": "as it was\n",
            self.work / "data.csv": "a,b\n1,2\n",
            self.work / "notebook.ipynb": "{}",
            self.work / ".env": hidden,
            self.work / ".ssh/id_ed25519": hidden,
            self.work / "sub/deeper/.env.production": hidden,
            self.work / ".git/config": "[core]\n",
            self.work / ".gitignore": "*.pyc\n",
        }.items():
            path.write_text(text)
        (self.work / "outward").symlink_to(self.outside / "secret.txt")
        (self.work / "plain/outward").symlink_to(self.outside)
        for path in (self.base / "home", *(self.base / "home").rglob("*"), self.outside):
            os.chown(path, self.uid, self.uid, follow_symlinks=False)
        self.outside.chmod(0o777)
        (self.outside / "sub").chmod(0o777)
        for path in self.outside.glob("*.txt"):
            path.chmod(0o666)

    def _listen(self) -> None:
        self._sockets: dict[str, socket.socket] = {}
        self.names: dict[str, Any] = {}
        stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
        for name, family, kind, address in (
            ("PORT", socket.AF_INET, stream, ("127.0.0.1", 0)),
            ("PORT6", socket.AF_INET6, stream, ("::1", 0)),
            ("UDP", socket.AF_INET, datagram, ("127.0.0.1", 0)),
            ("ABSTRACT", socket.AF_UNIX, stream, f"\0{self.base.name}"),
            ("ABSTRACT_DATAGRAM", socket.AF_UNIX, datagram, f"\0{self.base.name}-d"),
            ("SOCKET", socket.AF_UNIX, stream, str(self.outside / "stream.sock")),
            ("DATAGRAM", socket.AF_UNIX, datagram, str(self.outside / "datagram.sock")),
        ):
            made = socket.socket(family, kind)
            try:
                made.bind(address)
            except OSError:  # no IPv6 here
                made.close()
                self.names[name] = 1
                continue
            if kind == stream:
                made.listen(64)
            if isinstance(address, str) and address.startswith("/"):
                os.chmod(address, 0o777)  # noqa: S103 - nothing but the walls may keep anybody out
            self._sockets[name] = made
            self.names[name] = address if family == socket.AF_UNIX else made.getsockname()[1]

    def _start_victim(self) -> None:
        how: dict[str, Any] = {} if self.uid == os.getuid() else {"user": self.uid}
        python = sys.executable if not how else "/usr/bin/python3"
        self.victim = subprocess.Popen(
            [python, "-I", "-S", "-c", VICTIM, self.secrets["process"]],
            stdout=subprocess.PIPE,
            env={"VICTIM": self.secrets["environ"]},
            **how,
        )
        assert self.victim.stdout is not None
        assert self.victim.stdout.read(6) == b"ready;"

    def given(self, outer: int) -> dict[str, Any]:
        """The names a program may use; they tell it where everything is."""
        return {
            **self.names,
            "SECRET": str(self.outside / "secret.txt"),
            "OUTSIDE": str(self.outside),
            "TARGET": str(self.outside / "victim.txt"),
            "WORK": str(self.work),
            "VICTIM": self.victim.pid,
            "OUTER": outer,
            "FLAG": self.flag,
            "NAP": self.nap,
        }

    # -- looking ----------------------------------------------------------------------------

    def tripped(self, said: str) -> list[str]:
        """What happened since the last look; [] is how it should be."""
        found = [
            f"the secret of the {name} came out"
            for name, text in self.secrets.items()
            if text in said
        ]
        if self.flag in said:
            found.append("it says that it got what it must not get")
        found += self._calls()
        before, self._seen = self._seen, self._state()
        for what in sorted({*before, *self._seen}):
            if before.get(what) != self._seen.get(what):
                found.append(f"{what} was {before.get(what)} and is {self._seen.get(what)}")
        return found

    def _calls(self) -> Iterator[str]:
        while True:
            ready, _, _ = select.select([*self._sockets.values()], [], [], 0)
            if not ready:
                return
            for name, made in self._sockets.items():
                if made in ready:
                    if made.type == socket.SOCK_STREAM:
                        made.accept()[0].close()
                    else:
                        made.recv(65536)
                    yield f"somebody came to {name}"

    def _state(self) -> dict[str, object]:
        return {**dict(self._files()), **dict(self._process()), **dict(_machine())}

    def _files(self) -> Iterator[tuple[str, object]]:
        watched = [self.outside, self.work / "notebook.ipynb", self.work / ".gitignore"]
        watched += [self.work / ".env", self.work / ".git", self.work / ".ssh", self.base]
        watched += [self.work / "sub/deeper/.env.production"]
        for top in watched:
            below = [] if top == self.base else sorted(top.rglob("*")) if top.is_dir() else []
            for path in (top, *below):
                yield str(path), _look(path)

    def _process(self) -> Iterator[tuple[str, object]]:
        pid = self.victim.pid
        yield "the process outside", self.victim.poll()
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            yield "its state", "T" in fields[0] or "t" in fields[0]
            yield "its priority", fields[15:17]
            yield "its limits", Path(f"/proc/{pid}/limits").read_text()
            yield "its score", Path(f"/proc/{pid}/oom_score_adj").read_text()
            yield "its processors", os.sched_getaffinity(pid)
            yield "its name", Path(f"/proc/{pid}/comm").read_text()
        assert self.victim.stdout is not None
        if select.select([self.victim.stdout], [], [], 0)[0]:
            yield "its signals", os.read(self.victim.stdout.fileno(), 65536)

    def left_running(self) -> list[str]:
        """Processes with the nap's number in their command that still run."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self.nap.encode() in (entry / "cmdline").read_bytes():
                    found.append(entry.name)
        return found

    def remove(self) -> None:
        """Take everything away."""
        self._take_down()
        shutil.rmtree(self.base)

    def _take_down(self) -> None:
        self.victim.kill()
        self.victim.wait()
        assert self.victim.stdout is not None
        self.victim.stdout.close()
        for made in self._sockets.values():
            made.close()


_SECRETS = ("file", "workspace", "process", "environ", "outer")


def _look(path: Path) -> object:
    try:
        found = path.lstat()
    except OSError:
        return None
    if path.is_symlink():
        content = os.readlink(path)
    elif path.is_file():
        content = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    else:
        content = ""
    times = 0 if path.is_dir() and path.name == "home" else found.st_mtime_ns
    return (oct(found.st_mode), found.st_uid, found.st_gid, found.st_nlink, times, content)


def _machine() -> Iterator[tuple[str, object]]:
    """What only root could change, or what all programs share."""
    yield "the machine's name", (socket.gethostname(), os.uname())
    for name in ("sys/kernel/domainname", "sys/kernel/core_pattern", "sys/kernel/printk", "swaps"):
        with contextlib.suppress(OSError):
            yield name, Path(f"/proc/{name}").read_text()
    yield "the mounts", Path("/proc/self/mounts").read_text().count("codeact-canaries")
    for path in (
        "/etc/passwd",
        "/etc/hosts",
        "/etc/ld.so.preload",
        "/etc/crontab",
        "/root/.bashrc",
    ):
        yield path, _look(Path(path))
