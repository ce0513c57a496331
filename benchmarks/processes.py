"""The processes of a kernel, and the memory of all of them together."""

from __future__ import annotations

from pathlib import Path


def below(pid: int) -> list[int]:
    """The descendants of a process."""
    found = [pid]
    for each in found:
        for task in _entries(f"/proc/{each}/task"):
            try:
                found += map(int, (task / "children").read_text().split())
            except OSError:
                continue
    return found[1:]


def memory(pid: int) -> int:
    """PSS of a process and all below it, in bytes: what is shared is counted once."""
    total = 0
    for each in (pid, *below(pid)):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def _entries(path: str) -> list[Path]:
    try:
        return list(Path(path).iterdir())
    except OSError:
        return []
