"""What becomes of sandboxes whose code uses something up: one sandbox for each program, all at once.

Prints JSON: by program the cause, the sentence and the answer, and who guarded the memory.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from codeact_kernel.sandbox.policy import MIB, Policy
from codeact_kernel.sandbox.process import launch

PROGRAMS = {
    "memory of eight": """
import os, time
for _ in range(8):
    if os.fork() == 0:
        kept = bytearray(48 << 20)
        kept[::4096] = b"x" * len(kept[::4096])
        time.sleep(60)
time.sleep(60)
""",
    "shared memory": """
import mmap, time
kept = mmap.mmap(-1, 600 << 20)
for place in range(0, len(kept), 4096):
    kept[place] = 1
time.sleep(60)
""",
    "forks": """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
""",
    "disk": """
import os, time
os.chdir("plain")
for number in range(12):
    with open(f"big{number}", "wb") as file:
        file.write(bytes(1 << 20) * 8)
time.sleep(60)
""",
    "deleted disk": """
import os, time
kept = open("plain/hidden", "wb")
os.unlink("plain/hidden")
kept.write(bytes(96 << 20))
kept.flush()
time.sleep(60)
""",
    "files": """
import os, time
for number in range(3000):
    open(f"plain/{number}", "x").close()
time.sleep(60)
""",
    "scratch files": """
import os, time
for number in range(3000):
    open(os.path.join(os.environ["TMPDIR"], str(number)), "x").close()
time.sleep(60)
""",
    "one process": "bytearray(400 << 20)",
    "descriptors": "kept = []\nwhile True: kept.append(open('/dev/null'))",
    "pool": """
import os, signal
pids = []
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        signal.pause()
    pids.append(pid)
import time; time.sleep(1.5)
for pid in pids:
    os.kill(pid, 9); os.waitpid(pid, 0)
answer = "worked"
""",
}
LASTS = ("one process", "descriptors", "pool")
"""These are answered; the others end their sandbox."""


async def tried(policy: Policy, program: str, lasts: bool) -> dict[str, Any]:
    """How one program went."""
    sandbox = await launch(policy, {}, module="probe_worker")
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bytes] = loop.create_future()
    try:
        sandbox.listen(
            lambda frame: None if answered.done() else answered.set_result(bytes(frame.parts[0])),
            lambda _: None,
        )
        sandbox.send({"t": "run"}, (program.encode(),))
        seen: dict[str, Any] = {"guard": sandbox.report.memory_guard, "grade": sandbox.grade}
        if lasts:
            return {**seen, **json.loads(await asyncio.wait_for(answered, 40))}
        ended = await asyncio.wait_for(sandbox.closed(), 40)
        return {**seen, "cause": ended.cause, "sentence": str(ended)}
    except TimeoutError:
        return {"cause": "none"}
    finally:
        sandbox.kill()


def empty(folder: Path) -> None:
    """Take away what a program left."""
    for left in folder.iterdir():
        left.unlink()


async def main() -> None:
    """Arguments: isolation, workspace."""
    policy = replace(
        Policy.strict(Path(sys.argv[2])),
        isolation=sys.argv[1],
        memory=256 * MIB,
        processes=50,
        disk_size=64 * MIB,
        disk_files=2000,
        open_files=100,
    )
    seen = {}
    for name, program in PROGRAMS.items():
        seen[name] = await tried(policy, program, name in LASTS)
        empty(Path(sys.argv[2], "plain"))
    sys.stdout.write(json.dumps(seen))


asyncio.run(main())
