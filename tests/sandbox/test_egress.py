"""A real sandbox with an allowlist: what clients can do unchanged, and that nothing else leads out."""

from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from codeact_kernel.errors import SandboxRefused
from codeact_kernel.sandbox.doctor import doctor
from codeact_kernel.sandbox.egress import allowlist
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.process import launch
from codeact_kernel.sandbox.spawn import Kind, spawn
from codeact_kernel.sandbox.warm import warm_up
from codeact_kernel.trace.values import NetworkRequest
from tests.sandbox.conftest import Inside, Start


class Index(http.server.SimpleHTTPRequestHandler):
    """Files of a folder; what was asked for is kept."""

    asked: ClassVar[list[str]] = []

    def log_message(self, format: str, *arguments: object) -> None:
        self.asked.append(self.path)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[int]:
    """The port of a package index on this machine's loopback with one package, and greeting.txt."""
    folder = tmp_path / "index"
    (folder / "simple" / "egresstest").mkdir(parents=True)
    (folder / "greeting.txt").write_text("hello")
    wheel = folder / "simple" / "egresstest" / "egresstest-1.0-py3-none-any.whl"
    info = "egresstest-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("egresstest.py", "value = 42\n")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: egresstest\nVersion: 1.0\n")
        file.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr(f"{info}/RECORD", "")
    Index.asked.clear()

    def handler(*arguments: object) -> Index:
        return Index(*arguments, directory=str(folder))  # type: ignore[arg-type]

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join(10)


def allowing(*entries: str) -> Policy:
    """The notebook profile with an allowlist."""
    return replace(Policy.notebook(), egress=allowlist.parse(entries))


async def test_clients_work_unchanged_and_nothing_else_leads_out(index: int) -> None:
    """urllib, http.client, requests, httpx and pip reach the named port; no other way is there."""
    told: list[NetworkRequest] = []
    sandbox = await launch(
        allowing(f"127.0.0.1:{index}"), {"preload": []}, module="probe_worker", told=told.append
    )
    try:
        assert sandbox.grade == "namespaces"
        assert sandbox.report.network["proxy"] == "done"
        inside = Inside(sandbox)
        url = f"http://127.0.0.1:{index}/greeting.txt"
        for program in CLIENTS:
            assert await inside.run(f"url = {url!r}\n{program}") == "hello"
        assert len(told) == len(CLIENTS)
        assert all(record.received == 5 for record in told[:2])
        assert await inside.run(PIP.format(index=index), seconds=90) == [0, 42]
        asked = len(Index.asked)
        other = socket.create_server(("127.0.0.1", 0))
        with other:
            dodges = await inside.run(
                DODGES.format(index=index, other=other.getsockname()[1], python=sys.executable)
            )
            other.settimeout(0.2)
            with pytest.raises(TimeoutError):
                other.accept()
        assert len(dodges) == 17
        assert {name: result for name, result in dodges.items() if result != "refused"} == {}
        assert len(Index.asked) == asked
        assert {record.host for record in told if record.problem} >= {
            "169.254.169.254", "127.0.0.1", "example.org", "::1"
        }  # fmt: skip
    finally:
        sandbox.kill()


CLIENTS = [
    "import urllib.request\nanswer = urllib.request.urlopen(url).read().decode()",
    """
import http.client, os, urllib.parse
proxy = urllib.parse.urlsplit(os.environ["http_proxy"])
client = http.client.HTTPConnection(proxy.hostname, proxy.port)
client.request("GET", url)
answer = client.getresponse().read().decode()
""",
    """
import http.client, os, urllib.parse
proxy = urllib.parse.urlsplit(os.environ["https_proxy"])
client = http.client.HTTPConnection(proxy.hostname, proxy.port)
aim = urllib.parse.urlsplit(url)
client.set_tunnel(aim.hostname, aim.port)
client.request("GET", aim.path)
answer = client.getresponse().read().decode()
client.close()
""",
    "import requests\nanswer = requests.get(url).text",
    "import httpx\nanswer = httpx.get(url).text",
    """
import asyncio, httpx
async def get():
    async with httpx.AsyncClient() as client:
        return (await client.get(url)).text
answer = asyncio.run(get())
""",
]

PIP = """
import subprocess, sys
done = subprocess.run(
    [sys.executable, "-m", "pip", "install", "-q", "--no-cache-dir",
     "--index-url", "http://127.0.0.1:{index}/simple/", "egresstest"],
    capture_output=True, text=True,
)
answer = [done.returncode, __import__("egresstest").value if done.returncode == 0 else done.stderr]
"""

DODGES = """
import ctypes, os, socket, subprocess, urllib.request, errno
answer = {{}}
def attempt(name):
    def run(function):
        try:
            got = function()
        except (OSError, ValueError) as error:
            answer[name] = "refused"
        else:
            answer[name] = repr(got)
    return run
def opened(url, proxies=None):
    handlers = [] if proxies is None else [urllib.request.ProxyHandler(proxies)]
    return urllib.request.build_opener(*handlers).open(url, timeout=5).read()
attempt("denied host")(lambda: opened("https://example.org/"))
attempt("denied plain")(lambda: opened("http://example.org/"))
attempt("metadata")(lambda: opened("http://169.254.169.254/latest/meta-data/"))
attempt("other port")(lambda: opened("http://127.0.0.1:{other}/"))
attempt("loopback by another name")(lambda: opened("http://[::1]:{index}/greeting.txt"))
attempt("mapped")(lambda: opened("http://[::ffff:127.0.0.1]:{index}/greeting.txt"))
attempt("number")(lambda: opened("http://2130706433:{index}/greeting.txt"))
attempt("localhost")(lambda: opened("http://localhost:{index}/greeting.txt"))
attempt("without proxy")(lambda: opened("http://127.0.0.1:{index}/greeting.txt", {{}}))
attempt("direct")(lambda: socket.create_connection(("127.0.0.1", {index}), 5))
attempt("direct outside")(lambda: socket.create_connection(("1.1.1.1", 443), 5))
attempt("name")(lambda: socket.getaddrinfo("example.org", 443))
attempt("udp")(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
attempt("ipv6")(lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
attempt("unix")(lambda: socket.socket(socket.AF_UNIX))
attempt("listen")(lambda: socket.create_server(("127.0.0.1", 0)))
def shell():
    code = "import socket; socket.create_connection(('127.0.0.1', {index}), 5)"
    if subprocess.run([{python!r}, "-c", code], capture_output=True).returncode:
        raise OSError
attempt("a child process")(shell)
"""


async def test_two_sandboxes_do_not_mix(index: int) -> None:
    """At the same time one reaches what the other is refused, and each is told its own.

    One has bubblewrap's namespaces, the other our own.
    """
    told: dict[str, list[NetworkRequest]] = {"one": [], "other": []}
    entries = {"one": f"127.0.0.1:{index}", "other": "example.org"}
    failed = {"one": {"bubblewrap": "not wanted"}, "other": {}}
    sandboxes = {
        name: await launch(
            allowing(entry),
            {"preload": []},
            spawn(allowing(entry), {"preload": []}, module="probe_worker", failed=failed[name]),
            module="probe_worker",
            told=told[name].append,
        )
        for name, entry in entries.items()
    }
    try:
        assert sandboxes["one"].report.backend == "namespaces"
        url = f"http://127.0.0.1:{index}/greeting.txt"
        program = f"import urllib.request\nanswer = urllib.request.urlopen({url!r}).read().decode()"
        answers = {name: await Inside(box).run(program) for name, box in sandboxes.items()}
        assert answers["one"] == "hello"
        assert "403" in answers["other"]
        assert [record.problem == "" for record in told["one"]] == [True]
        assert [record.problem == "" for record in told["other"]] == [False]
    finally:
        for box in sandboxes.values():
            box.kill()


async def test_a_sandbox_of_another_policy_is_thrown_away() -> None:
    """One that was started under a wider allowlist is ended unused; the new one has the new policy."""
    old = spawn(allowing("127.0.0.1:9"), {"preload": []}, module="probe_worker")
    sandbox = await launch(Policy.notebook(), {"preload": []}, old, module="probe_worker")
    try:
        assert old.process.poll() is not None
        assert sandbox.report.sockets["inet"] != "done"
        assert sandbox.report.network == {}
    finally:
        sandbox.kill()


async def test_one_that_stood_by_reaches_what_is_allowed(index: int) -> None:
    """Its proxy begins when it is taken: with what is spent by then, and telling whoever took it."""
    policy, config = allowing(f"127.0.0.1:{index}"), dict[str, Any](preload=[])
    told: list[NetworkRequest] = []
    fetch = f"url = 'http://127.0.0.1:{index}/greeting.txt'\n{CLIENTS[0]}"
    answers = []
    for spent in (0, 1 << 40):
        early = await warm_up(policy, config, Kind("bubblewrap"), 30, module="probe_worker")
        sandbox = await launch(
            policy, config, early, module="probe_worker", told=told.append, spent=spent
        )
        try:
            assert sandbox.pid == early.process.pid
            assert sandbox.report.network["proxy"] == "done"
            answers.append(await Inside(sandbox).run(fetch))
        finally:
            sandbox.kill()
    assert answers[0] == "hello"
    assert "403" in answers[1]
    assert ["used up" in request.problem for request in told] == [False, True]


async def test_off_is_as_before(start: Start) -> None:
    """Without an allowlist there is no proxy variable, no socket and nothing to connect to."""
    inside = await start(replace(Policy.notebook(), isolation="namespaces"))
    program = """
import os, socket
answer = [name for name in os.environ if "proxy" in name.lower()]
try:
    socket.socket()
    answer.append("socket")
except OSError:
    pass
"""
    assert await inside.run(program) == []


def test_the_doctor_says_what_an_allowlist_opens() -> None:
    """The grade is as without, and a gap names the hosts; the weaker grade is not offered."""
    diagnosis = doctor(allowing("example.org"))
    assert diagnosis.grade == "namespaces"
    assert [attempt.isolation for attempt in diagnosis.attempts] == ["namespaces"]
    assert any("example.org" in gap.what for gap in diagnosis.gaps)


def test_off_is_not_imported() -> None:
    """A kernel without an allowlist loads nothing of the proxy."""
    program = (
        "import sys, codeact_kernel.kernel.app, codeact_kernel.kernel.run.agent_run\n"
        "print([name for name in sys.modules if 'egress' in name or name.endswith('.network')])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert found.stdout == "[]\n"


def test_without_a_network_of_its_own_it_is_refused() -> None:
    """When namespaces did not hold, the weaker grade is not taken: the sentence names allow_net."""
    with pytest.raises(SandboxRefused, match="allow_net"):
        spawn(
            allowing("example.org"),
            {"preload": []},
            failed=dict.fromkeys(("bubblewrap", "namespaces"), "it did not hold"),
        )
