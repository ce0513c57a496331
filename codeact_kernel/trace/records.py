"""A run and a step as the JSON in a cell's `codeact` metadata, and back.

Rule: what the cell itself shows (source, outputs, execution count) is not written a second time;
everything else of the step is. Writing is exact: `step_of(record, cell) == step`. Reading takes
nothing for granted, because people edit notebooks: what is missing gets its default, what has the
wrong type raises Damaged with a sentence, and the caller says so and goes on.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from codeact_kernel.trace import digest
from codeact_kernel.trace.reading import (
    Damaged,
    mapping,
    member,
    number,
    optional_text,
    sequence,
    text,
    texts,
    whole,
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

JSON = dict[str, Any]


def run_record(run: Run) -> JSON:
    """The run's header: all of it but its steps."""
    network = {"network": [request_record(each) for each in run.network]} if run.network else {}
    rewinds = {"rewinds": [_rewind_record(each) for each in run.rewinds]} if run.rewinds else {}
    return {
        **network,
        **rewinds,
        "id": run.id,
        "task": run.task,
        "added": list(run.added),
        "model": run.model,
        "settings": copy.deepcopy(dict(run.settings)),
        "cell": run.cell,
        "outcome": run.outcome,
        "answer": run.answer,
        "reason": run.reason,
        "notices": list(run.notices),
        "seconds": run.seconds,
    }


def run_of(record: Any, cell: str, steps: tuple[Step, ...]) -> Run:
    """The run of a header found in the cell with id `cell`. Raises Damaged."""
    record = mapping(record, "the run header")
    outcome = record.get("outcome")
    named = text(record, "cell")
    return Run(
        id=text(record, "id", required=True),
        task=text(record, "task"),
        added=texts(record, "added"),
        model=text(record, "model"),
        settings=copy.deepcopy(dict(mapping(record.get("settings", {}), "settings"))),
        cell=cell if named else "",
        steps=steps,
        outcome=None if outcome is None else member(Outcome, outcome),
        answer=optional_text(record, "answer"),
        reason=text(record, "reason"),
        notices=texts(record, "notices"),
        network=tuple(_request(each) for each in sequence(record, "network")),
        rewinds=tuple(_rewind(each) for each in sequence(record, "rewinds")),
        seconds=number(record, "seconds"),
    )


def request_record(request: NetworkRequest) -> JSON:
    """What says nothing is left out."""
    every = {name: getattr(request, name) for name in NetworkRequest.__slots__}
    return {name: value for name, value in every.items() if value or name == "step"}


def _request(record: Any) -> NetworkRequest:
    record = mapping(record, "a network request")
    return NetworkRequest(
        step=whole(record, "step", 0),
        method=text(record, "method"),
        host=text(record, "host"),
        port=whole(record, "port", 0),
        path=text(record, "path"),
        address=text(record, "address"),
        problem=text(record, "problem"),
        count=whole(record, "count", 0),
        sent=whole(record, "sent", 0),
        received=whole(record, "received", 0),
        seconds=number(record, "seconds"),
    )


def _rewind_record(rewind: Rewind) -> JSON:
    return {"taken": rewind.taken, "kept": list(rewind.kept), "to": rewind.to}


def _rewind(record: Any) -> Rewind:
    record = mapping(record, "a rewind")
    kept = sequence(record, "kept")
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in kept):
        raise Damaged("kept is not a list of numbers")
    return Rewind(taken=whole(record, "taken"), kept=tuple(kept), to=text(record, "to"))


def step_record(run: str, role: str, step: Step) -> JSON:
    """All of a step that its cell does not show. `role` is the cell's: step, thought or answer."""
    usage = step.usage
    record: JSON = {
        "role": role,
        "run": run,
        "step": step.number,
        "status": step.observation.status if step.observation else "ok",
        "model": step.replies[-1].model if step.replies else "",
        "usage": _usage_record(usage),
        "cost": usage.cost,
        "seconds": step.observation.seconds if step.observation else 0.0,
        "thought": step.thought,
        "answer": step.answer,
        "replies": [_reply_record(reply) for reply in step.replies],
    }
    if step.code is not None:
        record["ran"] = digest.of_text(step.code)
        record["proposed"] = _proposal_record(step)
        record["edited"] = step.proposed is not None
    if step.observation is not None:
        record["observation"] = _observation_record(step.observation)
    return record


def step_of(
    record: Mapping[str, Any],
    cell: str,
    source: str | None,
    outputs: tuple[Output, ...],
    count: int | None,
) -> Step:
    """The step of a record; `source` is its code as the cell has it, None for a markdown cell.

    Raises Damaged.
    """
    observed = record.get("observation")
    return Step(
        number=whole(record, "step"),
        cell=cell,
        replies=tuple(_reply(each) for each in sequence(record, "replies")),
        thought=text(record, "thought"),
        code=source,
        proposed=None if source is None else _proposed(record, source),
        observation=None
        if observed is None or source is None
        else _observation(mapping(observed, "observation"), outputs, count),
        answer=optional_text(record, "answer"),
    )


def changed_since(record: Mapping[str, Any], source: str) -> bool:
    """Whether the source is another one than what the record says ran."""
    return "ran" in record and record["ran"] != digest.of_text(source)


# ── proposal ─────────────────────────────────────────────────────────────────────────────────────


def _proposal_record(step: Step) -> JSON:
    if step.proposed is None:
        return {"sha256": digest.of_text(step.code or "")}
    return {"sha256": digest.of_text(step.proposed), "text": step.proposed}


def _proposed(record: Mapping[str, Any], source: str) -> str | None:
    """What the model wrote, when that is not what the cell shows.

    A source edited after the run leaves only the hash of the proposal; the last reply, which holds
    the proposal, stands in for it then.
    """
    proposal = mapping(record.get("proposed", {}), "proposed")
    if "text" in proposal:
        return text(proposal, "text")
    if proposal.get("sha256", digest.of_text(source)) == digest.of_text(source):
        return None
    replies = sequence(record, "replies")
    return _reply(replies[-1]).text if replies else ""


# ── observation ──────────────────────────────────────────────────────────────────────────────────


def _observation_record(observation: Observation) -> JSON:
    outputs = plain_text(observation.outputs)
    shown = (
        {"sha256": digest.of_text(outputs)}
        if outputs == observation.text
        else {"text": observation.text}
    )
    edited = {} if observation.original is None else {"original": observation.original}
    return {
        **shown,
        **edited,
        "status": observation.status,
        "seconds": observation.seconds,
        "images": [_image_record(image, observation.outputs) for image in observation.images],
        "variables": {
            "new": _variables_record(observation.variables.new),
            "changed": _variables_record(observation.variables.changed),
            "deleted": list(observation.variables.deleted),
        },
    }


def _observation(
    record: Mapping[str, Any], outputs: tuple[Output, ...], count: int | None
) -> Observation:
    delta = mapping(record.get("variables", {}), "variables")
    return Observation(
        status=member(Status, record.get("status")),
        text=text(record, "text") if "text" in record else plain_text(outputs),
        original=optional_text(record, "original"),
        outputs=outputs,
        images=tuple(_image(each, outputs) for each in sequence(record, "images")),
        variables=Delta(
            new=_variables(delta.get("new", {})),
            changed=_variables(delta.get("changed", {})),
            deleted=texts(delta, "deleted"),
        ),
        seconds=number(record, "seconds"),
        count=count,
    )


def _image_record(image: Image, outputs: Sequence[Output]) -> JSON:
    """An image that is among the outputs is named by its place there."""
    for place, output in enumerate(outputs):
        data = output.get("data")
        if isinstance(data, Mapping) and data.get(image.mime) == image.data:
            return {"mime": image.mime, "output": place}
    return {"mime": image.mime, "data": image.data}


def _image(record: Any, outputs: Sequence[Output]) -> Image:
    record = mapping(record, "an image")
    mime = text(record, "mime", required=True)
    if "data" in record:
        return Image(mime=mime, data=text(record, "data"))
    place = whole(record, "output")
    data = outputs[place].get("data") if 0 <= place < len(outputs) else None
    shown = data.get(mime) if isinstance(data, Mapping) else None
    return Image(mime=mime, data=shown if isinstance(shown, str) else "")


def _variables_record(variables: Mapping[str, Variable]) -> JSON:
    fields = Variable.__slots__
    return {
        name: {field: said for field in fields if (said := getattr(variable, field))}
        for name, variable in variables.items()
    }


def _variables(record: Any) -> dict[str, Variable]:
    return {
        name: Variable(**{f: text(mapping(fields, name), f) for f in Variable.__slots__})
        for name, fields in mapping(record, "variables").items()
    }


# ── replies ──────────────────────────────────────────────────────────────────────────────────────


def _reply_record(reply: Reply) -> JSON:
    return {
        "text": reply.text,
        "model": reply.model,
        "prompt": reply.prompt,
        "usage": _usage_record(reply.usage),
        "seconds": reply.seconds,
    }


def _reply(record: Any) -> Reply:
    record = mapping(record, "a reply")
    usage = mapping(record.get("usage", {}), "usage")
    cost = usage.get("cost")
    return Reply(
        text=text(record, "text"),
        model=text(record, "model"),
        prompt=text(record, "prompt"),
        usage=Usage(
            input_tokens=whole(usage, "input_tokens", 0),
            output_tokens=whole(usage, "output_tokens", 0),
            cached_tokens=whole(usage, "cached_tokens", 0),
            cost=None if cost is None else number(usage, "cost"),
            estimated=usage.get("estimated") is True,
        ),
        seconds=number(record, "seconds"),
    )


def _usage_record(usage: Usage) -> JSON:
    return {field: getattr(usage, field) for field in Usage.__slots__}
