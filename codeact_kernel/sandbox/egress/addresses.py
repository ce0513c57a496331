"""Which addresses the proxy may connect to: public ones, and those the user named.

Rule: decided on the address itself, after resolving, and the connection is made to that very
address. A name that suddenly means something private leads nowhere: an address of this machine, of
its link or of its cloud has to be named as a number (or `localhost`) with its port; one of a
private or reserved network may also be named by its host name with its port.
"""

from __future__ import annotations

import ipaddress

from codeact_kernel.sandbox.egress import hosts
from codeact_kernel.sandbox.egress.allowlist import Entry
from codeact_kernel.sandbox.egress.hosts import Address

_EMBEDDING = {
    "IPv4-mapped": "::ffff:0:0/96",
    "IPv4-compatible": "::/96",
    "IPv4-translated": "::ffff:0:0:0/96",
    "6to4": "2002::/16",
    "Teredo": "2001::/32",
    "local NAT64": "64:ff9b:1::/48",
}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NETWORKS = {
    "this machine": ("127.0.0.0/8", "::1/128", "0.0.0.0/8", "::/128"),
    "link-local, where cloud credentials are": ("169.254.0.0/16", "fe80::/10", "fec0::/10"),
    "cloud metadata": ("fd00:ec2::/32", "fd20:ce::/32", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "reserved": ("240.0.0.0/4", "192.0.0.0/24", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",
                 "198.18.0.0/15", "192.88.99.0/24", "2001:db8::/32", "3fff::/20", "100::/64", "5f00::/16"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"),
}  # fmt: skip
_BY_NAME = ("private", "reserved")
"""May be reached by a host name the user gave with its port."""
_TABLE = [(kind, ipaddress.ip_network(net)) for kind, nets in _NETWORKS.items() for net in nets]
_EMBEDDINGS = [(kind, ipaddress.ip_network(net)) for kind, net in _EMBEDDING.items()]


def kind_of(address: Address) -> str:
    """What kind of address it is: "" for a public one, otherwise words for it."""
    for kind, network in _TABLE:
        if address in network:
            return kind
    for kind, network in _EMBEDDINGS:
        if address in network:
            return kind
    if address in _NAT64:
        return kind_of(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return "" if address.is_global else "reserved"


def refusal(address: Address, host: str, entry: Entry) -> str:
    """Why `address`, which `host` means, must not be connected to under `entry`, and what would allow
    it; "" when it may.
    """
    kind = kind_of(address)
    if not kind:
        return ""
    if entry.named and hosts.literal(host) == address and kind != "multicast":
        return ""
    if entry.named and kind in _BY_NAME:
        return ""
    if entry.named and host == "localhost" and str(address) in ("127.0.0.1", "::1"):
        return ""
    number = f"[{address}]" if address.version == 6 else str(address)
    named = host if kind in _BY_NAME else number
    return (
        f"{host} is {address}, which is {kind}, so it is not connected to. The user can allow just "
        f"that by naming it with its port: --allow-net {named}:PORT"
    )
