"""What the start leaves out is neither executed nor missed."""

from __future__ import annotations

from tests.worker.client import Worker


def test_the_start_leaves_out_what_cells_may_never_need(worker: Worker) -> None:
    """ZMQ, TLS and a terminal's colours are not executed by starting, nor by a first cell."""
    worker.run("1 + 1")
    code = "import sys; {'zmq.backend', '_ssl', 'curses'} & set(sys.modules)"
    assert worker.run(code).result == "set()"


def test_what_was_left_out_is_the_real_thing_in_a_cell(worker: Worker) -> None:
    """Classes and functions that were stood in for at the start are the packages' own."""
    code = """
import asyncio, logging.config, ssl
import zmq, zmq.asyncio
from dateutil.parser import isoparse
from packaging.version import Version
from tornado.log import app_log, LogFormatter
from zmq.eventloop.zmqstream import ZMQStream
[
    zmq.asyncio.Socket.__module__ == "zmq.asyncio",
    ZMQStream.__module__ == "zmq.eventloop.zmqstream",
    zmq.MessageTracker.__module__.startswith("zmq."),
    zmq.POLLIN == 1 and zmq.POLLOUT == 2 and zmq.NOBLOCK == zmq.DONTWAIT,
    asyncio.sslproto.SSLProtocol.__module__ == "asyncio.sslproto",
    type(ssl.create_default_context()).__name__ == "SSLContext",
    isoparse("2026-11-21").year == 2026,
    Version("1.10") > Version("1.9"),
    app_log.name == "tornado.application",
    callable(logging.config.fileConfig),
].count(True)
"""
    assert worker.run(code).result == "10"
