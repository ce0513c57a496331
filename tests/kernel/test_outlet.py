"""Iopub with real sockets, and subscribers that read, read slowly, or do not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import zmq

from codeact_kernel.kernel.channels.messages import Bytes
from codeact_kernel.kernel.channels.outlet import HIGH, Outlet, limit

BODY = bytes(60_000)


@dataclass
class Scene:
    """An outlet, and what it has said about being full."""

    context: zmq.Context[zmq.Socket[bytes]]
    socket: zmq.Socket[bytes]
    port: int
    said: list[bool] = field(default_factory=list)
    subscribers: list[zmq.Socket[bytes]] = field(default_factory=list)

    def outlet(self, patience: float = 60.0) -> Outlet:
        made = Outlet(self.socket, patience)
        made.on_full = self.said.append
        return made

    def subscriber(self) -> zmq.Socket[bytes]:
        """One that takes ten messages and what the system holds."""
        made = self.context.socket(zmq.SUB)
        made.linger = 0
        made.rcvhwm = 10
        made.subscribe(b"")
        made.connect(f"tcp://127.0.0.1:{self.port}")
        self.socket.recv()
        self.subscribers.append(made)
        return made


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Sockets that are closed afterwards."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.XPUB)
    limit(socket)
    socket.setsockopt(zmq.XPUB_VERBOSE, 1)
    scene = Scene(context, socket, socket.bind_to_random_port("tcp://127.0.0.1"))
    yield scene
    for each in (socket, *scene.subscribers):
        each.close(0)
    context.term()


def message(number: int) -> list[Bytes]:
    """Two parts."""
    return [str(number).encode(), BODY]


def numbers(subscriber: zmq.Socket[bytes], wait: int = 300) -> list[int]:
    """All there is to read, each message whole."""
    found = []
    while subscriber.poll(wait):
        number, body = subscriber.recv_multipart()
        assert body == BODY
        found.append(int(number))
    return found


async def test_who_reads_late_loses_nothing(scene: Scene) -> None:
    """What does not fit waits, and it is said that no more should come; in the end all is there, in order."""
    outlet, subscriber = scene.outlet(), scene.subscriber()
    count = 2 * HIGH
    for number in range(count):
        outlet.send(message(number))
    assert scene.said == [True]
    found: list[int] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            if subscriber.poll(0):
                found.append(int(subscriber.recv_multipart()[0]))
            else:
                await asyncio.sleep(0.001)
    assert found == list(range(count))
    async with asyncio.timeout(20):
        while scene.said != [True, False]:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.001)
    outlet.close()


async def test_who_does_not_read_loses_messages_alone(scene: Scene) -> None:
    """After a while the others get everything; whoever reads again gets what comes from then on."""
    outlet, reading, stuck = scene.outlet(0.3), scene.subscriber(), scene.subscriber()
    count = 2 * HIGH
    found: list[int] = []

    async def read(until: int) -> None:
        async with asyncio.timeout(20):
            while len(found) < until:
                if reading.poll(0):
                    found.append(int(reading.recv_multipart()[0]))
                else:
                    await asyncio.sleep(0.001)

    for number in range(count):
        outlet.send(message(number))
    await read(count)
    for number in range(count, 2 * count):
        outlet.send(message(number))
        await read(number)  # it never lags behind
    await read(2 * count)
    assert found == list(range(2 * count))
    assert scene.said == [True, False]
    late = numbers(stuck)
    assert late == list(range(len(late)))
    assert len(late) < count
    outlet.send(message(-1))
    assert numbers(stuck) == [-1]
    outlet.close()


async def test_what_waits_at_the_end_goes_out(scene: Scene) -> None:
    """Closing gives all that is left to those who have room."""
    outlet, reading, stuck = scene.outlet(), scene.subscriber(), scene.subscriber()
    found = []
    number = 0
    while not scene.said:
        outlet.send(message(number))
        found += numbers(reading, 0)
        number += 1
    outlet.send(message(number))
    found += numbers(reading)
    outlet.close()
    found += numbers(reading)
    assert found == list(range(number + 1))
    assert len(numbers(stuck)) < number
