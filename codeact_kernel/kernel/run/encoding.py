"""Events as plain JSON: what the journal keeps and the panel protocol sends (docs/panel.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from codeact_kernel.trace.events import Event, Observed, StepFinished
from codeact_kernel.trace.values import Observation


def event_json(event: Event) -> dict[str, Any]:
    """`{"type": class name, ...fields}`, nothing but JSON in it."""
    return {"type": type(event).__name__, **_fields(event)}


def without_outputs(event: Event) -> Event:
    """The event without the outputs and images of an observation, which may be 64 MB."""
    match event:
        case Observed():
            return replace(event, observation=_bare(event.observation))
        case StepFinished() if event.step.observation is not None:
            bare = _bare(event.step.observation)
            return replace(event, step=replace(event.step, observation=bare))
        case _:
            return event


def _bare(observation: Observation) -> Observation:
    return replace(observation, outputs=(), images=())


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if is_dataclass(value):
        return _fields(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value]
