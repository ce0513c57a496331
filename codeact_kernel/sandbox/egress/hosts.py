"""Host names and ports as one spelling each, so that comparing them is comparing text.

Rule: what could be read in two ways is refused, not guessed. A name is lower case ASCII without a
trailing dot; an address is as `ipaddress` writes it; what a resolver might take for an address
("0x7f.1", "127.1", "2130706433") is no name.
"""

from __future__ import annotations

import ipaddress
import re

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.ASCII)
_LONGEST = 253
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::(\d{1,5}))?", re.ASCII)
_PLAIN = re.compile(r"([^:\[\]@/?#\\\s]+)(?::(\d{1,5}))?")


def split(authority: str) -> tuple[str, int | None]:
    """("example.org", 443) of "Example.org.:443"; None without a port. Raises ValueError."""
    match = _BRACKETED.fullmatch(authority)
    if match is not None:
        name = str(_address(match.group(1), ipaddress.IPv6Address))
    else:
        match = _PLAIN.fullmatch(authority)
        if match is None:
            raise ValueError(f"{authority[:80]!r} is not a host or host:port")
        name = canonical(match.group(1))
    return name, None if match.group(2) is None else port_of(match.group(2))


def canonical(name: str) -> str:
    """The one spelling of a host name or an IPv4 address. Raises ValueError."""
    if not name.isascii():
        raise ValueError(f"{name[:80]!r} is not ASCII; write the name as xn--…")
    name = name.lower().removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return str(_address(name, ipaddress.IPv4Address))
    if len(name) > _LONGEST or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(f"{name[:80]!r} is not a host name")
    return name


def port_of(text: str) -> int:
    """1 to 65535. Raises ValueError."""
    number = int(text) if re.fullmatch(r"[0-9]{1,5}", text) else 0
    if not 0 < number < 65536:
        raise ValueError(f"{text[:20]!r} is not a port from 1 to 65535")
    return number


def literal(name: str) -> Address | None:
    """The address that a host as given by `split` is, None for a name."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def joined(host: str, port: int) -> str:
    """The authority as it is written in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _address(text: str, kind: type[Address]) -> Address:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{text[:80]!r} is not an address") from None
