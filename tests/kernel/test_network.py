"""What a run tells of the network: each step's requests, alike ones together, nothing lost in the sums."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from codeact_kernel.kernel.run.network import KINDS, Network
from codeact_kernel.trace.events import (
    CodeStarted,
    Event,
    NetworkUsed,
    Noticed,
    Observed,
    RunFinished,
)
from codeact_kernel.trace.values import NetworkRequest, Observation, Outcome, Status

OBSERVED = Observation(status=Status.OK, text="")


def started(number: int) -> CodeStarted:
    return CodeStarted(run="r", number=number, cell="c", code="x")


def observed(number: int) -> Observed:
    return Observed(run="r", number=number, observation=OBSERVED)


def over() -> RunFinished:
    return RunFinished(run="r", outcome=Outcome.ANSWER)


def asked(method: str, host: str, port: int = 80, **how: Any) -> NetworkRequest:
    return NetworkRequest(step=0, method=method, host=host, port=port, **how)


def used(events: list[Event]) -> list[NetworkUsed]:
    return [event for event in events if isinstance(event, NetworkUsed)]


def test_alike_requests_of_a_step_are_one(tmp_path: Path) -> None:
    """Counts, sizes and times are sums; the next step begins anew; what goes on is asked for first."""
    network = Network(tmp_path)
    assert list(network.before(started(1))) == []
    one = asked("GET", "a.example", path="/", address="1.2.3.4", received=5)
    for _ in range(3):
        network.told(one)
    network.flush = lambda: network.told(asked("CONNECT", "a.example", 443, sent=7))
    first = used(list(network.before(observed(1))))
    assert [(e.request.step, e.request.count, e.request.received) for e in first] == [
        (1, 3, 15),
        (1, 1, 0),
    ]
    network.flush = lambda: None
    list(network.before(started(2)))
    assert list(network.before(observed(2))) == []
    assert network.spent == 22


def test_a_refusal_is_said_once(tmp_path: Path) -> None:
    """The user gets the sentence with the first step that was refused, not with each."""
    network = Network(tmp_path)
    refused = asked("CONNECT", "b.example", 443, problem="It is not allowed.")
    said: list[Event] = []
    for number in (1, 2):
        list(network.before(started(number)))
        network.told(refused)
        said += network.before(observed(number))
    assert [event.sentence for event in said if isinstance(event, Noticed)] == [
        "The network refused a request: It is not allowed."
    ]
    assert len(used(said)) == 2


def test_a_flood_stays_small(tmp_path: Path) -> None:
    """Beyond so many kinds of request the rest is one line, and its sums are right."""
    network = Network(tmp_path)
    list(network.before(started(1)))
    for number in range(KINDS + 50):
        network.told(asked("GET", f"h{number}.example", sent=1))
    told = used(list(network.before(observed(1))))
    assert len(told) == KINDS + 1
    assert sum(event.request.count for event in told) == KINDS + 50
    assert sum(event.request.sent for event in told) == KINDS + 50


def test_cells_of_the_user_are_in_the_file_alone(tmp_path: Path) -> None:
    """Outside a run every request is written down too; a run's events do not get it."""
    network = Network(tmp_path)
    network.told(asked("GET", "a.example"))
    list(network.before(started(1)))
    network.told(asked("GET", "b.example"))
    assert [event.request.host for event in used(list(network.before(over())))] == ["b.example"]
    network.told(asked("GET", "c.example"))
    [file] = tmp_path.glob("network-*.jsonl")
    hosts = [json.loads(line)["request"]["host"] for line in file.read_text().splitlines()]
    assert hosts == ["a.example", "b.example", "c.example"]


def test_what_could_not_be_written_is_written_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that is no folder for a while: said once, and no request is missing from the file."""
    place = tmp_path / "runs"
    place.write_text("")
    network = Network(place)
    with caplog.at_level(logging.WARNING):
        for host in ("a.example", "b.example"):
            network.told(asked("GET", host))
    assert len(caplog.records) == 1
    place.unlink()
    network.told(asked("GET", "c.example"))
    [file] = place.glob("network-*.jsonl")
    hosts = [json.loads(line)["request"]["host"] for line in file.read_text().splitlines()]
    assert hosts == ["a.example", "b.example", "c.example"]
