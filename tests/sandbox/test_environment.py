"""What code inside finds: packages, fonts, time zone, certificates, a home of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from codeact_kernel.sandbox import fonts, visible
from codeact_kernel.sandbox.policy import Policy
from tests.sandbox.conftest import PROGRAMS, Start


async def test_the_kernels_packages_are_importable(start: Start, strict: Policy) -> None:
    """What is installed beside the kernel is there, wherever the interpreter lives."""
    inside = await start(strict)
    where = await inside.run("import IPython, numpy, sys; answer = [numpy.__file__, sys.prefix]")
    assert where[0].startswith(sys.prefix)
    assert where[1] == sys.prefix


async def test_a_module_in_the_workspace_cannot_shadow_the_worker(
    start: Start, strict: Policy, workspace: Path
) -> None:
    """The search path holds the environment only; the notebook's folder is for the worker to add."""
    (workspace / "json.py").write_text("raise SystemExit")
    inside = await start(replace(strict, workspace=workspace))
    paths = await inside.run("import sys; answer = sys.path")
    assert str(workspace) not in paths
    assert "" not in paths


async def test_children_import_too(start: Start, strict: Policy) -> None:
    """A program started inside with the same interpreter has the same packages."""
    inside = await start(strict)
    code = "import numpy, sys; print(sys.prefix)"
    result = await inside.run(
        f"import subprocess, sys; answer = subprocess.check_output([sys.executable, '-c', {code!r}], text=True)"
    )
    assert result.strip() == sys.prefix


async def test_locale_time_zone_accounts_and_types(start: Start, strict: Policy) -> None:
    """UTF-8, zoneinfo, getuser, expanduser and mimetypes answer as programs expect."""
    inside = await start(replace(strict, timezone="Europe/Berlin"))
    encoding, offset, user, home, kind = await inside.run(
        """
        import datetime, getpass, locale, mimetypes, os, time, zoneinfo
        noon = datetime.datetime(2024, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Asia/Tokyo"))
        answer = [
            locale.getpreferredencoding(),
            [noon.utcoffset().total_seconds(), time.tzname[0]],
            getpass.getuser(),
            os.path.expanduser("~") == os.environ["HOME"],
            mimetypes.guess_type("a.png")[0],
        ]
        """
    )
    assert encoding.upper() == "UTF-8"
    assert offset == [9 * 3600.0, "CET"]
    assert user == "sandbox"
    assert home is True
    assert kind == "image/png"


async def test_certificates_are_there(start: Start, strict: Policy) -> None:
    """The machine's CA bundle loads, for when a network is allowed."""
    inside = await start(strict)
    count = await inside.run(
        """
        import ssl
        context = ssl.create_default_context()
        answer = len(context.get_ca_certs()) or bool(ssl.get_default_verify_paths().capath)
        """
    )
    assert count


async def test_locks_and_pools_work_with_namespaces(start: Start) -> None:
    """multiprocessing has its /dev/shm, its pipes and its semaphores."""
    inside = await start(replace(Policy.strict(), isolation="namespaces"))
    result = await inside.run(
        "import multiprocessing as m\nwith m.get_context('fork').Pool(2) as p: answer = p.map(abs, [-1, -2])"
    )
    assert result == [1, 2]


async def test_fonts_are_listed_once_for_all_sandboxes(
    start: Start, strict: Policy, tmp_path: Path
) -> None:
    """The list made in a throw-away sandbox is found, used and not rewritten by the next one."""
    policy = replace(strict, state=tmp_path / "state")
    made = await fonts.ensure(policy)
    assert made is not None
    stamp = made.stat().st_mtime_ns
    assert await fonts.ensure(policy) == made
    inside = await start(policy)
    linked = await inside.run(
        f"""
        import os, logging
        logging.basicConfig(level=logging.INFO, filename=os.environ["TMPDIR"] + "/log")
        import matplotlib.font_manager, matplotlib.pyplot as plt
        plt.plot([1, 2]); plt.savefig(os.environ["TMPDIR"] + "/a.png")
        path = os.path.join(os.environ["MPLCONFIGDIR"], {made.name!r})
        answer = [os.path.islink(path), open(os.environ["TMPDIR"] + "/log").read()]
        """
    )
    assert linked[0] is True
    assert "generated new fontManager" not in linked[1]
    assert made.stat().st_mtime_ns == stamp


def test_a_forged_font_list_is_not_kept(tmp_path: Path) -> None:
    """A name that leads elsewhere or bytes that are no list leave nothing behind."""
    from codeact_kernel.sandbox import fontstore

    assert (
        fontstore.keep(tmp_path, "../../fontlist-v3.json", b'{"__class__": "FontManager"}') is None
    )
    assert fontstore.keep(tmp_path, "fontlist-v3.json", b"not json") is None
    assert fontstore.keep(tmp_path, "fontlist-v3.json", b"[]") is None
    assert list(tmp_path.iterdir()) == []


PROBE = """
import asyncio, json, sys
from codeact_kernel.sandbox.policy import Policy
from codeact_kernel.sandbox.process import launch
async def main():
    sandbox = await launch(Policy.strict(), {}, module="probe_worker")
    answers = asyncio.Queue()
    sandbox.listen(lambda frame: answers.put_nowait(frame.parts[0]), lambda _: None)
    program = "import os, sys, plain_line, hooked; answer = [sys.prefix, plain_line.__file__, hooked.__file__]"
    sandbox.send({"t": "run"}, (program.encode(),))
    print((await asyncio.wait_for(answers.get(), 30)).decode())
    sandbox.kill()
asyncio.run(main())
"""

FINDER = """
import importlib.util, sys
MAPPING = {{"hooked": {target!r}}}
NAMESPACES = {{}}
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in MAPPING:
            return importlib.util.spec_from_file_location(name, MAPPING[name] + "/__init__.py")
sys.meta_path.append(Finder)
"""


async def test_a_venv_below_a_private_home_with_editable_installs(tmp_path: Path) -> None:
    """.pth lines, import hooks of editable installs and the venv's own prefix are there inside."""
    home = tmp_path / "home"
    for name in ("plain", "project/src/hooked"):
        (home / name).mkdir(parents=True)
    (home / "plain/plain_line.py").touch()
    (home / "project/src/hooked/__init__.py").touch()
    (home / "project/secret.txt").write_text("secret")
    await ran(sys.executable, "-m", "venv", "--without-pip", str(home / "venv"))
    (packages,) = (home / "venv/lib").glob("python*/site-packages")
    (packages / "plain.pth").write_text(f"{home}/plain\n")
    hook = FINDER.format(target=str(home / "project/src/hooked"))
    (packages / "__editable___hooked_finder.py").write_text(hook)
    (packages / "hooked.pth").write_text("import __editable___hooked_finder\n")
    checkout = Path(visible.package_folder()).parent
    (packages / "us.pth").write_text(f"{checkout}\n{PROGRAMS}\n")
    home.chmod(0o700)
    said = await ran(str(home / "venv/bin/python"), "-P", "-c", PROBE)
    assert json.loads(said)["answer"] == [
        str(home / "venv"),
        str(home / "plain/plain_line.py"),
        str(home / "project/src/hooked/__init__.py"),
    ]


async def ran(*command: str) -> str:
    """What a program printed; it must succeed."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return said.decode()


def test_only_the_environment_is_shown_never_the_home_around_it() -> None:
    """No path that is shown is the home or above it, and each names a reason to import."""
    shown = visible.environment(homes=(str(Path(sys.prefix).parent),), cwd="/")
    assert str(Path(sys.prefix).parent) not in shown.paths
    assert sys.prefix in shown.paths or sys.prefix.startswith("/usr")


def test_an_entry_that_would_show_the_home_is_left_out(tmp_path: Path) -> None:
    """A search path entry that is the home itself is refused, with a note."""
    sys.path.append(str(tmp_path))
    try:
        shown = visible.environment(homes=(str(tmp_path),), cwd="/")
    finally:
        sys.path.remove(str(tmp_path))
    assert str(tmp_path) not in shown.paths
    assert any(str(tmp_path) in note for note in shown.notes)
