"""What an entry allows, which spellings are one, which addresses are never reached."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

import pytest

from codeact_kernel.errors import SettingsError
from codeact_kernel.sandbox.egress import addresses, allowlist, hosts
from codeact_kernel.sandbox.policy import Policy


def listed(*entries: str) -> allowlist.Allowlist:
    """The allowlist of these entries."""
    made = allowlist.parse(entries)
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("entry", "host", "port", "allowed"),
    [
        ("example.org", "example.org", 443, True),
        ("example.org", "example.org", 80, True),
        ("example.org", "example.org", 8080, False),
        ("example.org", "www.example.org", 443, False),
        ("example.org", "badexample.org", 443, False),
        ("example.org", "example.org.evil.net", 443, False),
        ("Example.ORG.", "example.org", 443, True),
        ("example.org:8080", "example.org", 8080, True),
        ("example.org:8080", "example.org", 443, False),
        ("*.example.org", "a.example.org", 443, True),
        ("*.example.org", "a.b.example.org", 443, True),
        ("*.example.org", "example.org", 443, False),
        ("*.example.org", "badexample.org", 443, False),
        ("bücher.example", "xn--bcher-kva.example", 443, True),
        ("127.0.0.1:8000", "127.0.0.1", 8000, True),
        ("[::1]:8000", "::1", 8000, True),
        ("[2001:4860:0:0::8888]:53", "2001:4860::8888", 53, True),
    ],
)
def test_what_an_entry_allows(entry: str, host: str, port: int, allowed: bool) -> None:
    """Exactly the named host, or all below a wildcard, at the named port or 443 and 80."""
    assert (listed(entry).entry_for(host, port) is not None) is allowed


@pytest.mark.parametrize(
    "entry",
    [
        "", "*", "*.org", "*.", "*.127.0.0.1", "a.*.org", "https://example.org", "example.org/path",
        "example.org:0", "example.org:65536", "example.org:x", "user@example.org", "a b",
        "0x7f.1", "127.1", "2130706433", "0177.0.0.1", "1.2.3.4.5", "::1", "[fe80::1%eth0]:80",
        "-a.org", "a..org", ".org", "a" * 64 + ".org",
    ],
)  # fmt: skip
def test_entries_that_could_mean_something_else_are_refused(entry: str) -> None:
    """Each is a SettingsError with a sentence; nothing is guessed."""
    with pytest.raises(SettingsError, match="allow_net"):
        allowlist.parse([entry])


def test_no_entry_is_no_network() -> None:
    """Without entries there is no allowlist, whatever headers are configured."""
    assert allowlist.parse([], {"example.org": {"A": "b"}}) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("EXAMPLE.org.", ("example.org", None)),
        ("example.org:443", ("example.org", 443)),
        ("[2001:DB8::0001]:80", ("2001:db8::1", 80)),
        ("127.0.0.1", ("127.0.0.1", None)),
    ],
)
def test_one_spelling(text: str, expected: tuple[str, int | None]) -> None:
    """Case, a trailing dot and the zeros of an address make no difference."""
    assert hosts.split(text) == expected


PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808"]
FORBIDDEN = [
    "127.0.0.1", "127.8.9.1", "::1", "0.0.0.0", "0.1.2.3", "::", "10.0.0.1", "172.16.0.1",  # noqa: S104
    "192.168.1.1", "100.64.0.1", "fd00::1", "fc00::1", "169.254.169.254", "169.254.170.2",
    "fe80::1", "fec0::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "224.0.0.1",
    "239.1.1.1", "ff02::1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1",
    "203.0.113.9", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:169.254.169.254",
    "::127.0.0.1", "2002:7f00:1::", "2001:0:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
]  # fmt: skip


@pytest.mark.parametrize("address", FORBIDDEN)
def test_a_name_never_leads_to_these(address: str) -> None:
    """By a public name, with or without its port, nothing of this machine or its link is reached."""
    number = ipaddress.ip_address(address)
    entry = listed("example.org").entries[0]
    assert addresses.refusal(number, "example.org", entry)
    if addresses.kind_of(number) not in ("private", "reserved"):
        named = listed("example.org:443").entries[0]
        assert addresses.refusal(number, "example.org", named)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address: str) -> None:
    """What anybody on the internet can reach, an allowed name may lead to."""
    entry = listed("example.org").entries[0]
    assert addresses.refusal(ipaddress.ip_address(address), "example.org", entry) == ""


@pytest.mark.parametrize(
    ("entry", "host", "address", "allowed"),
    [
        ("127.0.0.1:8000", "127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", False),
        ("169.254.169.254:80", "169.254.169.254", "169.254.169.254", True),
        ("localhost:8000", "localhost", "127.0.0.1", True),
        ("localhost", "localhost", "127.0.0.1", False),
        ("localhost:8000", "localhost", "10.0.0.1", True),
        ("localhost:8000", "localhost", "127.0.0.2", False),
        ("db.corp.example:5432", "db.corp.example", "10.1.2.3", True),
        ("db.corp.example", "db.corp.example", "10.1.2.3", False),
        ("vpn.example:443", "vpn.example", "198.18.0.7", True),
        ("*.corp.example:5432", "db.corp.example", "10.1.2.3", False),
        ("224.0.0.1:80", "224.0.0.1", "224.0.0.1", False),
    ],
)
def test_what_the_user_named_with_its_port(
    entry: str, host: str, address: str, allowed: bool
) -> None:
    """A private address needs its name or number with the port; this machine needs its number."""
    found = addresses.refusal(ipaddress.ip_address(address), host, listed(entry).entries[0])
    assert (found == "") is allowed


@pytest.mark.parametrize(
    ("key", "port", "upstream", "tls"),
    [
        ("api.example.org", 80, 443, True),
        ("api.example.org:8443", 8443, 8443, True),
        ("http://api.example.org:8080", 8080, 8080, False),
    ],
)
def test_where_headers_are_put_in(key: str, port: int, upstream: int, tls: bool) -> None:
    """The client asks in plain; the proxy goes on with TLS unless the user wrote http://."""
    made = allowlist.parse(["api.example.org"], {key: {"Authorization": "Bearer x"}})
    assert made is not None
    found = made.injection_for("api.example.org", port)
    assert found is not None
    assert (found.upstream_port, found.tls) == (upstream, tls)
    assert "Bearer" not in repr(made)


@pytest.mark.parametrize(
    "headers", [{"Host": "x"}, {"A b": "x"}, {"A": "x\r\nB: y"}, {"Transfer-Encoding": "chunked"}]
)
def test_headers_that_frame_a_request_are_refused(headers: dict[str, str]) -> None:
    """No injected header can change where a request ends or goes."""
    with pytest.raises(SettingsError, match="inject_headers"):
        allowlist.parse(["a.example"], {"a.example": headers})


def test_policies_with_other_allowlists_differ() -> None:
    """Equality of policies takes in hosts and headers: a sandbox of another one is not used."""
    plain = Policy.notebook()
    one = replace(plain, egress=listed("example.org"))
    assert one == replace(plain, egress=listed("example.org"))
    assert one != plain
    assert one != replace(plain, egress=listed("example.net"))
    assert one != replace(
        plain, egress=allowlist.parse(["example.org"], {"example.org": {"A": "b"}})
    )


@pytest.mark.parametrize("change", [{"isolation": "landlock"}, {"isolation": "none"}])
def test_a_network_of_its_own_is_needed(change: dict[str, str]) -> None:
    """Where the sandbox would share the machine's loopback, an allowlist is refused with the reason."""
    with pytest.raises(SettingsError, match="allow_net"):
        replace(Policy.notebook(), egress=listed("example.org"), **change)  # type: ignore[arg-type]


def test_strict_has_no_network() -> None:
    """Profile strict and an allowlist together are refused."""
    with pytest.raises(SettingsError, match="strict"):
        replace(Policy.strict(), egress=listed("example.org"))
