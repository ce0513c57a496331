"""`codeact run --allow-net`: a run that uses the network, and what the notebook and journal say of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from codeact_kernel.trace import notebook as notebooks
from tests.e2e.commands import ANSWER, environment, go, text_of
from tests.scripted_server import serving


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *arguments: object) -> None:
        """Silent."""


@contextmanager
def hello() -> Iterator[int]:
    """The port of a server on this machine's loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hello)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


FETCH = """I fetch.

<execute>
import urllib.request
for _ in range(2):
    print(urllib.request.urlopen("http://127.0.0.1:{port}/data?key=hidden").read().decode())
</execute>"""
STRAY = """I look elsewhere.

<execute>
try:
    urllib.request.urlopen("https://example.org/")
except OSError as error:
    print(error)
</execute>"""


def test_requests_are_in_the_trace_and_in_the_journal(tmp_path: Path) -> None:
    """Per step and target: what was reached with sizes, what was refused with the sentence; the model is told."""
    with hello() as port, serving(FETCH.format(port=port), STRAY, ANSWER) as model:
        ran = go(tmp_path, model.url, options=("--json", "--allow-net", f"127.0.0.1:{port}"))
        asked = json.dumps(model.requests)
    assert ran.code == 0
    assert text_of(ran.steps[0]) == "hello\nhello\n"
    assert "403" in text_of(ran.steps[1])
    assert f"reaches these hosts and no others: 127.0.0.1:{port}" in asked
    [run] = notebooks.read(ran.notebook).runs
    assert run.settings["allow_net"] == [f"127.0.0.1:{port}"]
    reached, refused = run.network
    assert (reached.step, reached.count, reached.received) == (1, 2, 10)
    assert (reached.host, reached.port, reached.path) == ("127.0.0.1", port, "/data")
    assert (refused.step, refused.host, refused.address) == (2, "example.org", "")
    assert "--allow-net example.org" in refused.problem
    assert any("example.org" in notice for notice in ran.line["notices"])
    journals = Path(environment()["XDG_STATE_HOME"], "codeact", "runs")
    told = (journals / f"{run.id}.jsonl").read_text()
    used = [line for line in told.splitlines() if '"NetworkUsed"' in line]
    assert len(used) == 2
    assert "hidden" not in "".join(used)


def test_a_cell_cannot_open_the_network(tmp_path: Path) -> None:
    """`%%agent --allow-net` is refused with the sentence that says where to allow it."""
    with serving(ANSWER) as model:
        ran = go(tmp_path, model.url, "%%agent --allow-net example.org\nFetch it.")
        assert model.requests == []
    assert ran.code == 2
    assert "codeact run --allow-net" in ran.stderr


def test_what_cannot_be_is_said_before_anything_starts(tmp_path: Path) -> None:
    """A wrong host, or a profile without network: one sentence, exit code 2, no notebook."""
    for options, said in (
        (("--allow-net", "https://example.org/x"), "allow_net"),
        (("--allow-net", "example.org", "--profile", "strict"), "strict has no network"),
        (("--allow-net", "example.org", "--isolation", "landlock"), "network of the sandbox's own"),
    ):
        ran = go(tmp_path, "http://127.0.0.1:1/v1", options=options)
        assert (ran.code, ran.notebook) == (2, None)
        assert said in ran.stderr
