"""What comes out of the sandbox, once it has been checked.

Rule: made by inward.py, or by this kernel in the sandbox's place; nobody behind it checks again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from codeact_kernel.kernel.channels.messages import EMPTY, Raw


class Said(NamedTuple):
    """What the sandbox published or replied: checked JSON objects, as bytes and as values."""

    type: str
    content: Raw
    value: dict[str, Any]
    metadata: Raw = EMPTY
    buffers: tuple[Raw, ...] = ()
