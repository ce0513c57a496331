"""A worker that floods, is silent, stops in mid frame, never begins or dies at once, in a real sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file
from jupyter_client.manager import KernelManager

from tests.e2e.conftest import ROOT, Session
from tests.faults.conftest import LOST, until
from tests.faults.holdings import Holdings, descriptors, of_kernel, of_sandbox

PROGRAMS = Path(__file__).parent / "programs"


class Victim(Session):
    """A kernel whose worker is hostile."""

    def __init__(self, process: subprocess.Popen[bytes], client: Any, log: Path) -> None:
        super().__init__(KernelManager(), client)
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        """What it logged."""
        return self._log.read_text()

    def interrupt(self) -> None:
        client = self.client
        message = client.session.msg("interrupt_request", {})
        client.control_channel.send(message)

    def answers(self) -> float:
        """Seconds until it says who it is."""
        began = time.monotonic()
        self.reply(self.client.kernel_info())
        return time.monotonic() - began


@contextmanager
def kernel(
    folder: Path, mode: str = "ready", ready: float = 60, cell: float = 1000
) -> Iterator[Victim]:
    """One that is shut down afterwards, with nothing left."""
    folder.mkdir(exist_ok=True)
    name, info = write_connection_file(str(folder / "connection.json"), key=b"a key")
    program = [sys.executable, str(PROGRAMS / "kernel_of_hostile.py")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*program, name, mode, str(ready), str(cell)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(PROGRAMS)))},
            stdin=subprocess.DEVNULL,
            stderr=log,
        )
    client = BlockingKernelClient()
    client.load_connection_info(info)
    client.start_channels(hb=False)
    victim = Victim(process, client, folder / "log")
    try:
        victim.answers()
        if mode == "ready":
            victim.reply(client.execute("hello"))
        yield victim
        held = of_kernel(process.pid)
        client.shutdown()
        process.wait(20)
        assert held.gone() == []
    finally:
        process.kill()
        process.wait()
        client.stop_channels()


def is_alone(victim: Victim) -> bool:
    """Nothing is held for a sandbox."""
    return of_sandbox(victim.pid) == Holdings()


def recovers(victim: Victim, msg_id: str) -> str:
    """The cell ends with an error; the next one is answered by a fresh sandbox. What was said."""
    sentence = str(victim.reply(msg_id)["evalue"])
    assert LOST in sentence
    assert victim.reply(victim.client.execute("hello"))["status"] == "ok"
    return sentence


def test_one_that_does_nothing_it_is_asked_to(tmp_path: Path) -> None:
    """Silent, in mid frame or for ever "busy": Stop works, and so does the limit of a cell."""
    with ExitStack() as stack:
        stopped = [stack.enter_context(kernel(tmp_path / name)) for name in ("silent", "half")]
        timed = [
            stack.enter_context(kernel(tmp_path / f"{name}-timed", cell=0.5))
            for name in ("silent", "busy")
        ]
        cells = [
            (victim, victim.client.execute(name))
            for victim, name in zip(
                (*stopped, *timed), ("silent", "half", "silent", "busy"), strict=True
            )
        ]
        before = [(descriptors(victim.pid), of_sandbox(victim.pid)) for victim in stopped]
        for victim in stopped:
            victim.interrupt()
        said = [recovers(victim, msg_id) for victim, msg_id in cells]
        assert ["did not stop" in sentence for sentence in said] == [True] * 4
        assert ["time limit of 0.5 s" in sentence for sentence in said] == [
            False,
            False,
            True,
            True,
        ]
        for victim, (open_before, held) in zip(stopped, before, strict=True):
            assert held.gone() == []
            assert descriptors(victim.pid) == open_before


def test_one_that_floods(tmp_path: Path) -> None:
    """The kernel answers meanwhile, is stopped when it should, and its log does not run over."""
    with ExitStack() as stack:
        floods = ("text", "displays", "nonsense")
        victims = [stack.enter_context(kernel(tmp_path / name)) for name in floods]
        cells = [victim.client.execute(name) for victim, name in zip(victims, floods, strict=True)]
        for victim in victims:
            assert victim.answers() < 10
            victim.interrupt()
        for victim, msg_id in zip(victims, cells, strict=True):
            recovers(victim, msg_id)
            assert len(victim.log) < 20_000
        assert "more such lines" in victims[-1].log


def test_one_that_never_begins_or_ends_at_once(tmp_path: Path) -> None:
    """Both are refused with a sentence that says what to do; who waits is told."""
    with (
        kernel(tmp_path / "silent", "silent", ready=0.5) as silent,
        kernel(tmp_path / "ends", "ends") as ends,
    ):
        for victim, words in ((silent, "not ready within 0.5 s"), (ends, "3 times while starting")):
            reply = victim.reply(victim.client.execute("hello"))
            assert reply["ename"] == "SandboxRefused"
            assert words in reply["evalue"]
            until(partial(is_alone, victim))


def test_one_that_dies_with_every_cell(tmp_path: Path) -> None:
    """Each cell is answered, and each time there is a fresh sandbox."""
    with kernel(tmp_path) as victim:
        for _ in range(3):
            assert "status 3" in recovers(victim, victim.client.execute("exit"))
