"""What is told while a run goes on. `fold` makes the Trace of it.

Rule: events are facts in the past tense, emitted by one function, `emit(event)`, in the order
they happened; whoever draws, writes or counts reads them and answers nothing. An event that only
animates (ReplyGrew, OutputArrived, Waited, Held, Released) leaves no trace: folding without it gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from codeact_kernel.trace.values import (
    NetworkRequest,
    Observation,
    Outcome,
    Output,
    Reply,
    Rewind,
    Run,
    Step,
    Trace,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run begins, or is continued: then `id` is known already and `task` is what was added."""

    id: str
    task: str
    model: str
    cell: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """The model is about to be asked. `cell` is the id its code cell will have."""

    run: str
    number: int
    cell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyGrew:
    """The model is writing: thought and code so far, whole each time (animates only)."""

    run: str
    number: int
    thought: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyArrived:
    """A reply is complete. `problem` says why it was not usable, "" when it was."""

    run: str
    number: int
    reply: Reply
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """Something takes time: a retry, an approval (animates only). `sentence` says what and why."""

    run: str
    number: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The person lets the run stand still before the model is asked for step `number`, and can change
    what it is shown of step `observation`, 0 for none. What the model had written of the step is
    thrown away (animates only)."""

    run: str
    number: int
    observation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The run that was held goes on (animates only)."""

    run: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationEdited:
    """The person changed what the model is shown of a finished step, before it was asked about it."""

    run: str
    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeProposed:
    """The reply was read and checked; this code waits for the gate, then for the sandbox."""

    run: str
    number: int
    cell: str
    thought: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeStarted:
    """These bytes run now. They differ from the proposal when the user edited them."""

    run: str
    number: int
    cell: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputArrived:
    """One output while the code runs (animates only; the observation has them all)."""

    run: str
    number: int
    output: Output


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The code ended and this is what the model will be shown."""

    run: str
    number: int
    observation: Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """The step, whole. Enough by itself to rebuild everything about it."""

    run: str
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Something the user should know and that changes nothing: one sentence."""

    run: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkUsed:
    """Code asked something of the network, and it was passed on or refused."""

    run: str
    request: NetworkRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewound:
    """The notebook was taken back to a checkpoint, or forward again; told after the run's end."""

    run: str
    rewind: Rewind


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The run is over. `reason` is one sentence unless the outcome is an answer."""

    run: str
    outcome: Outcome
    answer: str | None = None
    reason: str = ""
    seconds: float = 0.0


Event = (
    RunStarted
    | StepStarted
    | ReplyGrew
    | ReplyArrived
    | Waited
    | Held
    | Released
    | ObservationEdited
    | CodeProposed
    | CodeStarted
    | OutputArrived
    | Observed
    | StepFinished
    | Noticed
    | NetworkUsed
    | Rewound
    | RunFinished
)
Emit = Callable[[Event], None]


def fold(events: Iterable[Event]) -> Trace:
    """The Trace these events tell. Events of unknown runs are refused with KeyError."""
    runs: dict[str, Run] = {}
    for event in events:
        if isinstance(event, RunStarted):
            runs[event.id] = started(runs.get(event.id), event)
        else:
            runs[event.run] = after(runs[event.run], event)
    return Trace(runs=tuple(runs.values()))


def started(before: Run | None, event: RunStarted) -> Run:
    """The run as it stands after its start, or after its continuation when it was known before."""
    if before is None:
        return Run(
            id=event.id,
            task=event.task,
            model=event.model,
            cell=event.cell,
            settings=event.settings,
        )
    return replace(before, outcome=None, answer=None, reason="", added=(*before.added, event.task))


def after(run: Run, event: Event) -> Run:
    """The run after one more event of it."""
    match event:
        case StepFinished():
            return replace(run, steps=(*run.steps, event.step))
        case ObservationEdited():
            return replace(run, steps=tuple(_edited(step, event) for step in run.steps))
        case Noticed():
            return replace(run, notices=(*run.notices, event.sentence))
        case NetworkUsed():
            return replace(run, network=(*run.network, event.request))
        case Rewound():
            return replace(run, rewinds=(*run.rewinds, event.rewind))
        case RunFinished():
            return replace(
                run,
                outcome=event.outcome,
                answer=event.answer,
                reason=event.reason,
                seconds=event.seconds,
            )
        case _:
            return run


def _edited(step: Step, event: ObservationEdited) -> Step:
    if step.number != event.number or step.observation is None:
        return step
    return replace(step, observation=step.observation.edited(event.text))
