"""What a cell asks for beside what its user allows.

Rule: notebooks come from others, so an option written in a cell only narrows what the user has
configured. What a front end or the command line overrides is the user's own. An address in a cell
has to be allowed by a person, and no key of the user's ever goes there. Pure; nothing is asked here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.cells.agent_options import Options
from codeact_kernel.settings import Settings

_STRICTNESS = ("never", "risky", "ask")
_REPLAY = "replay/"
_MAX_ADDRESS = 200
_HOW = "Allow it with api_base in your configuration file, CODEACT_API_BASE, or codeact run --api-base."


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a run works with. `foreign` is an address that a person has to allow first, "" for none."""

    settings: Settings
    foreign: str = ""


def choose(settings: Settings, own: Options, written: Options) -> Chosen:
    """The user's settings, their overrides, and what the cell writes where these say nothing.

    Raises UsageError for an option of the cell that widens anything.
    """
    mine = _with(settings, own)
    asked = replace(written, **dict.fromkeys(own.given()))
    off = dict.fromkeys((*mine.without, *(written.without or ())))  # a cell switches nothing on
    asked = replace(asked, without=tuple(off))
    _require_narrower(mine, asked)
    chosen = _with(mine, asked)
    if chosen.model.startswith(_REPLAY):
        if asked.model is not None:
            _require_below(chosen.model.removeprefix(_REPLAY))
        return Chosen(settings=replace(chosen, api_base="", api_key=""))
    if asked.model is not None and "://" in asked.model:
        raise UsageError(
            f"A cell cannot name the address of a model in --model. {_HOW} The model is then "
            "--model openai/NAME."
        )
    if asked.api_base is None or _same(asked.api_base, mine.api_base):
        keyed = settings.model or mine.model
        theirs = bool(mine.api_base) or _provider(chosen.model) == _provider(keyed)
        key = mine.api_key if theirs else ""
        return Chosen(settings=replace(chosen, api_base=mine.api_base, api_key=key))
    _require_plain(asked.api_base, chosen.model)
    return Chosen(settings=replace(chosen, api_key=""), foreign=asked.api_base)


def question(address: str) -> str:
    """What a person is asked before anything is sent to a foreign address."""
    return (
        f"This cell sends the conversation to {address}, which is not in your configuration. "
        "Allow it? [y/N] "
    )


def refusal(address: str) -> str:
    """What is said when nobody allowed it."""
    return (
        f"This cell would send the conversation to {address}, which is not in your configuration; "
        f"nothing was sent. {_HOW}"
    )


def _with(settings: Settings, options: Options) -> Settings:
    return replace(settings, **options.given())


def _require_narrower(mine: Settings, asked: Options) -> None:
    if asked.approve is not None and _looser(asked.approve, mine.approve):
        raise _too_wide("approve", asked.approve, mine.approve, "")
    if asked.steps is not None and "steps" in mine.given and asked.steps > mine.steps:
        raise _too_wide("steps", asked.steps, mine.steps, " or codeact run --steps")
    if asked.budget is not None and mine.budget is not None and asked.budget > mine.budget:
        raise _too_wide("budget", asked.budget, mine.budget, " or codeact run --budget")


def _looser(asked: str, mine: str) -> bool:
    return _STRICTNESS.index(asked) < _STRICTNESS.index(mine)


def _too_wide(name: str, asked: object, mine: object, command: str) -> UsageError:
    return UsageError(
        f"This cell asks for --{name} {asked} where you have configured {name} = {mine}: a cell can "
        f"only narrow it. Change {name} in your configuration file, CODEACT_{name.upper()}{command}."
    )


def _require_below(recording: str) -> None:
    path = PurePosixPath(recording)
    if path.is_absolute() or recording.startswith("~") or ".." in path.parts:
        raise UsageError(
            f"A cell can only replay a recording below the notebook's folder, not {recording[:200]!r}. "
            "Name it with model in your configuration file, CODEACT_MODEL, or codeact run --model."
        )


def _require_plain(address: str, model: str) -> None:
    """Nothing that reads like another address than it is, and no provider that signs with more than a key."""
    try:
        parts = urlsplit(address)
        host, odd = parts.hostname, "@" in parts.netloc or parts.scheme not in ("http", "https")
    except ValueError:
        host, odd = None, True
    printable = address.isascii() and address.isprintable() and not set(address) & set(" \\")
    if not host or odd or not printable or len(address) > _MAX_ADDRESS:
        raise UsageError(f"--api-base must be a plain http or https address. {_HOW}")
    if not model.startswith("openai/"):
        raise UsageError(
            f"An address in a cell is taken as an OpenAI-compatible server, so its model is named "
            f"--model openai/NAME, not {model[:100]!r}."
        )


def _same(address: str, mine: str) -> bool:
    return address.rstrip("/") == mine.rstrip("/")


def _provider(model: str) -> str:
    """What a key belongs to; a name without a provider is compared whole."""
    return model.partition("/")[0]
