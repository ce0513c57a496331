"""Bytecode of what is imported inside: written out here, because nobody inside may write it.

Rule: only what Python itself does when it imports a module: beside the source, in folders that are
the user's, and not where the user has forbidden it. An installer that compiles nothing would
otherwise make every start compile all of IPython anew.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from collections.abc import Iterable

PACKAGES = (
    *("codeact_kernel", "IPython", "ipykernel", "traitlets", "tornado", "comm", "dateutil"),
    *("jupyter_client", "jupyter_core", "pygments", "stack_data", "executing", "asttokens"),
    *("pure_eval", "decorator", "matplotlib_inline", "jedi", "parso", "zmq", "ipywidgets"),
)
"""What the kernel inside imports for itself, at the start or later."""
_PROGRAM = r"""
import compileall, os, re, sys
os.nice(19)
for folder in sys.argv[1:]:
    compileall.compile_dir(folder, quiet=2, rx=re.compile(r"[/\\]tests?[/\\]"))
"""


async def ensure(names: Iterable[str]) -> None:
    """Compile those of these packages that are not; seconds of one processor, beside this process.

    Cancelling it ends that, with what has been written until then in place.
    """
    if sys.dont_write_bytecode or sys.pycache_prefix is not None:
        return
    folders = missing(names)
    if not folders:
        return
    nothing = asyncio.subprocess.DEVNULL
    command = (sys.executable, "-I", "-S", "-c", _PROGRAM, *folders)
    process = await asyncio.create_subprocess_exec(
        *command, stdin=nothing, stdout=nothing, stderr=nothing, env={}
    )
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()


def missing(names: Iterable[str]) -> list[str]:
    """The folders of those packages whose own file has no bytecode, and that we may write to."""
    found = []
    for name in names:
        spec = importlib.util.find_spec(name)
        folders = spec.submodule_search_locations if spec is not None else None
        if spec is None or not folders or spec.origin is None:
            continue
        if name == "codeact_kernel":  # its own file is imported outside, too
            compiled = importlib.util.cache_from_source(
                os.path.join(folders[0], "worker/kernel.py")
            )
        else:
            compiled = importlib.util.cache_from_source(spec.origin)
        if not os.path.exists(compiled) and os.access(folders[0], os.W_OK):
            found.append(folders[0])
    return found
