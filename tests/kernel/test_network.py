"""What a run tells of the network: each step's requests, alike ones together, nothing lost in the sums."""

from __future__ import annotations

import json
from pathlib import Path

from codeact_kernel.kernel.run.network import KINDS, Network
from codeact_kernel.sandbox.egress.log import Record
from codeact_kernel.trace.events import (
    CodeStarted,
    Event,
    NetworkUsed,
    Noticed,
    Observed,
    RunFinished,
)
from codeact_kernel.trace.values import Observation, Outcome, Status

OBSERVED = Observation(status=Status.OK, text="")


def started(number: int) -> CodeStarted:
    return CodeStarted(run="r", number=number, cell="c", code="x")


def observed(number: int) -> Observed:
    return Observed(run="r", number=number, observation=OBSERVED)


def over() -> RunFinished:
    return RunFinished(run="r", outcome=Outcome.ANSWER)


def used(events: list[Event]) -> list[NetworkUsed]:
    return [event for event in events if isinstance(event, NetworkUsed)]


def test_alike_requests_of_a_step_are_one(tmp_path: Path) -> None:
    """Counts, sizes and times are sums; the next step begins anew; what goes on is asked for first."""
    network = Network(tmp_path)
    assert list(network.before(started(1))) == []
    one = Record(method="GET", host="a.example", port=80, path="/", address="1.2.3.4", received=5)
    for _ in range(3):
        network.told(one)
    network.flush = lambda: network.told(
        Record(method="CONNECT", host="a.example", port=443, sent=7, open=True)
    )
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
    refused = Record(method="CONNECT", host="b.example", port=443, problem="It is not allowed.")
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
        network.told(Record(method="GET", host=f"h{number}.example", port=80, sent=1))
    told = used(list(network.before(observed(1))))
    assert len(told) == KINDS + 1
    assert sum(event.request.count for event in told) == KINDS + 50
    assert sum(event.request.sent for event in told) == KINDS + 50


def test_cells_of_the_user_are_in_the_file_alone(tmp_path: Path) -> None:
    """Outside a run every request is written down too; a run's events do not get it."""
    network = Network(tmp_path)
    network.told(Record(method="GET", host="a.example", port=80))
    list(network.before(started(1)))
    network.told(Record(method="GET", host="b.example", port=80))
    assert [event.request.host for event in used(list(network.before(over())))] == ["b.example"]
    network.told(Record(method="GET", host="c.example", port=80))
    [file] = tmp_path.glob("network-*.jsonl")
    hosts = [json.loads(line)["request"]["host"] for line in file.read_text().splitlines()]
    assert hosts == ["a.example", "b.example", "c.example"]
