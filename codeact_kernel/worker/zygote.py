"""What is done once, before the fork: imports, the kernel object, a first cell.

Rule: nothing here may start a thread, open a socket or make an event loop: it is copied by fork.
The garbage collector rests meanwhile and then forgets what there is, so that a child does not
touch (and so copy) every page at its first collection.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import types
from typing import Any

from codeact_kernel.worker.config import Config
from codeact_kernel.worker.imports import restrict
from codeact_kernel.worker.link import Link


def prepare(config: Config) -> WireKernel:
    """A warm kernel that is not connected yet; call its `live` in a fork."""
    gc.disable()
    if config.workspace:
        os.chdir(config.workspace)
    sys.path[:] = ["", *(path for path in sys.path if path not in ("", os.getcwd()))]
    link = Link()
    kernel = _build(link)
    for name in config.preload:
        _preload(name, kernel.log)
    shell: Any = kernel.shell
    shell.run_cell("0;", silent=True, store_history=False)
    if config.imports is not None:
        restrict(config.imports, config.profile)
    gc.freeze()
    return kernel


def _preload(name: str, log: logging.Logger) -> None:
    try:
        __import__(name)
    except Exception as error:  # noqa: BLE001  the cell that needs it will say so
        log.warning("could not preload %s: %s", name, error)


def _build(link: Link) -> WireKernel:
    with_debugger = types.ModuleType("ipykernel.debugger")
    with_debugger._is_debugpy_available = False  # type: ignore[attr-defined]
    sys.modules["ipykernel.debugger"] = with_debugger  # spares debugpy and its imports
    try:
        return _kernel(link)
    finally:
        del sys.modules["ipykernel.debugger"]


def _kernel(link: Link) -> WireKernel:
    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config as Traits

    from codeact_kernel.worker.kernel import LogHandler, WireKernel
    from codeact_kernel.worker.session import WireSession

    traits = Traits()
    traits.HistoryManager.hist_file = ":memory:"
    traits.IPKernelApp.connection_file = ""  # tqdm and others look for this key
    log = logging.getLogger("codeact.worker")
    log.propagate = False
    log.addHandler(LogHandler(link))
    # Never initialised: it is what `%matplotlib` and libraries look for to find the kernel.
    app = IPKernelApp.instance(config=traits)
    kernel = WireKernel.instance(
        parent=app, session=WireSession(link=link), link=link, log=log, iopub_socket=object()
    )
    app.kernel, app.shell, app.session = kernel, kernel.shell, kernel.session
    app.init_pdb()
    app.init_gui_pylab()
    app.init_extensions()
    return kernel


from codeact_kernel.worker.kernel import WireKernel  # noqa: E402
