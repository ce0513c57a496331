"""Hashes of what was said. The same conversation has the same digest on every machine.

Rule: a digest is sha256 over canonical JSON (keys sorted, no spaces, ASCII), in hex. Nothing that
differs between two runs of the same conversation (a time, an address, an order) goes in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from codeact_kernel.trace.values import Message


def digest(messages: Sequence[Message]) -> str:
    """The digest of a conversation: 64 hexadecimal digits."""
    return of_json(
        [
            [message.role, message.text, [[image.mime, image.data] for image in message.images]]
            for message in messages
        ]
    )


def of_text(text: str) -> str:
    """The digest of a text. Lone surrogates, which models do send, are hashed as they are."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def of_json(value: Any) -> str:
    """The digest of plain JSON data."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
