"""A run and a step as the JSON in a cell's `codeact` metadata, and back.

Rule: what the cell itself shows (source, outputs, execution count) is not written a second time;
everything else of the step is. Writing is exact: `step_of(record, cell) == step`. Reading takes
nothing for granted, because people edit notebooks: what is missing gets its default, what has the
wrong type raises Damaged with a sentence, and the caller says so and goes on.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from codeact_kernel.trace import digest
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
_Member = TypeVar("_Member", bound=StrEnum)


class Damaged(ValueError):
    """Metadata that is not what `record` writes. Never leaves this package."""


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
    record = _mapping(record, "the run header")
    outcome = record.get("outcome")
    named = _text(record, "cell")
    return Run(
        id=_text(record, "id", required=True),
        task=_text(record, "task"),
        added=_texts(record, "added"),
        model=_text(record, "model"),
        settings=copy.deepcopy(dict(_mapping(record.get("settings", {}), "settings"))),
        cell=cell if named else "",
        steps=steps,
        outcome=None if outcome is None else _member(Outcome, outcome),
        answer=_optional_text(record, "answer"),
        reason=_text(record, "reason"),
        notices=_texts(record, "notices"),
        network=tuple(_request(each) for each in _sequence(record, "network")),
        rewinds=tuple(_rewind(each) for each in _sequence(record, "rewinds")),
        seconds=_number(record, "seconds"),
    )


def request_record(request: NetworkRequest) -> JSON:
    """What says nothing is left out."""
    every = {name: getattr(request, name) for name in NetworkRequest.__slots__}
    return {name: value for name, value in every.items() if value or name == "step"}


def _request(record: Any) -> NetworkRequest:
    record = _mapping(record, "a network request")
    return NetworkRequest(
        step=_whole(record, "step", 0),
        method=_text(record, "method"),
        host=_text(record, "host"),
        port=_whole(record, "port", 0),
        path=_text(record, "path"),
        address=_text(record, "address"),
        problem=_text(record, "problem"),
        count=_whole(record, "count", 0),
        sent=_whole(record, "sent", 0),
        received=_whole(record, "received", 0),
        seconds=_number(record, "seconds"),
    )


def _rewind_record(rewind: Rewind) -> JSON:
    return {"taken": rewind.taken, "kept": list(rewind.kept), "to": rewind.to}


def _rewind(record: Any) -> Rewind:
    record = _mapping(record, "a rewind")
    kept = _sequence(record, "kept")
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in kept):
        raise Damaged("kept is not a list of numbers")
    return Rewind(taken=_whole(record, "taken"), kept=tuple(kept), to=_text(record, "to"))


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
        number=_whole(record, "step"),
        cell=cell,
        replies=tuple(_reply(each) for each in _sequence(record, "replies")),
        thought=_text(record, "thought"),
        code=source,
        proposed=None if source is None else _proposed(record, source),
        observation=None
        if observed is None or source is None
        else _observation(_mapping(observed, "observation"), outputs, count),
        answer=_optional_text(record, "answer"),
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
    proposal = _mapping(record.get("proposed", {}), "proposed")
    if "text" in proposal:
        return _text(proposal, "text")
    if proposal.get("sha256", digest.of_text(source)) == digest.of_text(source):
        return None
    replies = _sequence(record, "replies")
    return _reply(replies[-1]).text if replies else ""


# ── observation ──────────────────────────────────────────────────────────────────────────────────


def _observation_record(observation: Observation) -> JSON:
    shown = plain_text(observation.outputs)
    text = (
        {"sha256": digest.of_text(shown)}
        if shown == observation.text
        else {"text": observation.text}
    )
    return {
        **text,
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
    delta = _mapping(record.get("variables", {}), "variables")
    return Observation(
        status=_member(Status, record.get("status")),
        text=_text(record, "text") if "text" in record else plain_text(outputs),
        outputs=outputs,
        images=tuple(_image(each, outputs) for each in _sequence(record, "images")),
        variables=Delta(
            new=_variables(delta.get("new", {})),
            changed=_variables(delta.get("changed", {})),
            deleted=_texts(delta, "deleted"),
        ),
        seconds=_number(record, "seconds"),
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
    record = _mapping(record, "an image")
    mime = _text(record, "mime", required=True)
    if "data" in record:
        return Image(mime=mime, data=_text(record, "data"))
    place = _whole(record, "output")
    data = outputs[place].get("data") if 0 <= place < len(outputs) else None
    shown = data.get(mime) if isinstance(data, Mapping) else None
    return Image(mime=mime, data=shown if isinstance(shown, str) else "")


def _variables_record(variables: Mapping[str, Variable]) -> JSON:
    fields = Variable.__slots__
    return {
        name: {field: text for field in fields if (text := getattr(variable, field))}
        for name, variable in variables.items()
    }


def _variables(record: Any) -> dict[str, Variable]:
    return {
        name: Variable(**{f: _text(_mapping(fields, name), f) for f in Variable.__slots__})
        for name, fields in _mapping(record, "variables").items()
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
    record = _mapping(record, "a reply")
    usage = _mapping(record.get("usage", {}), "usage")
    cost = usage.get("cost")
    return Reply(
        text=_text(record, "text"),
        model=_text(record, "model"),
        prompt=_text(record, "prompt"),
        usage=Usage(
            input_tokens=_whole(usage, "input_tokens", 0),
            output_tokens=_whole(usage, "output_tokens", 0),
            cached_tokens=_whole(usage, "cached_tokens", 0),
            cost=None if cost is None else _number(usage, "cost"),
            estimated=usage.get("estimated") is True,
        ),
        seconds=_number(record, "seconds"),
    )


def _usage_record(usage: Usage) -> JSON:
    return {field: getattr(usage, field) for field in Usage.__slots__}


# ── reading without trust ────────────────────────────────────────────────────────────────────────


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Damaged(f"{what} is not an object")
    return value


def _sequence(record: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = record.get(name, [])
    if not isinstance(value, list | tuple):
        raise Damaged(f"{name} is not a list")
    return value


def _text(record: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    value = record.get(name, None if required else "")
    if not isinstance(value, str):
        raise Damaged(f"{name} is not a text")
    return value


def _optional_text(record: Mapping[str, Any], name: str) -> str | None:
    return None if record.get(name) is None else _text(record, name)


def _texts(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = _sequence(record, name)
    if not all(isinstance(value, str) for value in values):
        raise Damaged(f"{name} is not a list of texts")
    return tuple(values)


def _number(record: Mapping[str, Any], name: str) -> float:
    value = record.get(name, 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Damaged(f"{name} is not a number")
    return value


def _whole(record: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = record.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Damaged(f"{name} is not a whole number")
    return value


def _member(kind: type[_Member], value: Any) -> _Member:
    try:
        return kind(value)
    except ValueError as error:
        raise Damaged(f"{value!r} is not one of {', '.join(kind)}") from error
