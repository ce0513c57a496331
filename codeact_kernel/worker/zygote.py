"""What is done once, before the fork: imports, the kernel object, a first cell; and entering the folder.

Rule: nothing here may start a thread, open a socket or make an event loop: it is copied by fork.
The garbage collector rests meanwhile and then forgets what there is, so that a child does not
touch (and so copy) every page at its first collection.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from codeact_kernel.worker import spared
from codeact_kernel.worker.config import Config
from codeact_kernel.worker.fresh import codeact_shared_memory

if TYPE_CHECKING:
    from codeact_kernel.worker.kernel import WireKernel


def prepare(config: Config) -> WireKernel:
    """A warm kernel that is not connected yet; call `enter`, and its `live` in a fork."""
    gc.disable()
    sys.path[:] = [path for path in sys.path if path not in ("", os.getcwd())]
    spared.leave_out()
    codeact_shared_memory.install()
    kernel = _build()
    for name in config.preload:
        _preload(name, kernel.log)
    exercise(kernel)
    if config.imports is not None:
        _restrict(config)
    gc.freeze()
    return kernel


def exercise(kernel: WireKernel) -> None:
    """A cell that does nothing."""
    shell: Any = kernel.shell
    shell.run_cell("0;", silent=True, store_history=False)


def enter(workspace: str | None) -> None:
    """Be in the notebook's folder. Last of all: a file beside the notebook must not pass for one of ours."""
    if workspace:
        os.chdir(workspace)
    sys.path.insert(0, "")


def _build() -> WireKernel:
    from traitlets.config import Config as Traits

    from codeact_kernel.worker import later
    from codeact_kernel.worker.kernel import WireKernel
    from codeact_kernel.worker.link import Link
    from codeact_kernel.worker.messages import LogHandler
    from codeact_kernel.worker.session import WireSession

    link = Link()
    log = logging.getLogger("codeact.worker")
    log.propagate = False
    log.addHandler(LogHandler(link))
    traits = Traits()
    traits.HistoryManager.hist_file = ":memory:"
    traits.IPKernelApp.connection_file = ""  # tqdm and others look for this key
    kernel = WireKernel.instance(
        config=traits, session=WireSession(link=link), link=link, log=log, iopub_socket=object()
    )
    spared.settle()
    later.defer("ipykernel.kernelapp", lambda: _make_app(kernel, traits))
    _finish_shell(kernel)
    return kernel


def _make_app(kernel: WireKernel, traits: Any) -> None:
    """The application that libraries look up to find the kernel; never initialised."""
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance(config=traits)
    app.kernel, app.shell, app.session = kernel, kernel.shell, kernel.session


def _finish_shell(kernel: WireKernel) -> None:
    """What ipykernel's application does to its shell at the start."""
    from codeact_kernel.worker import charts, later

    later.defer("pdb", _use_interruptible_pdb)
    if not os.environ.get("MPLBACKEND"):
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    shell: Any = kernel.shell
    charts.prepare(shell)
    shell.extension_manager.load_extension("storemagic")


def _use_interruptible_pdb() -> None:
    """The standard one, stopped at its prompt, would not hear an interrupt."""
    import pdb

    from IPython.core import debugger

    vars(debugger)["Pdb"] = debugger.InterruptiblePdb
    vars(pdb).update(Pdb=debugger.InterruptiblePdb, set_trace=debugger.set_trace)


def _preload(name: str, log: logging.Logger) -> None:
    try:
        __import__(name)
    except Exception as error:  # noqa: BLE001  the cell that needs it will say so
        log.warning("could not preload %s: %s", name, error)


def _restrict(config: Config) -> None:
    from codeact_kernel.worker.imports import restrict

    if config.imports is not None:
        restrict(config.imports, config.profile)
