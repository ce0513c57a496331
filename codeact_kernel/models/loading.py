"""Getting litellm into the process: late, once, quiet, and without it calling home.

Rule: nothing else imports litellm. It takes seconds and 170 MB, so it is imported in a thread, when a
model is first prepared or somebody begins to write a task (kernel/run/readiness.py).
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from typing import Any, cast

from codeact_kernel.errors import ModelError

_LOCK = threading.Lock()
_OFFLINE = ("LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS")
_DEPLOYED = "LITELLM_MODE"
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")


def load() -> Any:
    """The litellm module. Blocks for seconds the first time; any thread may call it.

    Raises ModelError when it is not there.
    """
    with _LOCK:
        for name in _OFFLINE:
            # litellm reads these at import; without them it fetches price lists from the network.
            os.environ.setdefault(name, "True")  # noqa: TID251 -- its only way to be told
        # In its mode for developers it reads a .env of the folders above it, the project's when the
        # environment lies in one: whoever wrote that could say where our keys are sent.
        os.environ.setdefault(_DEPLOYED, "PRODUCTION")  # noqa: TID251
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its dependencies deprecate each other
            try:
                import litellm
            except ImportError as error:
                raise ModelError(
                    f"litellm, which talks to the providers, cannot be imported ({error}). "
                    "Install codeact-kernel again."
                ) from error
            litellm.ModelResponseStream()  # builds its schemas now, not in the first reply
            litellm.ModelResponse()
        # Both print into whatever has our standard output, which may be somebody's notebook.
        litellm.suppress_debug_info = True
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers[:] = [logging.NullHandler()]  # what is logged goes to our own handlers
        return cast(Any, litellm)
