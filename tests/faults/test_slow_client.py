"""A client that has stopped reading, while code inside writes as fast as it can."""

from __future__ import annotations

import queue
import time
from pathlib import Path

import zmq

from tests.faults.conftest import kernel_in

FLOOD = "n = 0\nwhile True:\n    n += 1\n    print('x' * 200_000)"


def test_it_costs_a_bounded_memory_and_no_variables(tmp_path: Path) -> None:
    """The code has to wait, Stop works meanwhile, and who reads goes on without the other."""
    with kernel_in(tmp_path) as session:
        stuck: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        stuck.linger, stuck.rcvhwm = 0, 1
        stuck.subscribe(b"")
        stuck.connect(f"tcp://127.0.0.1:{session.client.iopub_port}")
        session.run("1")
        msg_id = session.client.execute(FLOOD)
        end = time.monotonic() + 60
        try:
            while True:
                session.client.get_iopub_msg(timeout=1.5)
                assert time.monotonic() < end, "it never has to wait"
        except queue.Empty:
            pass
        status = Path(f"/proc/{session.pid}/status").read_text()
        (peak,) = (int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)
        assert peak < 300 * 1024
        session.interrupt()
        error = session.wait(msg_id, 60).error
        assert error["ename"] == "KeyboardInterrupt", error["evalue"]
        assert int(session.run("n").value) > 50
        stuck.close()
