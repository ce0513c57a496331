"""What litellm and its providers raise, as errors of ours: the one table.

Rule: by status code, not by class: litellm's classes depend on the provider and on words in the
body. Nothing raised here holds a key or more of the provider's text than one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from codeact_kernel.errors import (
    ContextOverflow,
    MissingKey,
    ModelError,
    Refused,
    StreamCut,
    UnknownModel,
    Unreachable,
)

_MEANING = {
    400: "it could not read the request",
    401: "the key was not accepted; check the provider's key variable or api_key",
    402: "the account has no credit",
    403: "this key may not use this model",
    404: "it does not know this model; check the name, and the address if you gave one",
    408: "it took too long",
    409: "it is busy with another request",
    413: "the request is too large",
    422: "it could not read the request",
    429: "too many requests, or the quota is used up",
    529: "it is overloaded",
}
_RETRYABLE = frozenset({408, 409, 429})
_OVERFLOW = re.compile(
    r"context[_ ](?:length|window)|maximum context|prompt is too long|too many (?:input )?tokens",
    re.IGNORECASE,
)
_NO_MONEY = re.compile(r"insufficient_quota|exceeded your current quota", re.IGNORECASE)
_PREFIX = re.compile(r"^(?:litellm\.\w+: |\w+(?:Error|Exception)(?: -|:) |Error code: \d+ - )+")


def translate(error: Exception, *, model: str, address: str, key: str, begun: bool) -> ModelError:
    """Our error for one of litellm's. `begun`: the reply had begun to arrive."""
    words = _words(error, key)
    if begun:
        return StreamCut(
            f"The connection to {model} broke in the middle of a reply.", retryable=True
        )
    for known in (_unreachable, _unknown, _overflow, _keyless):
        if (ours := known(error, str(error), model, address)) is not None:
            return ours
    return _refused(error, model, words)


def _refused(error: Exception, model: str, words: str) -> ModelError:
    status = _status(error)
    meaning = _MEANING.get(status, "it has a problem of its own" if status >= 500 else "no")
    sentence = f"The provider of {model} answered {status}: {meaning}{words}."
    if status == 404:
        return UnknownModel(sentence)
    retryable = (status in _RETRYABLE or status >= 500) and not _NO_MONEY.search(str(error))
    return Refused(sentence, status=status, retryable=retryable, retry_after=_retry_after(error))


def _unreachable(error: Exception, text: str, model: str, address: str) -> ModelError | None:
    names = {type(each).__name__ for each in _causes(error)}
    where = address or f"the provider of {model}"
    if names & {"ConnectError", "ConnectTimeout", "ClientConnectorError", "gaierror"}:
        return Unreachable(
            f"Nobody answers at {where}. Check that the server runs, its address (api_base) and "
            "your network connection."
        )
    if names & {"Timeout", "ReadTimeout", "APITimeoutError", "TimeoutError"}:
        return Unreachable(f"{where} gave no answer in time.", retryable=True)
    if names & {"APIConnectionError", "RemoteProtocolError", "ReadError"} and "onnection" in text:
        return Unreachable(f"The connection to {where} broke before a reply came.", retryable=True)
    return None


def _unknown(error: Exception, text: str, model: str, address: str) -> ModelError | None:
    if "LLM Provider NOT provided" not in text:
        return None
    return UnknownModel(unknown_provider(model))


def unknown_provider(model: str) -> str:
    return (
        f"{model} does not name a provider. Write provider/model (for example "
        "anthropic/claude-sonnet-4-6 or openai/gpt-5), or give the server's address with --api-base."
    )


def no_reply(model: str, address: str) -> str:
    if not address:
        return f"The provider of {model} sent nothing at all. Try again later."
    return (
        f"What answers at {address} sent no reply that can be read: check that it is the address of "
        "an OpenAI-compatible server (it usually ends in /v1)."
    )


def _overflow(error: Exception, text: str, model: str, address: str) -> ModelError | None:
    named = any(type(each).__name__ == "ContextWindowExceededError" for each in _causes(error))
    if not named and not (_status(error) in (400, 413, 422) and _OVERFLOW.search(text)):
        return None
    return ContextOverflow(
        f"The conversation is longer than {model} can read. Start a new run for the rest of the "
        "task (the variables are still there), or choose a model with a larger context window."
    )


def _keyless(error: Exception, text: str, model: str, address: str) -> ModelError | None:
    if "Missing credentials" in text or "api_key client option must be set" in text:
        return missing_key(model, ())
    if "Missing" in text and "API Key" in text:
        return missing_key(model, ())
    return None


def missing_key(model: str, variables: tuple[str, ...]) -> MissingKey:
    """`variables` are those that would hold the key."""
    named = " and ".join(variables) or "the provider's key variable"
    return MissingKey(
        f"There is no key for {model}. Set {named} in the environment the kernel is started from, "
        "or api_key in the configuration file."
    )


# ── facts about an exception ─────────────────────────────────────────────────────────────────────


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what led to it."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


def _status(error: Exception) -> int:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else 500


def _retry_after(error: Exception) -> float | None:
    """Seconds the provider asked us to wait, None when it did not say so in seconds."""
    for each in _causes(error):
        for headers in (
            getattr(getattr(each, "response", None), "headers", None),
            getattr(each, "litellm_response_headers", None),
        ):
            value = headers.get("retry-after") if isinstance(headers, Mapping) else None
            if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value.strip()):
                return float(value)
    return None


def _words(error: Exception, key: str) -> str:
    """The provider's own words in brackets: one short line, without the key."""
    text = " ".join(str(getattr(error, "message", "") or error).split())
    text = _PREFIX.sub("", text)
    if key:
        text = text.replace(key, "…")
    text = re.sub(r"\b(?:sk|key|tok)[-_][\w*-]{8,}", "…", text)
    if len(text) > 200:
        text = f"{text[:200]}…"
    return f" ({text.rstrip('.')})" if text else ""
