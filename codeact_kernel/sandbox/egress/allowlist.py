"""What a sandbox may reach: hosts with ports, as the user named them, and headers put in for some.

Rule: values only, comparable: two sandboxes are alike when these are equal. An entry is exact or
`*.example.org` (every name below it, not itself); a wildcard that covers more than one domain is
refused. Without a port it means 443 and 80.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from codeact_kernel.errors import SettingsError
from codeact_kernel.sandbox.egress import hosts

MIB = 1024 * 1024
DEFAULT_PORTS = (443, 80)
DEFAULT_BYTES = 1024 * MIB
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e]{0,8000}", re.ASCII)
HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that say how one message is cut and passed on: nobody puts them in, nobody hands them on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that may be reached. `host` is canonical, after "*." for a wildcard."""

    host: str
    ports: tuple[int, ...] = DEFAULT_PORTS
    below: bool = False
    """Every name below `host`, not `host` itself."""
    named: bool = False
    """Exact and with its port: then it may be a private address."""

    def __str__(self) -> str:
        host = f"*.{self.host}" if self.below else self.host
        if self.ports == DEFAULT_PORTS:
            return host
        return hosts.joined(host, self.ports[0])

    def covers(self, host: str, port: int) -> bool:
        """May this canonical host be reached at this port by this entry?"""
        same = host.endswith(f".{self.host}") if self.below else host == self.host
        return same and port in self.ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """Headers that the proxy adds to requests a client makes as `http://host:port/…`.

    `tls`: the proxy itself speaks verified https to `host:upstream_port`.
    """

    host: str
    port: int
    upstream_port: int
    tls: bool
    headers: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowlist:
    """`bytes_in_all`: both directions, of one kernel in its whole life, however many sandboxes it has."""

    entries: tuple[Entry, ...]
    injections: tuple[Injection, ...] = ()
    bytes_in_all: int = DEFAULT_BYTES

    def __str__(self) -> str:
        return ", ".join(map(str, self.entries))

    def entry_for(self, host: str, port: int) -> Entry | None:
        """What allows it; the one that names it exactly goes first. None: not allowed."""
        covering = [entry for entry in self.entries if entry.covers(host, port)]
        return next((e for e in covering if e.named), covering[0] if covering else None)

    def injection_for(self, host: str, port: int) -> Injection | None:
        """The headers for a plain request to it."""
        for injection in self.injections:
            if (injection.host, injection.port) == (host, port):
                return injection
        return None


def parse(
    allowed: Iterable[str],
    headers: Mapping[str, Mapping[str, str]] | None = None,
    megabytes: int | None = None,
) -> Allowlist | None:
    """The allowlist of the settings `allow_net`, `inject_headers`, `net_mb`; None: nothing is allowed.

    Raises SettingsError with the entry that is wrong.
    """
    entries = tuple(dict.fromkeys(map(entry, allowed)))
    if not entries:
        return None
    injections = tuple(_injection(key, given) for key, given in (headers or {}).items())
    return Allowlist(
        entries=entries,
        injections=injections,
        bytes_in_all=DEFAULT_BYTES if megabytes is None else megabytes * MIB,
    )


def entry(text: str) -> Entry:
    """One entry of `allow_net`. Raises SettingsError."""
    below = text.startswith("*.")
    try:
        host, port = hosts.split(_ascii(text[2:] if below else text))
    except ValueError as error:
        raise SettingsError(
            f"allow_net: {error}. Write host, host:port or *.host, without https:// and without a path."
        ) from None
    if below and (hosts.literal(host) is not None or "." not in host):
        raise SettingsError(
            f"allow_net: {text[:80]!r} would allow far too much; name the domain, as in *.example.org."
        )
    ports = DEFAULT_PORTS if port is None else (port,)
    return Entry(host=host, ports=ports, below=below, named=port is not None and not below)


def _injection(key: str, given: Mapping[str, str]) -> Injection:
    plain = key.startswith("http://")
    try:
        host, port = hosts.split(key.removeprefix("http://").removeprefix("https://").rstrip("/"))
    except ValueError as error:
        raise SettingsError(f"inject_headers: {error}.") from None
    for name, value in given.items():
        if not _HEADER.fullmatch(name) or name.lower() in HOP_BY_HOP or not _VALUE.fullmatch(value):
            raise SettingsError(
                f"inject_headers: the header {name[:40]!r} for {key[:80]} cannot be set; it must be an "
                "ordinary header with a value of one line."
            )
    return Injection(
        host=host,
        port=port or 80,
        upstream_port=port or (80 if plain else 443),
        tls=not plain,
        headers=tuple(given.items()),
    )


def _ascii(text: str) -> str:
    """A name with letters beyond ASCII as the network knows it. Raises ValueError."""
    if text.isascii():
        return text
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(f"{text[:80]!r} is not a host name") from None
