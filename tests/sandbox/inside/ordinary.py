"""What an ordinary user's sandbox holds: programs run in one, their answers printed as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from codeact_kernel.sandbox.egress import allowlist
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.process import launch

PROGRAMS = {
    "uid": "import os; answer = os.getuid()",
    "memory": "bytearray(2 << 30)",
    "socket": "import socket; socket.socket()",
    "passwd": "answer = open('/etc/passwd').read()",
    "host": "answer = open('/etc/hostname').read()",
    "env": "answer = open('.env').read()",
    "notebook": "open('notebook.ipynb', 'a')",
    "data": "answer = open('data.csv').read()",
    "write": "open('plain/new', 'x').write('new'); answer = 'done'",
    "beside": "open('new', 'x'); answer = 'done'",
    "outside": "open('../new', 'x')",
    "forks": """
import os, signal
children = []
try:
    while len(children) < 300:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        children.append(pid)
except OSError:
    pass
for pid in children:
    os.kill(pid, 9)
    os.waitpid(pid, 0)
answer = len(children)
""",
}


async def network() -> Any:
    """What a sandbox with an allowlist gets from a server on this machine's loopback."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    aim = "{}:{}".format(*server.sockets[0].getsockname())
    policy = replace(Policy.notebook(), egress=allowlist.parse([aim]))
    sandbox = await launch(policy, {}, module="probe_worker")
    answers: asyncio.Queue[bytes] = asyncio.Queue()
    sandbox.listen(lambda frame: answers.put_nowait(bytes(frame.parts[0])), lambda _: None)
    program = f"import urllib.request as r\nanswer = r.urlopen('http://{aim}/').read().decode()"
    sandbox.send({"t": "run"}, (program.encode(),))
    reply = json.loads(await asyncio.wait_for(answers.get(), 30))
    sandbox.kill()
    server.close()
    return reply.get("error", reply.get("answer"))


async def main() -> None:
    """Arguments: isolation, workspace."""
    policy = replace(Policy.strict(Path(sys.argv[2])), isolation=sys.argv[1])
    sandbox = await launch(policy, {}, module="probe_worker")
    answers: asyncio.Queue[bytes] = asyncio.Queue()
    sandbox.listen(lambda frame: answers.put_nowait(bytes(frame.parts[0])), lambda _: None)
    seen: dict[str, Any] = {
        "grade": sandbox.grade,
        "backend": sandbox.report.backend,
        "workspace": sandbox.report.workspace,
    }
    for name, program in PROGRAMS.items():
        sandbox.send({"t": "run"}, (program.encode(),))
        reply = json.loads(await asyncio.wait_for(answers.get(), 30))
        seen[name] = reply.get("error", reply.get("answer"))
    sandbox.kill()
    if sandbox.grade == "namespaces":
        seen["network"] = await network()
    sys.stdout.write(json.dumps(seen))


asyncio.run(main())
