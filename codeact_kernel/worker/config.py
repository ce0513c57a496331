"""What the launcher tells the worker: one JSON object in the arguments, never the environment."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The worker's settings. `imports` None: a cell may import what is installed."""

    preload: tuple[str, ...] = ()
    imports: frozenset[str] | None = None
    workspace: str | None = None
    profile: str = "notebook"


def parse(text: str) -> Config:
    """The configuration from JSON; unknown keys are ignored. Raises ValueError."""
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("the worker's configuration is not a JSON object")
    imports = data.get("imports")
    return Config(
        preload=tuple(str(name) for name in data.get("preload") or ()),
        imports=None if imports is None else frozenset(str(name) for name in imports),
        workspace=data.get("workspace") or None,
        profile=str(data.get("profile") or "notebook"),
    )
