"""What this kernel says of itself, without asking the sandbox.

Rule: kernel_info is known before anything inside runs, and nothing inside can change it. The
sandbox runs the same interpreter, so its version is ours.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

import codeact_kernel
from codeact_kernel.kernel.channels.messages import PROTOCOL

VERSION = codeact_kernel.__version__


def kernel_info(isolation: Sequence[str] = ()) -> dict[str, Any]:
    """The content of kernel_info_reply; `isolation`: sentences of what the sandbox does not hold."""
    python = sys.version.split()[0]
    return {
        "status": "ok",
        "protocol_version": PROTOCOL,
        "implementation": "codeact",
        "implementation_version": VERSION,
        "language_info": {
            "name": "python",
            "version": python,
            "mimetype": "text/x-python",
            "codemirror_mode": {"name": "ipython", "version": sys.version_info[0]},
            "pygments_lexer": "ipython3",
            "nbconvert_exporter": "python",
            "file_extension": ".py",
        },
        "banner": "\n".join(
            [
                f"CodeAct {VERSION} on Python {python}: IPython and an agent. "
                "`%agent help` says how to give it a task.",
                *isolation,
            ]
        ),
        "help_links": [
            {"text": "Python Reference", "url": f"https://docs.python.org/{python[:4]}"}
        ],
        "supported_features": ["debugger"],
        "debugger": True,
    }


def usage() -> dict[str, Any]:
    """The content of usage_reply: this process and all below it, the sandbox too. Some ms of CPU."""
    import psutil  # type: ignore[import-untyped]  # no stubs; 10 ms that few kernels need

    memory, cpu = 0, 0.0
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        try:
            memory += process.memory_info().rss
            cpu += process.cpu_percent(None)
        except psutil.Error:
            continue
    host = psutil.virtual_memory()
    return {
        "hostname": socket.gethostname(),
        "pid": os.getpid(),
        "kernel_cpu": cpu,
        "kernel_memory": memory,
        "cpu_count": psutil.cpu_count(),
        "host_cpu_percent": psutil.cpu_percent(None),
        "host_virtual_memory": dict(host._asdict()),
    }
