"""Made-up runs for property tests: anything the values allow and a notebook can hold."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from codeact_kernel.trace.cells import step_cell_id
from codeact_kernel.trace.events import (
    CodeProposed,
    CodeStarted,
    Event,
    Held,
    NetworkUsed,
    Noticed,
    ObservationEdited,
    Observed,
    OutputArrived,
    Released,
    ReplyArrived,
    ReplyGrew,
    Rewound,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from codeact_kernel.trace.text import plain_text
from codeact_kernel.trace.values import (
    Delta,
    Image,
    NetworkRequest,
    Observation,
    Outcome,
    Output,
    Reply,
    Rewind,
    Run,
    Status,
    Step,
    Usage,
    Variable,
)

texts = st.text(max_size=30)
ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
seconds = st.floats(0, 1e6)
names = st.text("abcxyz_", min_size=1, max_size=6)
plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | texts, lambda each: st.lists(each, max_size=2)
)

usages = st.builds(
    Usage,
    input_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(0, 10**6),
    cached_tokens=st.integers(0, 10**6),
    cost=st.none() | st.floats(0, 100),
    estimated=st.booleans(),
)
replies = st.builds(Reply, text=texts, model=texts, prompt=texts, usage=usages, seconds=seconds)
variables = st.builds(
    Variable, type=texts, preview=texts, shape=texts, dtype=texts, size=texts, mark=texts
)
deltas = st.builds(
    Delta,
    new=st.dictionaries(names, variables, max_size=2),
    changed=st.dictionaries(names, variables, max_size=2),
    deleted=st.lists(names, max_size=2).map(tuple),
)

requests = st.builds(
    NetworkRequest,
    step=st.integers(0, 99),
    method=texts,
    host=texts,
    port=st.integers(0, 65535),
    path=texts,
    address=texts,
    problem=texts,
    count=st.integers(0, 9),
    sent=st.integers(0, 10**9),
    received=st.integers(0, 10**9),
    seconds=seconds,
)


def _stream(name: str, text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def _display(text: str, png: str) -> dict[str, Any]:
    data = {"text/plain": text, "image/png": png, "application/json": {"a": ["b", "c"]}}
    return {"output_type": "display_data", "data": data, "metadata": {"image/png": {"width": 3}}}


def _result(text: str, count: int | None) -> dict[str, Any]:
    data = {"text/plain": text, "text/html": f"<b>{text}</b>"}
    return {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": count}


def _error(name: str, value: str, lines: list[str]) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": value, "traceback": lines}


counts = st.none() | st.integers(0, 999)
outputs: st.SearchStrategy[tuple[Output, ...]] = st.lists(
    st.one_of(
        st.builds(_stream, st.sampled_from(["stdout", "stderr"]), texts),
        st.builds(_display, texts, texts),
        st.builds(_result, texts, counts),
        st.builds(_error, texts, texts, st.lists(texts, max_size=3)),
    ),
    max_size=3,
).map(tuple)


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """An observation whose text is sometimes just that of its outputs, its images theirs."""
    shown = draw(outputs)
    pictures = [o["data"]["image/png"] for o in shown if o["output_type"] == "display_data"]
    images = [Image(mime="image/png", data=data) for data in pictures]
    images += draw(st.lists(st.builds(Image, mime=st.just("image/jpeg"), data=texts), max_size=1))
    return Observation(
        status=draw(st.sampled_from(Status)),
        text=plain_text(shown) if draw(st.booleans()) else draw(texts),
        original=draw(st.none() | texts),
        outputs=shown,
        images=tuple(images),
        variables=draw(deltas),
        seconds=draw(seconds),
        count=draw(counts),
    )


@st.composite
def steps(draw: st.DrawFn, run: str, number: int) -> Step:
    """A step with code, or one without."""
    code = draw(st.none() | texts)
    return Step(
        number=number,
        cell=step_cell_id(run, number),
        replies=tuple(draw(st.lists(replies, max_size=3))),
        thought=draw(texts),
        code=code,
        proposed=None if code is None else draw(st.none() | texts),
        observation=None if code is None else draw(st.none() | observations()),
        answer=draw(st.none() | texts),
    )


@st.composite
def events_of_run(draw: st.DrawFn, run: str, cell: str) -> list[Event]:
    """The events of one run, perhaps continued, perhaps not over yet."""
    events: list[Event] = [
        RunStarted(
            id=run,
            task=draw(texts),
            model=draw(texts),
            cell=cell,
            settings=draw(st.dictionaries(names, plain_json, max_size=3)),
        )
    ]
    number = 0
    for part in range(draw(st.integers(1, 2))):
        if part:
            events.append(RunStarted(id=run, task=draw(texts), model="m", cell=cell))
        for _ in range(draw(st.integers(0, 3))):
            number += 1
            events += draw(_step_events(run, number))
            if draw(st.booleans()):
                events.append(ObservationEdited(run=run, number=number, text=draw(texts)))
        if draw(st.booleans()):
            events.append(Noticed(run=run, sentence=draw(texts)))
        if draw(st.booleans()):
            events.append(NetworkUsed(run=run, request=draw(requests)))
        if draw(st.booleans()):
            events.append(
                StepStarted(run=run, number=number + 1, cell=step_cell_id(run, number + 1))
            )
            events.append(ReplyGrew(run=run, number=number + 1, thought="given", code="up"))
            events.append(Held(run=run, number=number + 1, observation=number))
            events.append(Released(run=run, number=number + 1))
        events.append(
            RunFinished(
                run=run,
                outcome=draw(st.sampled_from(Outcome)),
                answer=draw(st.none() | texts),
                reason=draw(texts),
                seconds=draw(seconds),
            )
        )
        if draw(st.booleans()):
            kept = draw(st.sets(st.integers(1, number + 1), max_size=3))
            rewind = Rewind(taken=number, kept=tuple(sorted(kept)), to=draw(texts))
            events.append(Rewound(run=run, rewind=rewind))
    return events


@st.composite
def _step_events(draw: st.DrawFn, run: str, number: int) -> list[Event]:
    step = draw(steps(run, number))
    events: list[Event] = [
        StepStarted(run=run, number=number, cell=step.cell),
        ReplyGrew(run=run, number=number, thought=draw(texts), code=""),
        ReplyGrew(run=run, number=number, thought=draw(texts), code=draw(texts)),
    ]
    events += [ReplyArrived(run=run, number=number, reply=reply) for reply in step.replies]
    if step.code is not None:
        proposed = step.code if step.proposed is None else step.proposed
        events.append(
            CodeProposed(
                run=run, number=number, cell=step.cell, thought=step.thought, code=proposed
            )
        )
    if step.code is not None and step.observation is not None:
        events.append(CodeStarted(run=run, number=number, cell=step.cell, code=step.code))
        for output in step.observation.outputs:
            events.append(OutputArrived(run=run, number=number, output=output))
        events.append(Observed(run=run, number=number, observation=step.observation))
    return [*events, StepFinished(run=run, step=step)]


@st.composite
def sessions(draw: st.DrawFn) -> list[Event]:
    """The events of a session with up to two runs, each in its own agent cell."""
    runs = draw(st.lists(st.text(min_size=1, max_size=70), max_size=2, unique=True))
    cells = draw(
        st.lists(ids.filter(lambda cell: "-" not in cell), min_size=2, max_size=2, unique=True)
    )
    return [
        event
        for run, cell in zip(runs, cells, strict=False)
        for event in draw(events_of_run(run, cell))
    ]


def code_outputs(run: Run) -> dict[str, tuple[tuple[Output, ...], int | None]]:
    """What the front end would have put into each code cell by following its messages."""
    return {
        step.cell: (step.observation.outputs, step.observation.count)
        for step in run.steps
        if step.code is not None and step.observation is not None
    }
