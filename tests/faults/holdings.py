"""What a kernel holds of the machine, and what is left of it."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.conftest import alive, below


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """Processes below (and with) a kernel, and the folders and control groups it has locked."""

    processes: tuple[int, ...] = ()
    places: tuple[str, ...] = ()

    def __add__(self, other: Holdings) -> Holdings:
        return Holdings(
            processes=(*self.processes, *other.processes), places=(*self.places, *other.places)
        )

    def left(self) -> list[str]:
        """What is still there."""
        running = [f"process {pid}" for pid in alive(list(self.processes))]
        return running + [place for place in self.places if os.path.lexists(place)]

    def gone(self, seconds: float = 10.0) -> list[str]:
        """Wait until nothing is left; what still is at the end."""
        deadline = time.monotonic() + seconds
        while (left := self.left()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left


def of_kernel(pid: int) -> Holdings:
    """Everything."""
    return Holdings(processes=(pid, *below(pid)), places=tuple(_places(pid)))


def of_sandbox(pid: int) -> Holdings:
    """What is held for the sandbox of this kernel."""
    return Holdings(processes=tuple(below(pid)), places=tuple(_places(pid)))


def _places(pid: int) -> Iterator[str]:
    """Sandboxes' folders and groups, by the descriptors that lock them."""
    for target in _targets(pid):
        found = re.match(r".*/codeact-sandbox-[0-9a-f]+", target)
        if found:
            yield found[0]


def _targets(pid: int) -> Iterator[str]:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield os.readlink(entry)
        except OSError:
            continue


def descriptors(pid: int) -> Counter[str]:
    """How many of which kind a process has open; a name with a number in it is its kind."""
    return Counter(re.sub(r"[0-9a-f]{4,}|\d+", "*", target) for target in _targets(pid))


def parent(pid: int) -> int:
    """Who started a process, or has it since; 0 when it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def processes_that_name(text: str) -> list[int]:
    """Whose program, environment or own mounts mention it: a way to find what nobody counted."""
    found = []
    ours = os.readlink("/proc/self/ns/mnt")
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            names = ["cmdline", "environ"]
            if os.readlink(folder / "ns/mnt") != ours:
                names.append("mountinfo")
            said = b"".join((folder / name).read_bytes() for name in names)
        except OSError:
            continue
        if text.encode() in said:
            found.append(int(folder.name))
    return alive(found)
