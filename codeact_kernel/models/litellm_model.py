"""litellm behind our Model port: the only importer of litellm, and only when a model is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from codeact_kernel.agent.ports import Chunk, Finished
from codeact_kernel.trace.values import Message


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
    ) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def sees(self) -> bool:
        return False

    @property
    def window(self) -> int | None:
        return None

    async def stream(self, messages: Sequence[Message]) -> AsyncIterator[Chunk | Finished]:
        raise NotImplementedError
        yield Chunk(text="")


def prewarm() -> None:
    """Import litellm now (2 to 6 seconds); for a background thread."""
