"""An outer process for tests: starts a sandbox, prints the pids of its tree, waits to be killed."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from codeact_kernel.sandbox.layers.processes import descendants
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.process import launch

DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
os.wait()
"""


async def main() -> None:
    """Arguments: isolation, runtime folder."""
    policy = replace(Policy.strict(), isolation=sys.argv[1], runtime=Path(sys.argv[2]))
    sandbox = await launch(policy, {}, module="probe_worker")
    answered = asyncio.Event()
    sandbox.listen(lambda _: answered.set(), lambda _: None)
    sandbox.send({"t": "run"}, (DAEMON.encode(),))
    await answered.wait()
    sys.stdout.write(json.dumps([sandbox.pid, *descendants(sandbox.pid)]) + "\n")
    sys.stdout.flush()
    await sandbox.closed()


asyncio.run(main())
