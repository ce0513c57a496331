"""The memory of all processes of a kernel together."""

from __future__ import annotations

from pathlib import Path

from codeact_kernel.sandbox.usage import tree


def memory(pid: int) -> int:
    """PSS of a process and all below it, in bytes: what is shared is counted once."""
    total = 0
    for each in tree(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total
