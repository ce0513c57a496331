"""A kernel that is used for long: what of memory, descriptors, processes and files it keeps.

Rule: everything is done once before the first look, so that what is made on first use is no growth.
What is counted is what this kernel holds; others may run on the machine.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import memory
from tests.e2e.conftest import Session, below, started
from tests.faults.holdings import Holdings, descriptors, of_kernel, parent
from tests.soak.table import Figure, Growth

MIB = 1024 * 1024
CELLS = (
    "total = sum(range(1000)); total",
    "for n in range(50): print(n)",
    "import sys; print('on stderr', file=sys.stderr)",
    "1 / 0",
    "display({'text/html': '<table><tr><td>1</td></tr></table>', 'text/plain': '1'}, raw=True)",
    "import pathlib; pathlib.Path('written.txt').write_text(str(total))",
    "!echo from a child",
    "data = bytearray(5_000_000); len(data)",
)
UPDATES = """
import ipywidgets
slider = ipywidgets.IntSlider(max={count})
for value in range(1, {count} + 1):
    slider.value = value
"""
FLOOD = "while True: print('x' * 100)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much of everything. `flood` is seconds, `display` bytes, `kept` the checkpoints there may be."""

    cells: int
    restarts: int
    rewinds: int
    kept: int
    deaths: int
    flood: float
    display: int
    updates: int


LONG = Amount(
    cells=1000,
    restarts=200,
    rewinds=200,
    kept=10,
    deaths=5,
    flood=20,
    display=100_000_000,
    updates=10_000,
)
SHORT = Amount(
    cells=40, restarts=1, rewinds=3, kept=2, deaths=1, flood=1, display=5_000_000, updates=500
)


def soak(folder: Path, amount: Amount) -> Iterator[Growth | Figure]:
    """All rows, one after the other."""
    environ = {"CODEACT_STANDBY": "false", "CODEACT_CHECKPOINTS": str(amount.kept)}
    with started(folder, environ) as session:
        use = Use(session)
        use.everything_once()
        before = State.of(session)
        yield from use.cells(amount.cells)
        yield from use.flood(amount.flood)
        yield from use.display(amount.display)
        yield from use.updates(amount.updates)
        yield from before.growth(State.of(session), "after all of it")
        for _ in use.rewinds(amount.kept + 1):
            pass
        before = State.of(session)
        yield from use.rewinds(amount.rewinds)
        yield from before.growth(State.of(session), "after rewinds")
        yield from use.deaths(amount.deaths)
        use.restart()
        before = State.of(session)
        yield from use.restarts(amount.restarts)
        yield from before.growth(State.of(session), "after restarts")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a kernel has of the machine between two cells."""

    outer: int
    inside: int
    open_outer: int
    open_inside: int
    processes: int
    threads: int
    files: int
    places: int

    @classmethod
    def of(cls, session: Session) -> State:
        """Now, when garbage has been collected inside."""
        session.run("import gc; gc.collect(); Out.clear(); In[:] = ['']; None")
        inside = _alone(session.pid)
        held = of_kernel(session.pid)
        return cls(
            outer=memory(session.pid) - sum(memory(pid) for pid in inside[:1]),
            inside=sum(memory(pid) for pid in inside[:1]),
            open_outer=descriptors(session.pid).total(),
            open_inside=descriptors(inside[-1]).total(),
            processes=len(held.processes),
            threads=len(list(Path(f"/proc/{session.pid}/task").iterdir())),
            files=sum(1 for place in held.places for _ in Path(place).rglob("*")),
            places=len(held.places),
        )

    def growth(self, later: State, when: str) -> Iterator[Growth]:
        """A row for each; memory may grow by what caches are allowed to hold."""
        for name, before, after, bound in (
            ("memory of the outer kernel", self.outer, later.outer, 24),
            ("memory of the sandbox", self.inside, later.inside, 32),
        ):
            yield Growth(
                name=f"{name}, {when}",
                before=before / MIB,
                after=after / MIB,
                bound=bound,
                unit="MiB",
            )
        for name, counted, again in (
            ("descriptors of the outer kernel", self.open_outer, later.open_outer),
            ("descriptors inside", self.open_inside, later.open_inside),
            ("processes", self.processes, later.processes),
            ("threads of the outer kernel", self.threads, later.threads),
            ("files and entries of control groups", self.files, later.files),
            ("folders and control groups", self.places, later.places),
        ):
            bound = 1 if counted is self.files else 0  # the list of fonts, made meanwhile
            yield Growth(name=f"{name}, {when}", before=counted, after=again, bound=bound)


def _alone(pid: int) -> list[int]:
    """The processes of its one sandbox, when there is no second one in which something is prepared."""
    seen: list[int] = []
    while True:
        inside = below(pid)
        if inside == seen and sum(parent(each) == pid for each in inside) == 1:
            return inside
        seen = inside
        time.sleep(0.5)


class Use:
    """What is done to one kernel."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def everything_once(self) -> None:
        """What is made on first use is made."""
        for _ in (*self.deaths(1), *self.cells(2 * len(CELLS))):
            pass
        for _ in (*self.flood(1), *self.display(2 * MIB), *self.updates(50)):
            pass

    def cells(self, count: int) -> Iterator[Figure]:
        """Short cells of all kinds."""
        began = time.monotonic()
        for number in range(count):
            self._session.run(CELLS[number % len(CELLS)])
        seconds = (time.monotonic() - began) / count
        yield Figure(name=f"{count:,} cells, each", value=seconds, bound=0.5, unit="s")

    def flood(self, seconds: float) -> Iterator[Figure]:
        """Lines without end, which the client reads; then Stop."""
        msg_id = self._session.client.execute(FLOOD)
        seen: list[dict[str, Any]] = []
        end = time.monotonic() + seconds
        self._session.follow(msg_id, lambda message: time.monotonic() > end, seen)
        stopped = time.monotonic()
        self._session.interrupt()
        result = self._session.wait(msg_id, 60)
        lag = time.monotonic() - stopped
        if result.reply.get("ename") != "KeyboardInterrupt":
            raise AssertionError(f"the flood ended with {result.reply}")
        text = sum(len(m["content"]["text"]) for m in seen if m["msg_type"] == "stream")
        name = f"Stop after {seconds:g} s and {text / 1e6:,.0f} MB of lines"
        yield Figure(name=name, value=lag, bound=2, unit="s")

    def display(self, size: int) -> Iterator[Figure]:
        """One large output; the kernel is asked something meanwhile."""
        code = f"display({{'text/plain': 'x' * {size}}}, raw=True)"
        msg_id = self._session.client.execute(code)
        asked = self._answers()
        result = self._session.wait(msg_id, 120)
        lost = size - sum(
            len(m["content"]["data"]["text/plain"]) for m in result.of("display_data")
        )
        name = f"a {size / 1e6:,.0f} MB display"
        yield Figure(name=f"{name}: bytes lost", value=lost, bound=0, unit="")
        yield Figure(name=f"{name}: an answer meanwhile", value=asked, bound=2, unit="s")

    def updates(self, count: int) -> Iterator[Figure]:
        """A widget that moves; then the same without end, and Stop."""
        result = self._session.run(UPDATES.format(count=count))
        states = [m["content"]["data"].get("state", {}) for m in result.of("comm_msg")]
        values = [state["value"] for state in states if "value" in state]
        name = f"{count:,} updates of a widget"
        yield Figure(name=f"{name}: lost", value=count - len(values), bound=0, unit="")
        msg_id = self._session.client.execute("while True: slider.value = 1 - slider.value % 2")
        self._session.until(msg_id, lambda message: bool(message["msg_type"] == "comm_msg"))
        stopped = time.monotonic()
        self._session.interrupt()
        self._session.wait(msg_id, 60)
        yield Figure(name=f"{name}: Stop", value=time.monotonic() - stopped, bound=2, unit="s")

    def deaths(self, count: int) -> Iterator[Figure]:
        """The program inside ends; nothing of its sandbox stays."""
        left = 0
        for _ in range(count):
            held = of_kernel(self._session.pid)
            self._session.run("import os; os._exit(1)")
            self._session.run("1")
            gone = Holdings(processes=held.processes[1:], places=held.places)
            left += len(gone.gone())
        yield Figure(name=f"{count} sandboxes that died: left", value=left, bound=0, unit="")

    def rewinds(self, count: int) -> Iterator[Figure]:
        """A state that is kept, changed and taken back; it is the one that was kept."""
        wrong, began = 0, time.monotonic()
        for number in range(count):
            self._session.run(f"state = [{number}]; more = bytearray(1_000_000)")
            self._session.run("%agent checkpoint soak")
            self._session.run("state.append('changed'); del more")
            self._session.run("%agent rewind soak")
            wrong += self._session.run("state, len(more)").value != f"([{number}], 1000000)"
        seconds = (time.monotonic() - began) / count
        yield Figure(name=f"{count} rewinds: wrong", value=wrong, bound=0, unit="")
        yield Figure(name=f"{count} rewinds with 5 cells, each", value=seconds, bound=2, unit="s")

    def restarts(self, count: int) -> Iterator[Figure]:
        """Jupyter's restart; nothing of the kernel before stays."""
        left, began = 0, time.monotonic()
        for _ in range(count):
            held = of_kernel(self._session.pid)
            self.restart()
            left += len(held.gone())
        seconds = (time.monotonic() - began) / count
        yield Figure(name=f"{count} restarts: left", value=left, bound=0, unit="")
        yield Figure(name=f"{count} restarts, each", value=seconds, bound=3, unit="s")

    def restart(self) -> None:
        """As the button does it, and a first cell."""
        self._session.manager.restart_kernel(now=False)
        self._session.client.wait_for_ready(timeout=60)
        self._session.run("1 + 1")

    def _answers(self) -> float:
        client, began = self._session.client, time.monotonic()
        message = client.session.msg("kernel_info_request", {})
        client.control_channel.send(message)
        while True:
            try:
                reply = client.get_control_msg(timeout=60)
            except queue.Empty:
                return 60.0
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return time.monotonic() - began
