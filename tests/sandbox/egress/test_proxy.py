"""The proxy against honest and hostile clients, over real sockets."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeact_kernel.sandbox.egress import greeting, hosts, messages
from tests.sandbox.egress.conftest import Far, MakeNear


def status(answer: bytes) -> int:
    """The number in the first line, 0 when there is none."""
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and answer.startswith(b"HTTP/") else 0


async def test_a_plain_request_is_written_anew(far: Far, near: MakeNear) -> None:
    """Host comes from the URL, what is between neighbours goes, the rest arrives; one per connection."""
    here = near(f"127.0.0.1:{far.port}")
    answer = await here.ask(
        f"POST http://127.0.0.1:{far.port}/a?b=secret HTTP/1.1\r\nHost: other.example\r\n"
        "Proxy-Authorization: Basic x\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-Stays: 2\r\n"
        "Content-Length: 4\r\n\r\nbodyGET /smuggled HTTP/1.1\r\n\r\n".encode()
    )
    assert status(answer) == 200
    assert answer.endswith(b"\r\nConnection: close\r\n\r\nhello")
    assert b"Keep-Alive" not in answer
    head, _, body = far.heard[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /a?b=secret HTTP/1.1"
    assert f"Host: 127.0.0.1:{far.port}" in lines
    assert "X-Stays: 2" in lines
    assert not any(line.startswith(("Proxy-", "X-Hop")) for line in lines)
    assert lines.count("Connection: close") == 1
    assert body == b"body"
    [record] = here.records
    assert (record.method, record.host, record.port) == ("POST", "127.0.0.1", far.port)
    assert (record.path, record.address, record.problem) == ("/a", "127.0.0.1", "")
    assert (record.sent, record.received) == (4, 5)


async def test_chunks_are_read_and_written_anew(far: Far, near: MakeNear) -> None:
    """A chunked body arrives chunked, without extensions, and nothing after it."""
    here = near(f"127.0.0.1:{far.port}")
    url = f"http://127.0.0.1:{far.port}/"
    far.until = b"\r\n0\r\n\r\n"
    request = (
        f"PUT {url} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\nGET /x"
    )
    assert status(await here.ask(request.encode())) == 200
    assert far.heard[0].endswith(b"\r\n\r\n4\r\nbody\r\n0\r\n\r\n")
    assert b"Content-Length" not in far.heard[0]


async def test_a_tunnel_carries_bytes_both_ways(far: Far, near: MakeNear) -> None:
    """CONNECT answers 200, then nobody reads what passes; sizes are told."""
    here = near(f"127.0.0.1:{far.port}")
    far.answer = b"\x16\x03pong"
    answer = await here.ask(
        f"CONNECT 127.0.0.1:{far.port} HTTP/1.1\r\n\r\n".encode(), then=b"\x16\x03ping"
    )
    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\n\x16\x03pong"
    assert far.heard == [b"\x16\x03ping"]
    [record] = here.records
    assert (record.method, record.path, record.sent, record.received) == ("CONNECT", "", 6, 6)


@pytest.mark.parametrize(
    "authority",
    [
        "example.net:443", "example.org:22", "EXAMPLE.NET:443", "169.254.169.254:80",
        "127.0.0.1:443", "[::1]:443", "[::ffff:127.0.0.1]:443", "localhost:443",
        "example.org.example.net:443",
    ],
)  # fmt: skip
async def test_what_is_not_named_is_refused(near: MakeNear, authority: str) -> None:
    """403 with a line that says how to allow it, in the reason phrase too; no name is looked up."""
    here = near("example.org")
    answer = await here.ask(f"CONNECT {authority} HTTP/1.1\r\n\r\n".encode())
    assert status(answer) == 403
    assert b"--allow-net" in answer.split(b"\r\n", 1)[0]
    assert here.looked_up == []
    assert "allowlist" in here.records[0].problem


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "fd00:ec2::254", "::ffff:127.0.0.1"],
)
async def test_a_name_that_means_something_private(near: MakeNear, address: str) -> None:
    """An allowed name that resolves to this machine, its network or its cloud leads nowhere."""
    here = near("example.org", names={"example.org": [address]})
    answer = await here.ask(b"CONNECT example.org:443 HTTP/1.1\r\n\r\n")
    assert status(answer) == 403
    assert here.looked_up == ["example.org"]
    assert here.records[0].address == ""


async def test_the_checked_address_is_the_one_connected_to(far: Far, near: MakeNear) -> None:
    """One look-up per request, whatever it says next time; forbidden answers beside good ones are left out."""
    here = near(f"localhost:{far.port}", names={"localhost": ["169.254.169.254", "127.0.0.1"]})
    answer = await here.ask(f"GET http://localhost:{far.port}/ HTTP/1.1\r\n\r\n".encode())
    assert status(answer) == 200
    assert here.looked_up == ["localhost"]
    assert here.records[0].address == "127.0.0.1"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET https://example.org/ HTTP/1.1\r\n\r\n",
        b"GET ftp://example.org/ HTTP/1.1\r\n\r\n",
        b"GET http://user:word@example.org/ HTTP/1.1\r\n\r\n",
        b"GET http://example.org@127.0.0.1/ HTTP/1.1\r\n\r\n",
        b"GET http://example.org\\@127.0.0.1/ HTTP/1.1\r\n\r\n",
        b"GET http://example.org:99999/ HTTP/1.1\r\n\r\n",
        b"GET http://127.1/ HTTP/1.1\r\n\r\n",
        b"GET http://0x7f000001/ HTTP/1.1\r\n\r\n",
        b"GET http://ex%61mple.org/ HTTP/1.1\r\n\r\n",
        b"GET http://example.org/ HTTP/2.0\r\n\r\n",
        b"GET http://example.org/\r\n\r\n",
        b"GET  http://example.org/ HTTP/1.1\r\n\r\n",
        b"GET http://example.org/ HTTP/1.1\nHost: x\n\r\n\r\n",
        b"GET http://example.org/ HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"GET http://example.org/ HTTP/1.1\r\nA : b\r\n\r\n",
        b"GET http://example.org/ HTTP/1.1\r\nA: b\x00c\r\n\r\n",
        b"GET http://example.org/ HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST http://example.org/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST http://example.org/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na",
        b"POST http://example.org/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"POST http://example.org/ HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
        b"POST http://example.org/ HTTP/1.1\r\nContent-Length: +1\r\n\r\na",
        b"POST http://example.org/ HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\na",
        b"CONNECT example.org HTTP/1.1\r\n\r\n",
        b"CONNECT http://example.org:443 HTTP/1.1\r\n\r\n",
        b"CONNECT example.org:443@127.0.0.1:80 HTTP/1.1\r\n\r\n",
        b"CONNECT [fe80::1%25lo]:443 HTTP/1.1\r\n\r\n",
        b"CONNECT example.org:00000443 HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello\r\n\r\n",
    ],
)  # fmt: skip
async def test_what_can_be_read_in_two_ways_is_refused(near: MakeNear, request_: bytes) -> None:
    """400, and nothing was looked up or connected to."""
    here = near("example.org", "127.0.0.1:80")
    assert status(await here.ask(request_)) == 400
    assert here.looked_up == []
    assert here.records[0].problem


async def test_a_head_without_end(near: MakeNear) -> None:
    """More than 64 KB of head is 431; the connection is over."""
    here = near("example.org")
    answer = await here.ask(b"GET http://example.org/ HTTP/1.1\r\nA: " + b"x" * 70_000)
    assert status(answer) == 431


@pytest.mark.parametrize(
    "answer", [b"", b"220 mail.example ESMTP\r\n\r\n", b"HTTP/1.1 101 Switching\r\n\r\n"]
)
async def test_a_server_that_does_not_speak_http(far: Far, near: MakeNear, answer: bytes) -> None:
    """502, and not a byte of what it said."""
    far.answer = answer
    here = near(f"127.0.0.1:{far.port}")
    found = await here.ask(f"GET http://127.0.0.1:{far.port}/ HTTP/1.1\r\n\r\n".encode())
    assert status(found) == 502
    assert b"ESMTP" not in found


async def test_interim_answers_and_redirects(far: Far, near: MakeNear) -> None:
    """100 is swallowed, a redirect is the client's to follow; the proxy asks nobody else."""
    far.answer = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n"
    )
    here = near(f"127.0.0.1:{far.port}")
    found = await here.ask(f"GET http://127.0.0.1:{far.port}/ HTTP/1.1\r\n\r\n".encode())
    assert status(found) == 302
    assert len(here.records) == 1


async def test_nobody_there(near: MakeNear) -> None:
    """A closed port and an unknown name are 502 with a sentence."""
    here = near("127.0.0.1:1", "nowhere.example")
    assert status(await here.ask(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n")) == 502
    assert status(await here.ask(b"CONNECT nowhere.example:443 HTTP/1.1\r\n\r\n")) == 502


async def test_the_byte_cap_ends_it(far: Far, near: MakeNear) -> None:
    """A tunnel is cut when the cap is reached, and the next request gets a sentence."""
    far.answer = b"x" * 5000
    here = near(f"127.0.0.1:{far.port}", bytes_in_all=2000)
    connect = f"CONNECT 127.0.0.1:{far.port} HTTP/1.1\r\n\r\n".encode()
    assert len(await here.ask(connect, then=b"ping")) < 2100
    assert status(await here.ask(connect)) == 403
    assert "used up" in here.records[-1].problem


async def test_silence_ends_a_tunnel(far: Far, near: MakeNear) -> None:
    """After the idle time nothing is left open."""
    far.answer, far.closes = b"x", False
    here = near(f"127.0.0.1:{far.port}", idle=0.3)
    answer = await here.ask(f"CONNECT 127.0.0.1:{far.port} HTTP/1.1\r\n\r\n".encode(), then=b"y")
    assert answer.endswith(b"\r\n\r\nx")


async def test_one_silent_side_is_no_silence(far: Far, near: MakeNear) -> None:
    """A long answer to a client that says nothing more is not idle, however long it takes."""

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        for _ in range(8):
            await asyncio.sleep(0.1)
            writer.write(b"x")
        writer.close()

    server = await asyncio.start_server(slowly, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    here = near(f"127.0.0.1:{port}", idle=0.5)
    answer = await here.ask(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode(), then=b"y")
    server.close()
    assert answer.endswith(b"\r\n\r\nxxxxxxxx")


async def test_what_goes_on_is_told_in_parts(far: Far, near: MakeNear) -> None:
    """A flush tells of an open tunnel; what follows is told at its end, so the sums are right."""
    far.closes = False
    here = near(f"127.0.0.1:{far.port}")
    reader, writer = await asyncio.open_connection(*here.address)
    writer.write(f"CONNECT 127.0.0.1:{far.port} HTTP/1.1\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"one")
    await reader.readuntil(b"hello")
    here.proxy.log.flush()
    writer.write(b"three")
    writer.close()
    for _ in range(200):
        if len(here.records) > 1:
            break
        await asyncio.sleep(0.02)
    assert [record.sent for record in here.records] == [3, 5]


async def test_two_proxies_do_not_mix(far: Far, near: MakeNear) -> None:
    """What one allows, the other refuses."""
    one, other = near(f"127.0.0.1:{far.port}"), near("example.org")
    request = f"GET http://127.0.0.1:{far.port}/ HTTP/1.1\r\n\r\n".encode()
    assert status(await one.ask(request)) == 200
    assert status(await other.ask(request)) == 403
    assert not other.records[0].address


def client_hello(name: str | None) -> bytes:
    """What this Python's TLS says first to a server of that name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


def in_small_records(hello: bytes) -> bytes:
    """The same handshake message, a few bytes to a record."""
    message = hello[5:]
    pieces = [message[start : start + 7] for start in range(0, len(message), 7)]
    return b"".join(hello[:3] + len(piece).to_bytes(2) + piece for piece in pieces)


@pytest.mark.parametrize("cut", [lambda hello: hello, in_small_records])
async def test_tls_in_a_tunnel_asks_for_the_tunnels_server(
    far: Far, near: MakeNear, cut: Callable[[bytes], bytes]
) -> None:
    """The greeting passes to the letter when it names the host, however it is cut into records."""
    here = near(f"localhost:{far.port}", names={"localhost": ["127.0.0.1"]})
    hello = cut(client_hello("LOCALHOST"))
    connect = f"CONNECT localhost:{far.port} HTTP/1.1\r\n\r\n".encode()
    assert (await here.ask(connect, then=hello)).endswith(b"hello")
    assert far.heard == [hello]


@pytest.mark.parametrize(
    "first",
    [
        client_hello("other.example"),
        in_small_records(client_hello("other.example")),
        client_hello(None),
        client_hello("localhost").replace(b"\x00\x00\x00\x0e\x00\x0c", b"\xfe\x0d\x00\x0e\x00\x0c"),
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
        b"\x16\x02\x01\x00\x04\x01\x00\x00\x00",
    ],
)
async def test_tls_in_a_tunnel_asks_for_nobody_else(far: Far, near: MakeNear, first: bytes) -> None:
    """Another name, none, a hidden one, or what only looks like TLS: not a byte of it arrives, and it is told."""
    here = near(f"localhost:{far.port}", names={"localhost": ["127.0.0.1"]})
    connect = f"CONNECT localhost:{far.port} HTTP/1.1\r\n\r\n".encode()
    answer = await here.ask(connect, then=first)
    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\n"
    assert b"".join(far.heard) == b""
    assert here.records[0].problem


async def test_a_server_may_speak_first(far: Far, near: MakeNear) -> None:
    """A tunnel carries protocols where the client waits for a banner."""

    async def banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready")
        writer.close()

    server = await asyncio.start_server(banner, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    here = near(f"127.0.0.1:{port}")
    answer = await here.ask(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode(), then=b"")
    server.close()
    assert answer.endswith(b"\r\n\r\n220 ready")


async def test_a_header_is_put_in_outside(near: MakeNear, tmp_path: Path) -> None:
    """The client speaks plain http, the server gets verified TLS with the user's header, not the client's."""
    certificate = _certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    far = Far()
    server = await asyncio.start_server(far.serve, "127.0.0.1", 0, ssl=context)
    far.closes = False
    port = server.sockets[0].getsockname()[1]
    trusting = ssl.create_default_context(cafile=str(certificate))
    headers = {f"localhost:{port}": {"Authorization": "Bearer secret"}}
    names = {"localhost": ["127.0.0.1"]}
    request = (
        f"GET http://localhost:{port}/ HTTP/1.1\r\nauthorization: mine\r\nContent-Length: 0\r\n\r\n"
    ).encode()
    try:
        here = near(f"localhost:{port}", names=names, headers=headers, tls=trusting, idle=1)
        assert status(await here.ask(request)) == 200
        assert b"Authorization: Bearer secret\r\n" in far.heard[0]
        assert b"mine" not in far.heard[0]
        assert f"Host: localhost:{port}\r\n".encode() in far.heard[0]
        suspicious = near(f"localhost:{port}", names=names, headers=headers)
        assert status(await suspicious.ask(request)) == 502
        assert not any(b"secret" in heard for heard in far.heard[1:])
    finally:
        server.close()


def _certificate(folder: Path) -> Path:
    """A key and a certificate for localhost, in one file."""
    key, file = folder / "key.pem", folder / "both.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", key, "-out", file, "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost",
        ],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    file.write_text(file.read_text() + key.read_text())
    return file


@given(st.binary(max_size=300).map(lambda raw: b"GET http://a.example/" + raw + b"\r\n\r\n"))
def test_what_is_passed_on_reads_the_same_again(raw: bytes) -> None:
    """Any head is refused, or written as one whose reading gives the same host, target and length."""
    try:
        head = messages.read_request(raw)
    except messages.Malformed:
        return
    written = messages.write_request(head)
    assert written.count(b"\r\n\r\n") == 1
    assert b"\n" not in written.replace(b"\r\n", b"")
    assert written.startswith(f"GET {head.target} HTTP/1.1\r\nHost: a.example\r\n".encode())


@given(st.text(max_size=40))
def test_a_host_has_one_spelling(text: str) -> None:
    """What is accepted as a host is accepted again as what it became, unchanged."""
    try:
        host, port = hosts.split(text)
    except ValueError:
        return
    assert hosts.split(hosts.joined(host, port or 1)) == (host, port or 1)


@given(st.binary(max_size=200))
async def test_any_greeting_is_passed_or_refused(raw: bytes) -> None:
    """Bytes that only look like TLS end as Malformed or as a connection that broke off."""
    reader = asyncio.StreamReader()
    reader.feed_data(b"\x16\x03" + raw)
    reader.feed_eof()
    with pytest.raises((messages.Malformed, asyncio.IncompleteReadError)):
        await greeting.checked(reader, "a.example")
