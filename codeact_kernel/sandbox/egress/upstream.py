"""From an allowed name to a connection: resolve, check, connect to what was checked.

Rule: a name is resolved once, outside, and the connection goes to an address that passed; there is
no second look-up that could say something else.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable

from codeact_kernel.sandbox.egress import addresses, hosts
from codeact_kernel.sandbox.egress.allowlist import Entry
from codeact_kernel.sandbox.egress.hosts import Address

RESOLVE_SECONDS = 15.0
CONNECT_SECONDS = 15.0
_TRIED = 4
"""Addresses of one name that are tried."""

Resolve = Callable[[str], Awaitable[list[Address]]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Denied(Exception):
    """It must not be reached. The text is for the client."""


class Unreachable(Exception):
    """It may be reached and cannot be. The text is for the client."""


async def resolve(host: str) -> list[Address]:
    """The addresses of a name, by this machine's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    texts = dict.fromkeys(str(info[4][0]).partition("%")[0] for info in found)
    return [address for text in texts if (address := hosts.literal(text)) is not None]


async def permitted(host: str, entry: Entry, look_up: Resolve) -> list[Address]:
    """The addresses of `host` that may be connected to. Raises Denied, Unreachable."""
    number = hosts.literal(host)
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = [number] if number is not None else await look_up(host)
    except (OSError, UnicodeError):
        raise Unreachable(f"{host} is not known to the resolver") from None
    refusals = {address: addresses.refusal(address, host, entry) for address in found}
    allowed = [address for address, refused in refusals.items() if not refused]
    if not allowed:
        why = next(iter(refusals.values()), f"{host} has no address")
        raise Denied(why)
    return allowed


async def connect(
    found: list[Address], host: str, port: int, tls: ssl.SSLContext | None
) -> tuple[Address, Streams]:
    """A connection to the first of `found` that answers. Raises Unreachable."""
    why = "nobody answers"
    for address in found[:_TRIED]:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                streams = await asyncio.open_connection(
                    str(address), port, ssl=tls, server_hostname=host if tls else None
                )
        except ssl.SSLError as error:
            raise Unreachable(f"{host} cannot be verified: {error.reason}") from None
        except OSError as error:
            why = error.strerror or type(error).__name__
            continue
        peer = hosts.literal(streams[1].get_extra_info("peername")[0])
        if peer != address:
            streams[1].transport.abort()
            raise Unreachable(f"the connection to {host} went to another address")
        return address, streams
    raise Unreachable(f"{hosts.joined(host, port)} cannot be reached: {why}")
