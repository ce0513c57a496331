"""From the name the user gave to a Model.

Rule: this decides by the name alone and touches no network; what is wrong with a name, a key or an
address is said when the first question is asked, as a ModelError.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from codeact_kernel.agent.ports import Model
from codeact_kernel.errors import UnknownModel
from codeact_kernel.models.litellm_model import LiteLLMModel
from codeact_kernel.models.replay import ReplayModel
from codeact_kernel.trace.values import Trace

REPLAY = "replay/"


def open_model(
    name: str,
    *,
    api_base: str = "",
    api_key: str = "",
    context_window: int | None = None,
    vision: bool | None = None,
    load_trace: Callable[[str], Trace],
) -> Model:
    """The model called `name`: "provider/model" as litellm has it, or "replay/NOTEBOOK".

    `api_base` is the address of an OpenAI-compatible server; a name without a provider is then
    taken as a model of that server. `context_window` (tokens) and `vision` go before what is known
    about the model. `load_trace` reads the notebook of a replay and raises NotebookError. Raises
    UnknownModel when there is no name.
    """
    name = name.strip()
    if name.startswith(REPLAY):
        path = name.removeprefix(REPLAY)
        shared = REPLAY + PurePath(path).name  # a trace is shared: it names no folder of the user's
        return ReplayModel(load_trace(path), name=shared, window=context_window, sees=vision)
    if not name:
        raise UnknownModel(
            "No model is chosen. Name one with --model (for example anthropic/claude-sonnet-4-6), "
            "in CODEACT_MODEL, or as model in the configuration file."
        )
    return LiteLLMModel(
        name, api_base=api_base, api_key=api_key, window=context_window, sees=vision
    )
