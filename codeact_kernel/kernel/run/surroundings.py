"""What the sandbox says is in the notebook, as values.

Rule: it comes from inside, so it is data: each field is checked, each text and each list bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codeact_kernel.agent.ports import Surroundings
from codeact_kernel.trace.values import Function, Variable

_MAX_NAMES = 20_000
_MAX_TEXT = 2_000


def surroundings_of(value: Any) -> Surroundings:
    """What the sandbox says is in the notebook, each field checked, each text bounded."""
    given = value if isinstance(value, dict) else {}
    variables, functions, names = (given.get(key) for key in ("variables", "functions", "names"))
    return Surroundings(
        variables={
            str(name)[:200]: Variable(**{key: _text(fields, key) for key in Variable.__slots__})
            for name, fields in list((variables if isinstance(variables, dict) else {}).items())[
                :_MAX_NAMES
            ]
            if isinstance(fields, dict)
        },
        functions=tuple(
            Function(**{key: _text(each, key) for key in Function.__slots__})
            for each in (functions if isinstance(functions, list) else [])[:_MAX_NAMES]
            if isinstance(each, dict)
        ),
        names=frozenset(
            name for name in (names if isinstance(names, list) else []) if isinstance(name, str)
        ),
    )


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key, "")
    return str(value)[:_MAX_TEXT] if isinstance(value, str | int) else ""
