"""The options of `%%agent`: on the first line of a cell, or as a front end sends them.

Rule: pure; an option that is misspelt or has no sense is said in one sentence, wherever it came from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from codeact_kernel.errors import UsageError

APPROVALS = ("never", "ask", "risky")
MOST_TOOLS = 200
NO_WIDENING = (
    "A cell cannot open the network, because notebooks come from others. Allow hosts with "
    "codeact run --allow-net HOST, or with allow_net in your configuration file."
)
_OPTION = re.compile(r"--([A-Za-z][\w-]*)(?:=|[ \t]+|$)")
_VALUE = re.compile(r"""(?:"([^"]*)"|'([^']*)'|(\S+))[ \t]*""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was given on the line; None: not given."""

    model: str | None = None
    steps: int | None = None
    budget: float | None = None
    approve: str | None = None
    vision: bool | None = None
    api_base: str | None = None
    without: tuple[str, ...] | None = None

    def given(self) -> dict[str, Any]:
        """Those that were given, by name."""
        return {
            field.name: value
            for field in fields(Options)
            if (value := getattr(self, field.name)) is not None
        }

    def over(self, other: Options) -> Options:
        """These, and `other` where these say nothing."""
        return replace(other, **self.given())


def read_options(line: str) -> tuple[Options, str]:
    """The options at the start of a line, and what follows them. Raises UsageError."""
    given: dict[str, Any] = {}
    line = line.strip()
    while line.startswith("--"):
        if line == "--" or line.startswith("-- "):
            line = line[2:].lstrip()
            break
        match = _OPTION.match(line)
        if match is None:
            raise UsageError(f"{line.split()[0]!r} is not an option. {_known()}")
        name, line = match.group(1), line[match.end() :].lstrip()
        if name in ("vision", "no-vision"):
            given["vision"] = name == "vision"
            continue
        key = name.replace("-", "_")
        if key == "allow_net":
            raise UsageError(NO_WIDENING)
        if key not in _READERS:
            raise UsageError(f"--{name} is not an option. {_known()}")
        value = _VALUE.match(line)
        if value is None or line.startswith("--"):
            raise UsageError(f"--{name} needs a value behind it.")
        given[key] = option(key, next(part for part in value.groups() if part is not None))
        line = line[value.end() :]
    return Options(**given), line


def options_of(given: Mapping[str, Any]) -> Options:
    """Options by long name, as a front end sends them. Raises UsageError."""
    return Options(
        **{
            str(name).replace("-", "_"): option(str(name).replace("-", "_"), value)
            for name, value in given.items()
            if value is not None
        }
    )


def option(name: str, value: Any) -> Any:
    """One option's value, checked. Raises UsageError."""
    reader = _READERS.get(name)
    if name == "allow_net":
        raise UsageError(NO_WIDENING)
    if reader is None:
        raise UsageError(f"{name[:40]!r} is not an option. {_known()}")
    return reader(value)


def _steps(value: Any) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if not 1 <= number <= 10_000:
        raise UsageError(
            f"--steps must be a whole number from 1 to 10000, not {str(value)[:40]!r}."
        )
    return number


def _budget(value: Any) -> float:
    try:
        number = float(str(value).removeprefix("$"))
    except ValueError:
        number = 0.0
    if not 0 < number < 1e9:
        raise UsageError(
            f"--budget must be an amount of USD greater than 0, not {str(value)[:40]!r}."
        )
    return number


def _approve(value: Any) -> str:
    if value not in APPROVALS:
        raise UsageError(
            f"--approve must be one of {', '.join(APPROVALS)}, not {str(value)[:40]!r}."
        )
    return str(value)


def _vision(value: Any) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"vision must be true or false, not {str(value)[:40]!r}.")
    return value


def _without(value: Any) -> tuple[str, ...]:
    """Names, as a list or with commas between them."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or len(names) > MOST_TOOLS:
        raise UsageError(f"--without needs the names of at most {MOST_TOOLS} tools.")
    for name in names:
        if not isinstance(name, str) or not name.isidentifier():
            raise UsageError(
                f"--without needs names of functions, or shell, with commas between them, not "
                f"{str(name)[:40]!r}."
            )
    return tuple(dict.fromkeys(names))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError("--model and --api-base need a name and an address.")
    return value


def _known() -> str:
    names = (name.replace("_", "-") for name in _READERS if name != "vision")
    return f"Known: {', '.join('--' + name for name in names)}, --vision, --no-vision."


_READERS: dict[str, Callable[[Any], Any]] = {
    "model": _text,
    "steps": _steps,
    "budget": _budget,
    "approve": _approve,
    "vision": _vision,
    "api_base": _text,
    "without": _without,
}
