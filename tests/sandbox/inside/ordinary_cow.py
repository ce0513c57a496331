"""Mode cow for an ordinary user: one sandbox that writes, and what became of it, printed as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.process import launch
from codeact_kernel.sandbox.spawn import Kind
from codeact_kernel.sandbox.staging.area import About, reserve
from codeact_kernel.sandbox.staging.staging import Staging
from codeact_kernel.sandbox.warm import warm_up

PROGRAM = """
open("data.csv", "a").write("more")
open("new", "w").write("new")
open(".hook", "w").write("evil")
try:
    answer = open(".env").read()
except OSError as error:
    answer = type(error).__name__
"""


async def main() -> None:
    """Arguments: workspace, state folder, and "standby" for a sandbox that was warm when it was taken."""
    workspace = Path(sys.argv[1])
    area = reserve(Path(sys.argv[2]), About(str(workspace), ""), os.getuid())
    policy = replace(Policy.strict(workspace), workspace_mode="cow", isolation="namespaces")
    policy = replace(policy, staging=Path(area.path))
    early = None
    if sys.argv[3:] == ["standby"]:
        early = await warm_up(policy, {}, Kind("bubblewrap"), 30, module="probe_worker")
    sandbox = await launch(policy, {}, early, module="probe_worker")
    answers: asyncio.Queue[bytes] = asyncio.Queue()
    sandbox.listen(lambda frame: answers.put_nowait(bytes(frame.parts[0])), lambda _: None)
    sandbox.send({"t": "run"}, (PROGRAM.encode(),))
    reply = json.loads(await asyncio.wait_for(answers.get(), 30))
    before = sorted(os.listdir(workspace))
    staging = Staging(area)
    outcome = staging.put(staging.note())
    sandbox.kill()
    seen = {
        "stood by": early is not None and early.process.pid == sandbox.pid,
        "workspace": sandbox.report.workspace,
        "staging": sandbox.report.staging,
        "env": reply.get("error", reply.get("answer")),
        "before": before,
        "kept": sorted(outcome.done),
        "refused": sorted(path for path, _ in outcome.refused),
    }
    Staging(area).discard()
    Staging(area).tidy()
    area.close()
    sys.stdout.write(json.dumps(seen))


asyncio.run(main())
