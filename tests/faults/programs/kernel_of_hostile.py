"""The kernel as it is, but for what runs in its real sandbox: `hostile_worker`.

Arguments: the connection file, the mode, seconds until it must be ready, seconds for a cell.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import replace
from pathlib import Path

from codeact_kernel.kernel.app import Kernel
from codeact_kernel.kernel.channels.connection import read_connection_file
from codeact_kernel.kernel.relay.link import Link
from codeact_kernel.kernel.run.model_choice import Models
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.process import Sandbox, launch
from codeact_kernel.settings import Settings


async def main() -> None:
    """Serve until shut down."""
    logging.basicConfig(level="INFO")
    file, here = Path(sys.argv[1]), Path.cwd()
    policy = replace(Policy.notebook(here), cell_seconds=float(sys.argv[4]))

    async def start(first: bool) -> Sandbox:
        return await launch(policy, {"mode": sys.argv[2]}, module="hostile_worker")

    await Kernel(
        read_connection_file(file),
        Settings(),
        policy,
        Link(start, ready_seconds=float(sys.argv[3])),
        choose_model=Models(here).choose,
        load_provider=lambda: None,
        journals=here / "runs",
    ).serve()


if __name__ == "__main__":
    asyncio.run(main())
