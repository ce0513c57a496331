"""The only reader of the environment and of configuration files.

Order, later wins: defaults, ~/.config/codeact/config.toml (or $CODEACT_CONFIG), CODEACT_* variables.
A notebook or project file is never read here: only the user's own configuration may widen anything.
Standard library only: this is on the kernel's start path.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from codeact_kernel.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting with its default. A field `steps` is `steps = 8` in the file, CODEACT_STEPS in the environment."""

    model: str = ""
    """litellm's name ("anthropic/claude-sonnet-4-6") or "replay/NOTEBOOK"; "" = none chosen yet."""
    api_base: str = ""
    api_key: str = ""
    """Usually left to the provider's own variable (ANTHROPIC_API_KEY ...), which litellm reads."""
    steps: int = 20
    budget: float | None = None
    """USD for one run."""
    approve: str = "never"
    """never, ask, risky."""
    vision: bool | None = None
    """None: as the model can."""
    without: tuple[str, ...] = ()
    """Tools that are switched off: "shell", and functions of the notebook by name."""
    context_window: int | None = None
    """Tokens, for models nobody knows."""

    profile: str = "notebook"
    """notebook or strict."""
    isolation: str = "auto"
    """auto, namespaces, landlock, or none (explicit and visible)."""
    workspace: str = ""
    """Folder the sandbox sees; "" = the notebook's own."""
    workspace_mode: str | None = None
    """cow (what code writes is staged), ro, or rw. None: cow, and in profile strict ro."""
    mounts: tuple[str, ...] = ()
    """Further folders code sees: "PATH" (read-only) or "PATH:rw"; in the file also {path, mode}."""
    devices: tuple[str, ...] = ()
    """Devices below /dev, written in the same way."""
    memory_mb: int | None = None
    step_seconds: float | None = None
    cell_seconds: float | None = None
    processes: int | None = None
    cpus: float | None = None
    """Processors code may keep busy, where control groups can limit it."""
    disk_mb: int | None = None
    """What code may add to the workspace."""
    checkpoints: int = 10
    """How many states of a notebook one can go back to; 0 = none."""
    checkpoint_mb: int | None = None
    """What they may take in memory; None: a quarter of the sandbox's."""
    preload: tuple[str, ...] = ()
    """Modules imported before the first cell asks for them."""
    pip: str = "user"
    """Who may run %pip install, which works outside the sandbox: user (in cells of their own), never."""
    standby: bool = True
    """Keep one more sandbox ready, with numpy, pandas and matplotlib (or `preload`) imported."""
    standby_mb: int = 300
    """Memory it may take; without four times as much to spare there is none."""
    allow_net: tuple[str, ...] = ()
    """What code may reach, "host", "host:port" or "*.host" each; () = no network at all."""
    inject_headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """By host: headers the network proxy adds outside; in a value $NAME is a variable. File only."""
    net_mb: int | None = None
    """What a kernel's code may exchange with the network in all; None: 1024."""
    log_level: str = "warning"

    given: frozenset[str] = frozenset()
    """Not a setting: the names of those the user gave; the others have their defaults."""

    @property
    def mode(self) -> str:
        """The workspace mode that is meant: cow, ro, or rw."""
        return self.workspace_mode or ("ro" if self.profile == "strict" else "cow")


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The user's settings. Raises SettingsError naming the file or variable and the allowed values."""
    environ = os.environ if environ is None else environ
    settings = Settings()
    path = config_path(environ)
    if path.is_file() or environ.get("CODEACT_CONFIG"):
        given = _read(path)
        if "inject_headers" in given:
            given["inject_headers"] = _headers(given["inject_headers"], environ, str(path))
        settings = _apply(settings, given, str(path))
    return _apply(settings, _given(environ), "the environment")


def _given(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings among the variables. A misspelt one is refused: it may be about safety."""
    variables = {f"{_PREFIX}{name.upper()}": name for name in _NAMES}
    ours = {name: text for name, text in environ.items() if name.startswith(_PREFIX) and text}
    ours.pop("CODEACT_CONFIG", None)
    if unknown := sorted(set(ours) - set(variables)):
        raise SettingsError(
            f"The environment sets {unknown[0]}, which is not a setting. "
            f"Known: {', '.join(sorted(variables))}."
        )
    return {variables[name]: text for name, text in ours.items()}


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the user's configuration file is looked for."""
    if named := environ.get("CODEACT_CONFIG"):
        return Path(named)
    base = environ.get("XDG_CONFIG_HOME") or str(
        Path(environ.get("HOME") or "~").expanduser() / ".config"
    )
    return Path(base) / "codeact" / "config.toml"


def state_path(environ: Mapping[str, str] | None = None) -> Path:
    """The folder for what outlives a process: journals, logs, font cache. Not made here."""
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_STATE_HOME") or str(
        Path(environ.get("HOME") or "~").expanduser() / ".local" / "state"
    )
    return Path(base) / "codeact"


def child_environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process the user starts through us (a kernel, JupyterLab): this one's and `given`.

    Never the sandbox's: that one is made from nothing.
    """
    return {**os.environ, **given}


def variables(given: Mapping[str, object]) -> dict[str, str]:
    """Settings as the CODEACT_* variables that say the same; None is left out.

    Raises SettingsError as `load` would, so that a wrong value is said before anything starts.
    """
    texts = {
        name: ",".join(value) if isinstance(value, list) else str(value)
        for name, value in given.items()
        if value is not None
    }
    _apply(Settings(), texts, "the command line")
    return {f"{_PREFIX}{name.upper()}": text for name, text in texts.items()}


def terminal_style(environ: Mapping[str, str] | None = None) -> str:
    """What a terminal may be sent: "dumb" (lines only), "plain" (no colour, NO_COLOR) or "colour"."""
    environ = os.environ if environ is None else environ
    if environ.get("TERM", "dumb") in ("dumb", ""):
        return "dumb"
    return "plain" if environ.get("NO_COLOR") else "colour"


def parent_pid(environ: Mapping[str, str] | None = None) -> int | None:
    """The process that started this kernel, as Jupyter names it; None when it does not."""
    environ = os.environ if environ is None else environ
    named = environ.get("JPY_PARENT_PID", "")
    return int(named) if named.isdigit() else None


def notebook_name(environ: Mapping[str, str] | None = None) -> str:
    """The file name of the notebook a kernel was started for, as Jupyter names it; "" when it does not."""
    environ = os.environ if environ is None else environ
    name = os.path.basename(environ.get("JPY_SESSION_NAME", ""))
    return name if name.endswith(".ipynb") else ""


_PREFIX = "CODEACT_"
_NAMES = frozenset(field.name for field in fields(Settings)) - {"given"}
_CHOICES = {
    "approve": ("never", "ask", "risky"),
    "profile": ("notebook", "strict"),
    "isolation": ("auto", "namespaces", "landlock", "none"),
    "workspace_mode": ("cow", "ro", "rw"),
    "pip": ("user", "never"),
    "log_level": ("debug", "info", "warning", "error"),
}
_NUMBERS = {
    "steps": int,
    "budget": float,
    "context_window": int,
    "memory_mb": int,
    "step_seconds": float,
    "cell_seconds": float,
    "processes": int,
    "cpus": float,
    "disk_mb": int,
    "net_mb": int,
    "standby_mb": int,
    "checkpoints": int,
    "checkpoint_mb": int,
}
_MAY_BE_ZERO = ("checkpoints",)
_LISTS = {
    "without": "names of tools",
    "preload": "module names",
    "allow_net": "hosts",
    "mounts": "paths",
    "devices": "paths",
}


def _read(path: Path) -> dict[str, Any]:
    import tomllib  # most users have no such file, and the start waits for nothing they do not use

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"The configuration file {path} cannot be read: {error}.") from error


def _headers(raw: Any, environ: Mapping[str, str], where: str) -> dict[str, dict[str, str]]:
    """The table {host: {header: text}} with $NAME and ${NAME} replaced. Raises SettingsError."""
    from string import Template

    tables = raw.values() if isinstance(raw, dict) else [None]
    if not all(
        isinstance(table, dict) and all(isinstance(text, str) for text in table.values())
        for table in tables
    ):
        raise SettingsError(
            f"{where}: inject_headers must be tables of headers, one for each host."
        )
    try:
        return {
            host: {name: Template(text).substitute(environ) for name, text in table.items()}
            for host, table in raw.items()
        }
    except KeyError as error:
        raise SettingsError(
            f"{where}: inject_headers needs the variable {error.args[0]}, which is not set."
        ) from None
    except ValueError:
        raise SettingsError(
            f"{where}: in inject_headers a $ stands before a variable's name; write $$ for the sign."
        ) from None


def _apply(settings: Settings, given: Mapping[str, Any], where: str) -> Settings:
    if unknown := sorted(set(given) - _NAMES):
        raise SettingsError(
            f"{where} sets {unknown[0]!r}, which is not a setting. Known: {', '.join(sorted(_NAMES))}."
        )
    values = {name: _value(name, raw, where) for name, raw in given.items()}
    return replace(settings, **values, given=settings.given | set(values))


def _value(name: str, raw: Any, where: str) -> Any:
    if name in _CHOICES:
        return _choice(name, raw, where)
    if name in _NUMBERS:
        return _number(name, raw, where)
    if name in ("vision", "standby"):
        return _switch(name, raw, where)
    if name in _LISTS:
        items = raw.replace(",", " ").split() if isinstance(raw, str) else raw
        if name in ("mounts", "devices") and isinstance(items, list):
            items = [_placed(item) for item in items]
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise SettingsError(f"{where}: {name} must be a list of {_LISTS[name]}, not {raw!r}.")
        return tuple(items)
    if name == "inject_headers":
        if not isinstance(raw, Mapping):
            raise SettingsError(
                f"{where} sets inject_headers, which belongs in the configuration file."
            )
        return raw
    if not isinstance(raw, str):
        raise SettingsError(f"{where}: {name} must be text, not {raw!r}.")
    return raw


def _placed(item: Any) -> Any:
    """The table {path, mode} as the text PATH:MODE; anything else as it is."""
    if isinstance(item, dict) and set(item) <= {"path", "mode"} and "path" in item:
        return f"{item['path']}:{item.get('mode', 'ro')}"
    return item


def _choice(name: str, raw: Any, where: str) -> str:
    allowed = _CHOICES[name]
    if raw not in allowed:
        raise SettingsError(f"{where}: {name} must be one of {', '.join(allowed)}, not {raw!r}.")
    return str(raw)


def _number(name: str, raw: Any, where: str) -> float:
    try:
        number: float = _NUMBERS[name](raw)
    except (TypeError, ValueError):
        number = -1
    cut = isinstance(raw, float) and number != raw
    if number == 0 and name in _MAY_BE_ZERO and not (isinstance(raw, bool) or cut):
        return 0
    if isinstance(raw, bool) or cut or not 0 < number < 1e15:
        raise SettingsError(f"{where}: {name} must be a positive number, not {raw!r}.")
    return number


def _switch(name: str, raw: Any, where: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    value = words.get(str(raw).lower())
    if value is None:
        raise SettingsError(f"{where}: {name} must be true or false, not {raw!r}.")
    return value
