"""litellm behind our Model port.

Rule: one request per question, no retry of its own (agent/ask.py retries), and the stream is
closed however the reading ends, because only that stops the provider. What the model can do is
looked up in litellm's table and otherwise taken cautiously; the user's settings go before both.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from codeact_kernel.agent.ports import Chunk, Finished
from codeact_kernel.errors import ModelError, StreamCut, UnknownModel, Unreachable
from codeact_kernel.models.loading import load
from codeact_kernel.models.translate import missing_key, no_reply, translate, unknown_provider
from codeact_kernel.trace.values import Message, Usage

SILENCE = 300.0
"""Seconds without a byte after which the provider counts as gone."""
OUTPUT = 16_000
"""Tokens of a reply, for providers that want a number."""
PIECES = 200_000
"""Pieces a reply may come in, thinking included; each is kept until the end, to count tokens."""
ENDLESS = (
    "{name} sent more than {pieces:,} pieces without completing its reply, so it is given up: "
    "check the model and its server, or give it a smaller task."
)
_MARKS: list[dict[str, Any]] = [
    {"location": "message", "role": "system"},
    {"location": "message", "index": -1},
]
"""Where the prompt cache of the Anthropic family is told to look; others take offence at marks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What litellm's table knows of a model."""

    name: str
    """As litellm is given it."""
    provider: str
    window: int | None
    sees: bool
    output: int | None


class LiteLLMModel:
    """A Model (agent/ports.py) at any provider litellm knows."""

    def __init__(
        self,
        name: str,
        *,
        api_base: str = "",
        api_key: str = "",
        window: int | None = None,
        sees: bool | None = None,
        silence: float = SILENCE,
        pieces: int = PIECES,
    ) -> None:
        self._name, self._address = name, api_base
        # A server named by its address never gets the key that is meant for the provider itself.
        self._key = api_key or ("none" if api_base else "")
        self._window, self._sees = window, sees
        self._silence, self._pieces = silence, pieces
        self._litellm: Any = None
        self._known: _Known | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def sees(self) -> bool:
        if self._sees is not None:
            return self._sees
        return self._known is not None and self._known.sees

    @property
    def window(self) -> int | None:
        if self._window is not None:
            return self._window
        return self._known.window if self._known is not None else None

    async def prepare(self) -> None:
        """Import litellm and look the model up. Raises UnknownModel or MissingKey."""
        if self._known is None:
            self._litellm = await asyncio.to_thread(load)
            known = await asyncio.to_thread(_look_up, self._litellm, self._name, self._address)
            if not self._key:
                _require_key(self._litellm, known.name, self._name)
            self._known = known

    async def stream(self, messages: Sequence[Message]) -> AsyncIterator[Chunk | Finished]:
        """One reply; see the port. Raises ModelError."""
        await self.prepare()
        stream: Any = None
        reading = _Reading(self._litellm, self._name, self._request(messages), self._pieces)
        try:
            stream = await self._litellm.acompletion(**reading.request)
            async for chunk in stream:
                yield Chunk(text=reading.take(chunk))
            yield reading.finished(stream)
        except ModelError:
            raise
        except Exception as error:
            raise translate(
                error, model=self._name, address=self._address, key=self._key, begun=reading.begun
            ) from error
        finally:
            if stream is not None:
                await stream.aclose()

    def _request(self, messages: Sequence[Message]) -> dict[str, Any]:
        assert self._known is not None  # noqa: S101 -- after prepare
        request: dict[str, Any] = {
            "model": self._known.name,
            "messages": [_wire_message(message) for message in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_retries": 0,
            "timeout": self._silence,
            "drop_params": True,
        }
        if self._address:
            request["api_base"] = self._address
        if self._key:
            request["api_key"] = self._key
        if self._known.provider == "anthropic":
            request["cache_control_injection_points"] = [dict(mark) for mark in _MARKS]
            request["max_tokens"] = min(OUTPUT, self._known.output or OUTPUT)
        return request


class _Reading:
    """One stream on its way: the chunks so far, and what they come to."""

    def __init__(self, litellm: Any, name: str, request: dict[str, Any], most: int) -> None:
        self._litellm = litellm
        self._most = most
        self._name = name
        self.request = request
        self.begun = False
        """Whether text has arrived."""
        self._chunks: list[Any] = []
        self._reason = ""

    def take(self, chunk: Any) -> str:
        """The text in a chunk, "" when it has none. Raises ModelError when there are too many."""
        self._chunks.append(chunk)
        if len(self._chunks) > self._most:
            raise ModelError(ENDLESS.format(name=self._name, pieces=self._most))
        if not chunk.choices:  # a chunk of usage alone
            return ""
        self._reason = getattr(chunk.choices[0], "finish_reason", None) or self._reason
        text = getattr(chunk.choices[0].delta, "content", None) or ""
        self.begun = self.begun or bool(text)
        return text

    def finished(self, stream: Any) -> Finished:
        """What it cost. Raises StreamCut when the provider stopped without saying why, Unreachable
        when it said nothing at all.

        litellm makes up a finish reason and a usage when the provider sent none; its wrapper still
        knows.
        """
        if not (
            getattr(stream, "received_finish_reason", "unknown")
            or getattr(stream, "intermittent_finish_reason", "unknown")
        ):
            if not self.begun:
                raise Unreachable(no_reply(self._name, self.request.get("api_base", "")))
            raise StreamCut(f"The reply of {self._name} broke off without an end.", retryable=True)
        counted = any(getattr(chunk, "usage", None) for chunk in getattr(stream, "chunks", ()))
        full = self._litellm.stream_chunk_builder(self._chunks, messages=self.request["messages"])
        usage = getattr(full, "usage", None)
        return Finished(
            usage=Usage(
                input_tokens=_count(usage, "prompt_tokens"),
                output_tokens=_count(usage, "completion_tokens"),
                cached_tokens=_count(
                    getattr(usage, "prompt_tokens_details", None), "cached_tokens"
                ),
                cost=self._cost(full),
                estimated=not counted,
            ),
            model=self._name,
            truncated=self._reason == "length",
        )

    def _cost(self, full: Any) -> float | None:
        """USD, None when litellm has no price for the model."""
        try:
            return float(self._litellm.completion_cost(full, model=self.request["model"]))
        except Exception:  # noqa: BLE001 -- a plain Exception is what it raises for "no price"
            return None


# ── tables ───────────────────────────────────────────────────────────────────────────────────────


def _look_up(litellm: Any, name: str, address: str) -> _Known:
    """What litellm knows of the model. Raises UnknownModel when it knows no such provider."""
    try:
        _, provider, _, _ = litellm.get_llm_provider(name)
        full = name
    except litellm.exceptions.BadRequestError as error:
        if not address:
            raise UnknownModel(unknown_provider(name)) from error
        full, provider = f"openai/{name}", "openai"
    try:
        facts = litellm.get_model_info(full)
    except Exception:  # noqa: BLE001 -- a plain Exception is what it raises for "not mapped"
        facts = {}
    return _Known(
        name=full,
        provider=provider,
        window=facts.get("max_input_tokens"),
        sees=bool(facts.get("supports_vision")),
        output=facts.get("max_output_tokens"),
    )


def _require_key(litellm: Any, full: str, name: str) -> None:
    missing = litellm.validate_environment(full).get("missing_keys") or []
    if missing:
        raise missing_key(name, tuple(missing))


def _wire_message(message: Message) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.text}
    pictures = [
        {
            "type": "image_url",
            "image_url": {"url": f"data:{image.mime};base64,{image.data.strip()}"},
        }
        for image in message.images
    ]
    return {"role": message.role, "content": [{"type": "text", "text": message.text}, *pictures]}


def _count(usage: Any, name: str) -> int:
    value = getattr(usage, name, None)
    return value if isinstance(value, int) else 0
