"""An outer process for tests: holds a secret, starts sandboxes, passes programs in and texts out.

Reads commands, one JSON object a line, and answers each with one. `start` {isolation, workspace,
limits}, `run` {code, names, seconds}, `stop`. Its environment and memory hold what must not get in.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from codeact_kernel.sandbox.ended import Ended
from codeact_kernel.sandbox.policy import MIB, Policy
from codeact_kernel.sandbox.process import Sandbox, launch
from codeact_kernel.wire import Frame

SECRET = os.environ.get("OUTER_SECRET", "") * 2


def small(policy: Policy) -> Policy:
    """Limits that a program can reach quickly."""
    return replace(
        policy,
        memory=128 * MIB,
        processes=24,
        file_size=8 * MIB,
        open_files=64,
        tmp_size=8 * MIB,
        scratch_size=16 * MIB,
    )


class Outer:
    """At most one sandbox."""

    def __init__(self) -> None:
        self.sandbox: Sandbox | None = None
        self.said: asyncio.Queue[str] = asyncio.Queue()
        self.ended = ""

    async def start(self, isolation: str, workspace: str, limits: str) -> dict[str, Any]:
        self.stop()
        policy = replace(Policy.notebook(Path(workspace)), isolation=isolation, processes=64)
        if limits == "small":
            policy = small(policy)
        self.said, self.ended = asyncio.Queue(), ""
        self.sandbox = await launch(policy, {}, module="corpus_worker")
        self.sandbox.listen(self._frame, self._end)
        return {"grade": self.sandbox.grade, "pid": self.sandbox.pid}

    def _frame(self, frame: Frame) -> None:
        self.said.put_nowait(frame.parts[0].decode("latin-1") if frame.parts else "")

    def _end(self, ended: Ended) -> None:
        self.ended = str(ended)
        self.said.put_nowait("")

    async def run(self, code: str, names: dict[str, Any], seconds: float) -> dict[str, Any]:
        if self.sandbox is None or self.ended:
            return {"said": "", "ended": self.ended or "There is none."}
        parts = (code.encode(), json.dumps(names).encode())
        self.sandbox.send({"t": "run", "seconds": seconds}, parts)
        try:
            said = await asyncio.wait_for(self.said.get(), seconds + 2)
        except TimeoutError:
            self.stop()
            return {"said": "", "ended": "It did not answer."}
        return {"said": said, "ended": self.ended}

    def stop(self) -> dict[str, Any]:
        if self.sandbox is not None:
            self.sandbox.kill()
            self.sandbox = None
        return {}


async def main() -> None:
    """Until the standard input ends."""
    outer = Outer()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        do = command.pop("do")
        if do == "start":
            answer = await outer.start(**command)
        elif do == "run":
            answer = await outer.run(**command)
        else:
            answer = outer.stop()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    outer.stop()


if __name__ == "__main__":
    asyncio.run(main())
