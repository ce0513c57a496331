"""Programs as data: a file is a class of programs, `# %% name | option | ...` begins each.

Options:
  bites                  without any wall it trips its canary; a control run shows that it does. Such a
                         program touches the canaries and nothing else: never all processes, all users
  alone                  it gets a sandbox of its own with small limits, ended behind it
  not GRADE              it makes no sense there (namespaces, landlock)
  xfail WHERE: reason    a known gap, which must stay one until it is closed (root-landlock,
                         user-landlock ...)
  ends                   it may end its sandbox
  needs MODULE           skipped where the module is not installed
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program. `kind` is the name of its file."""

    kind: str
    name: str
    code: str
    bites: bool = False
    alone: bool = False
    never: frozenset[str] = frozenset()
    gaps: dict[str, str] = field(default_factory=dict)
    needs: str = ""
    ends: bool = False

    @property
    def id(self) -> str:
        """As pytest shows it."""
        return f"{self.kind}-{self.name.replace(' ', '_')}"


def programs(folder: str) -> list[Program]:
    """All programs below a folder beside this file, in the order of their files."""
    found = [
        program
        for path in sorted((HERE / folder).iterdir())
        if path.is_file()
        for program in read(path)
    ]
    names = [program.id for program in found]
    if len(set(names)) != len(names):
        raise ValueError(f"two programs in {folder} have one name")
    return found


def read(path: Path) -> list[Program]:
    """The programs of one file. Text before the first one is for its reader."""
    _, *blocks = path.read_text().split("\n# %% ")
    return [_program(path.stem, *block.partition("\n")[::2]) for block in blocks]


def _program(kind: str, header: str, code: str) -> Program:
    name, *options = (part.strip() for part in header.split("|"))
    gaps: dict[str, str] = {}
    never: set[str] = set()
    needs = ""
    for option in options:
        if option.startswith("xfail "):
            grade, _, reason = option.removeprefix("xfail ").partition(":")
            gaps[grade] = reason.strip()
        elif option.startswith("not "):
            never.add(option.removeprefix("not "))
        elif option.startswith("needs "):
            needs = option.removeprefix("needs ")
        elif option not in ("bites", "alone", "ends"):
            raise ValueError(f"{kind}: {name}: what is {option!r}?")
    return Program(
        kind=kind,
        name=name,
        code=code.strip("\n") + "\n",
        bites="bites" in options,
        alone="alone" in options,
        never=frozenset(never),
        gaps=gaps,
        needs=needs,
        ends="ends" in options,
    )
