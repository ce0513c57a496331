"""The names of models that litellm knows, read from its price list without importing it.

Rule: a help for typing, nothing more: a name that is not here may be good, and one that is here may not
be open to the user. Without the list there are no names.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_LIST = "model_prices_and_context_window_backup.json"
_MODES = ("chat", "responses")


@cache
def known() -> tuple[str, ...]:
    """`provider/model` of each model one can talk to, sorted. Reads some MB the first time."""
    spec = find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        return ()
    path = Path(spec.submodule_search_locations[0]) / _LIST
    try:
        listed = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return ()
    names = set()
    for name, about in listed.items() if isinstance(listed, dict) else ():
        if isinstance(about, dict) and about.get("mode") in _MODES and not name.startswith("ft:"):
            names.add(name if "/" in name else f"{about.get('litellm_provider')}/{name}")
    return tuple(sorted(names))
