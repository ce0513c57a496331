"""The command line's grammar: which verbs there are and what each takes. No behaviour.

Rule: a wrong command line is one sentence and exit code 2, as any other wrong input.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from codeact_kernel import __version__
from codeact_kernel.errors import UsageError

_ABOUT = """\
An agent that works in a notebook: it writes Python, the Python runs in a sandbox, and every step
is a cell you can read, edit and run again."""

_END = """\
exit codes: 0 answered · 3 a limit was met (steps, budget) · 1 failed or stopped · 2 wrong usage
Settings that hold for every run go into ~/.config/codeact/config.toml or CODEACT_* variables."""

_RUN = """\
Run every cell of a notebook. Below each %%agent cell the agent's steps are inserted as cells with
their outputs; steps of an earlier run are replaced. The result goes to NOTEBOOK.run.ipynb unless
-o or --in-place says otherwise, and is put in place only when it is complete."""

_ASK = """\
Make a notebook of a task and run it. The agent sees the folder of the result and nothing else of
your files; a FILE from elsewhere is copied there first."""

_DEMO = """\
Replay a recorded run: real code in a real sandbox, with the model's replies from the recording.
Needs no key and no network."""


_FILES = """\
What runs of a notebook wrote into its folder in workspace_mode cow lies beside it, staged, until you
decide: list (with diffs), keep or discard, all of it or some paths. Without a NOTEBOOK: which
notebooks have something staged."""


class Parser(argparse.ArgumentParser):
    """argparse that raises UsageError instead of printing its usage and leaving."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """The sentence."""
        raise UsageError(f"{message[:1].upper()}{message[1:]}. Try: {self.prog} --help")


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments. Raises UsageError; leaves by SystemExit(0) after --help and --version."""
    parser = build()
    arguments, rest = parser.parse_known_args(argv)
    if arguments.verb == "lab":
        arguments.more = rest
    elif arguments.verb == "ask" and not any(word.startswith("-") for word in rest):
        arguments.files += map(Path, rest)  # argparse gives up on files that follow an option
    elif rest:
        parser.error(f"unknown argument {rest[0]}")
    return arguments


def sandbox_options(arguments: argparse.Namespace) -> dict[str, object]:
    """Those that are settings of the kernel, None when not given."""
    given = {"profile": arguments.profile, "isolation": arguments.isolation}
    return {**given, "allow_net": getattr(arguments, "allow_net", None)}


def build() -> Parser:
    """The whole grammar."""
    parser = Parser(prog="codeact", description=_ABOUT, epilog=_END)
    parser.add_argument("--version", action="version", version=f"codeact {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    _run(verbs.add_parser("run", help="run a notebook and keep every step", description=_RUN))
    _ask(verbs.add_parser("ask", help="make a notebook of a task and run it", description=_ASK))
    _demo(verbs.add_parser("demo", help="replay a recorded run", description=_DEMO))
    lab = verbs.add_parser(
        "lab",
        help="start JupyterLab",
        description="Start JupyterLab with this kernel; options it does not know go to JupyterLab.",
    )
    lab.add_argument("notebook", nargs="?", type=Path, help="opened when given")
    doctor = verbs.add_parser(
        "doctor",
        help="say how well this machine can isolate code",
        description="Start a sandbox, look around from inside, and say what holds and what does not.",
    )
    _sandbox(doctor)
    doctor.add_argument("--json", action="store_true", help="for programs")
    _files(
        verbs.add_parser("files", help="what runs have staged: keep it or not", description=_FILES)
    )
    _kernel(verbs.add_parser("kernel", help="add the kernel to Jupyter's list, or remove it"))
    return parser


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebook", type=Path, help="the notebook to run")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-o", "--out", type=Path, metavar="OUT", help="where the result goes")
    where.add_argument("--in-place", action="store_true", help="put the result where it came from")
    parser.add_argument(
        "--keep", action="store_true",
        help="with workspace_mode cow: put what steps wrote in the folder at the end",
    )  # fmt: skip
    _agent(parser)
    _sandbox(parser)
    _network(parser)


def _files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebook", nargs="?", type=Path, help="whose files")
    parser.add_argument(
        "action", nargs="?", choices=("list", "keep", "discard"), default="list",
        help="what to do with them (default: list)",
    )  # fmt: skip
    parser.add_argument("paths", nargs="*", metavar="PATH", help="as they are listed")
    parser.add_argument("--all", action="store_true", help="all that is staged")
    parser.add_argument(
        "--force", action="store_true",
        help="keep also over what was changed outside, and a protected name that is given exactly",
    )  # fmt: skip


def _ask(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", help="what is to be done, in a sentence or more")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="files it is about")
    parser.add_argument("-o", "--out", type=Path, metavar="OUT", help="the notebook that is made")
    _agent(parser)
    _sandbox(parser)
    _network(parser)


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--out", type=Path, metavar="OUT", default=Path("codeact-demo", "quickstart.ipynb"),
        help="the notebook that is made (default: codeact-demo/quickstart.ipynb)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON line at the end")
    _sandbox(parser)


def _kernel(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="install|uninstall", required=True)
    for name, what in (("install", "add the kernel"), ("uninstall", "remove the kernel")):
        action = actions.add_parser(name, help=what)
        where = action.add_mutually_exclusive_group()
        where.add_argument("--user", action="store_true", help="for this user")
        where.add_argument(
            "--prefix", metavar="P", help="below this folder (default: this Python's)"
        )


def _agent(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the agent (goes before what a cell or your settings say)")
    group.add_argument("--model", help="as litellm names it, or replay/NOTEBOOK for a recorded run")
    group.add_argument("--api-base", metavar="URL", help="address of an OpenAI-compatible server")
    group.add_argument("--steps", type=_whole, metavar="N", help="at most so many steps")
    group.add_argument("--budget", type=_positive, metavar="USD", help="at most so much money")
    group.add_argument(
        "--vision", action=argparse.BooleanOptionalAction, help="show plots to the model, or not"
    )
    parser.add_argument(
        "--timeout", type=_positive, metavar="S", help="stop when one cell takes longer"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON line at the end")


def _sandbox(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the sandbox")
    group.add_argument("--profile", choices=("notebook", "strict"), help="which limits hold inside")
    group.add_argument(
        "--isolation", choices=("auto", "namespaces", "landlock", "none"),
        help="what has to hold it; none is no sandbox at all",
    )  # fmt: skip


def _network(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the network (there is none unless you allow it)")
    group.add_argument(
        "--allow-net", action="append", metavar="HOST",
        help="code may reach this host: name, name:port or *.name; may be given more than once, "
        "and replaces allow_net of your settings",
    )  # fmt: skip


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number
