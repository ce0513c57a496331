"""What ipykernel imports and this kernel does not use: deferred, or stood in for, at the start.

Rule: a list and nothing clever. A name that another version of a package needs at its import is not
in it, so the module is executed then: a start that takes longer, never one that fails.
"""

from __future__ import annotations

import logging
import sys
import types

from codeact_kernel.worker import connect, later


def leave_out() -> None:
    """Before IPython and ipykernel are imported, and before asyncio is: a quarter of the import time."""
    _network()
    _clients()
    _rarely_used()
    sys.modules["ipykernel.connect"] = connect
    debugger = types.ModuleType("ipykernel.debugger")
    debugger._is_debugpy_available = False  # type: ignore[attr-defined]
    sys.modules["ipykernel.debugger"] = debugger


def settle() -> None:
    """After them: code in cells gets the real ones."""
    sys.modules.pop("ipykernel.debugger", None)
    later.settle()


def _network() -> None:
    """Nothing is spoken but frames: no ZMQ, no TLS."""
    later.defer("ssl")
    later.defer("asyncio.sslproto")
    later.defer("zmq", known={"NOBLOCK": 1, "POLLOUT": 2}, MessageTracker=object)
    later.defer("zmq.asyncio")
    later.defer("zmq.eventloop")
    later.defer("zmq.eventloop.zmqstream", ZMQStream=type("ZMQStream", (), {}))


def _clients() -> None:
    later.defer("jupyter_client")
    later.defer(
        "jupyter_core.paths",
        jupyter_runtime_dir=later.call("jupyter_core.paths.jupyter_runtime_dir"),
    )
    later.defer("ipykernel.subshell", SubshellThread=object)
    later.defer("dateutil.parser", isoparse=later.call("dateutil.parser.isoparse"))
    later.defer("dateutil.tz", tzlocal=later.call("dateutil.tz.tzlocal"))


def _rarely_used() -> None:
    """Configured logs, colours for a server's log, comparisons of versions."""
    later.defer("logging.config", dictConfig=later.call("logging.config.dictConfig"))
    names = {"app_log": "application", "gen_log": "general", "access_log": "access"}
    loggers = {name: logging.getLogger(f"tornado.{last}") for name, last in names.items()}
    later.defer("tornado.log", known=loggers)
    later.defer("packaging.version", Version=later.call("packaging.version.Version"))
