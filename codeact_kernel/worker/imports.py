"""The allowlist of imports (profile `strict`): advice to who writes cells, not a wall.

Rule: only an import statement of the notebook's own code is looked at; what a library imports for
itself is its own affair. The walls are the sandbox's.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from types import ModuleType


def restrict(allowed: frozenset[str], profile: str) -> None:
    """From now on cells may import only these top-level modules."""
    original = builtins.__import__

    def checked(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        top = name.partition(".")[0]
        if level == 0 and top not in allowed and (globals or {}).get("__name__") == "__main__":
            raise ImportError(
                f"The profile {profile} does not allow cells to import {top}. Use what is allowed, "
                f"or ask the user to add {top} to the allowed imports or to start the kernel with "
                f"the profile notebook.",
                name=top,
            )
        return original(name, globals, locals, fromlist, level)

    builtins.__import__ = checked
