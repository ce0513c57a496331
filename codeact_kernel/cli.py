"""The command `codeact`: arguments in, exit code out.

Rule: stdout carries results (an answer, a JSON line, a diagnosis), stderr what a person is told
meanwhile. Exit codes: 0 answered, 3 a limit was met, 1 failed, 2 wrong usage. Whatever goes wrong
is one sentence. A verb imports what it needs when it is called, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codeact_kernel import settings
from codeact_kernel.errors import CodeActError, NotebookError, SettingsError, UsageError
from codeact_kernel.headless import arguments as grammar
from codeact_kernel.headless.plain import one_line
from codeact_kernel.trace.text import plain

if TYPE_CHECKING:
    from codeact_kernel.headless.verbs import Result

_FAILURE, _USAGE = 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Never raises but SystemExit(0) for --help and --version."""
    _forgiving_streams()
    try:
        return _dispatch(grammar.parse(list(sys.argv[1:] if argv is None else argv)))
    except (UsageError, SettingsError, NotebookError) as error:
        return _say(error, _USAGE)
    except CodeActError as error:
        return _say(error, _FAILURE)
    except KeyboardInterrupt:
        return _say(CodeActError("Stopped."), _FAILURE)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads any more
        return _FAILURE
    except Exception as error:  # noqa: BLE001 — the last resort: a bug of ours is one sentence too
        return _say(CodeActError(_logged(error)), _FAILURE)


def _dispatch(arguments: argparse.Namespace) -> int:
    match arguments.verb:
        case "doctor":
            return _doctor(arguments)
        case "files":
            return _files(arguments)
        case "kernel":
            return _kernel(arguments)
        case "lab":
            from codeact_kernel.headless import lab

            lab.start(arguments.notebook, arguments.more)
        case _:
            return _notebook(arguments)


def _notebook(arguments: argparse.Namespace) -> int:
    # jsonschema, below nbformat, compiles a grammar of addresses when it finds this one: 0.5 s for a
    # check no notebook needs. None means "not installed" to the import system.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from codeact_kernel.headless import verbs

    verb = {"run": verbs.run_notebook, "ask": verbs.ask_task, "demo": verbs.replay_demo}
    result = verb[arguments.verb](arguments)
    if arguments.json:
        line = {**result.ended.to_json(str(result.notebook)), "staged": list(result.staged)}
        print(json.dumps(line), flush=True)
    elif result.ended.answers:
        print(plain("\n\n".join(result.ended.answers)), flush=True)
    _tell(result, demo=arguments.verb == "demo")
    return result.ended.exit_code


def _tell(result: Result, *, demo: bool) -> None:
    """What a person is told at the end; a pipe only hears what was not as it should be."""
    if not sys.stderr.isatty():  # on a terminal they were said when they came
        for notice in result.ended.notices:
            print(f"codeact: {notice}", file=sys.stderr)
    for sentence in result.staged:
        print(f"codeact: {plain(sentence)}", file=sys.stderr)
    if result.ended.reason:
        print(f"codeact: {result.ended.reason}", file=sys.stderr)
    if sys.stderr.isatty() or demo:
        here = os.getcwd()
        inside = result.notebook.is_relative_to(here)
        where = str(result.notebook.relative_to(here) if inside else result.notebook)
        print(f"The notebook is {one_line(where, 4096)}", file=sys.stderr)
        print(f"Open it with: {_this_command()} lab {shlex.quote(plain(where))}", file=sys.stderr)


def _this_command() -> str:
    """How the person can call this command again: by its name only when that is found."""
    if shutil.which("codeact"):
        return "codeact"
    called = Path(sys.argv[0])
    return shlex.quote(str(called)) if called.name == "codeact" else "python -P -m codeact_kernel"


def _doctor(arguments: argparse.Namespace) -> int:
    from codeact_kernel.headless import doctor

    diagnosis = doctor.diagnose(arguments)
    print(json.dumps(diagnosis.to_json()) if arguments.json else diagnosis.to_text())
    return 0 if diagnosis.ok else _FAILURE


def _files(arguments: argparse.Namespace) -> int:
    from codeact_kernel.headless import staged

    answer = staged.carry_out(arguments)
    print(answer.text)
    return 0 if answer.ok else _FAILURE


def _kernel(arguments: argparse.Namespace) -> int:
    from codeact_kernel.headless import kernelspec

    act = kernelspec.install if arguments.action == "install" else kernelspec.uninstall
    place = act(user=arguments.user, prefix=arguments.prefix)
    print(f"{'Installed in' if arguments.action == 'install' else 'Removed from'} {place}")
    return 0


def _say(error: CodeActError, code: int) -> int:
    sentences = " ".join([str(error), *getattr(error, "__notes__", [])])
    print(f"codeact: {plain(sentences).strip()}", file=sys.stderr)
    return code


def _logged(error: Exception) -> str:
    """Write the traceback to a file; the sentence that says where."""
    name = f"codeact-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    path = settings.state_path() / "logs" / name
    notes = " ".join(getattr(error, "__notes__", []))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(path, "x", opener=lambda file, flags: os.open(file, flags, 0o600)) as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return f"Something went wrong in codeact itself: {type(error).__name__}. {notes}"
    return f"Something went wrong in codeact itself; the details are in {path}. {notes}"


def _forgiving_streams() -> None:
    """A terminal that cannot show a character shows another; it is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
