"""What a sandbox may do: one value, decided outside, the same for its whole life.

Rule: a policy that makes no sense cannot exist. Numbers are limits, None means no limit.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codeact_kernel.errors import SettingsError
from codeact_kernel.sandbox.mounts import Mount

if TYPE_CHECKING:
    from codeact_kernel.sandbox.egress.allowlist import Allowlist

MIB = 1024 * 1024
GIB = 1024 * MIB

_CHOICES = {
    "profile": ("notebook", "strict"),
    "isolation": ("auto", "namespaces", "landlock", "none"),
    "workspace_mode": ("cow", "ro", "rw"),
}
_LEAST = {
    "memory": 64 * MIB,
    "processes": 4,
    "file_size": MIB,
    "open_files": 64,
    "tmp_size": MIB,
    "scratch_size": 16 * MIB,
    "disk_size": MIB,
    "disk_files": 100,
    "cpus": 0.1,
    "step_seconds": 0.001,
    "cell_seconds": 0.001,
}

STRICT_IMPORTS = frozenset(
    """
    IPython PIL abc altair array ast base64 binascii bisect bs4 bz2 calendar cmath codecs
    collections colorsys comm contextlib copy csv cycler dataclasses datetime dateutil
    decimal difflib duckdb email encodings enum errno et_xmlfile fnmatch fractions functools
    geopandas getpass glob graphlib gzip hashlib heapq hmac html io ipaddress ipywidgets itertools
    json keyword linecache locale logging lxml lzma markdown math matplotlib matplotlib_inline
    mimetypes mpl_toolkits narwhals networkx numbers numexpr numpy openpyxl operator os pandas
    pathlib patsy platform plotly polars pprint pyarrow pydantic pyparsing pytz queue random re
    reprlib scipy seaborn secrets shapely shutil sklearn sqlite3 statistics statsmodels string
    stringprep struct sympy sys tabulate tarfile tempfile textwrap threading time timeit token
    tokenize tqdm traceback types typing typing_extensions tzdata unicodedata unittest urllib uuid
    warnings weakref xlrd xml xlsxwriter yaml zipfile zlib zoneinfo
    """.split()  # noqa: SIM905 - a hundred quotation marks help nobody
)
"""What code may import under `strict`: data work, text, numbers, plots; nothing that starts
programs, talks to a network or loads machine code by hand. Top-level names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Sizes in bytes, times in seconds. Use `strict` or `notebook`, then `dataclasses.replace`."""

    profile: str
    isolation: str = "auto"
    """auto (the strongest there is), namespaces, landlock, none (only ever by its name)."""
    workspace: Path | None = None
    """The folder that is shown; None: nothing but scratch."""
    workspace_mode: str = "rw"
    """ro, rw, or cow: what code writes is staged outside the folder until somebody keeps it."""
    staging: Path | None = None
    """The area (`staging.area`) that takes the writes of mode cow; None: then there is only ro."""
    mounts: tuple[Mount, ...] = ()
    """Further folders and devices that are shown."""
    memory: int
    """All processes together; one alone has an eighth less, so that it meets a MemoryError first."""
    step_seconds: float | None
    """One step of the agent."""
    cell_seconds: float | None = None
    """One cell the user runs."""
    processes: int = 64
    file_size: int = GIB
    """One file."""
    open_files: int = 1024
    tmp_size: int = 256 * MIB
    """The temporary folder and shared memory, each; it is memory."""
    scratch_size: int = GIB
    """HOME, TMPDIR and caches; it is memory."""
    disk_size: int = 16 * GIB
    """What code may add to a writable workspace."""
    disk_files: int = 200_000
    """How many files it may make there, and in scratch."""
    cpus: float | None = None
    """Processors, where control groups can limit them; None: all."""
    imports: frozenset[str] | None = None
    """Top-level modules code may import; None: all that are installed."""
    egress: Allowlist | None = None
    """The hosts that can be reached; None: no network, and no socket can be opened."""
    timezone: str | None = None
    """TZ inside; None: the machine's."""
    uid: int | None = None
    """As root: the user to become; None: one of its own for each sandbox."""
    runtime: Path = Path("/tmp")  # noqa: S108 - each sandbox makes a private folder below it
    """Where the sandbox's own short-lived folder is made."""
    state: Path | None = None
    """Where the font cache outlives a sandbox; None: there is none."""

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise SettingsError(
                    f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}."
                )
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise SettingsError(f"{name} must be at least {least:g}, not {value!r}.")

        if self.egress is not None and self.profile == "strict":
            raise SettingsError(
                "Profile strict has no network: leave allow_net out, or use profile notebook."
            )
        if self.egress is not None and self.isolation in ("landlock", "none"):
            raise SettingsError(
                f"allow_net needs a network of the sandbox's own, which isolation={self.isolation} "
                "does not have: use auto or namespaces, or leave allow_net out."
            )

    @classmethod
    def strict(cls, workspace: Path | None = None) -> Policy:
        """30 s and 512 MB for steps and cells alike, imports from an allowlist."""
        return cls(
            profile="strict",
            workspace=workspace,
            memory=512 * MIB,
            step_seconds=30.0,
            cell_seconds=30.0,
            file_size=256 * MIB,
            open_files=256,
            tmp_size=128 * MIB,
            scratch_size=256 * MIB,
            disk_size=GIB,
            disk_files=20_000,
            imports=STRICT_IMPORTS,
        )

    @classmethod
    def notebook(cls, workspace: Path | None = None) -> Policy:
        """The same walls for a whole day: half the machine's memory, 120 s for an agent's step."""
        memory = max(machine_memory() // 2, 512 * MIB)
        return cls(
            profile="notebook",
            workspace=workspace,
            memory=memory,
            step_seconds=120.0,
            processes=256,
            file_size=max(memory, GIB),
            tmp_size=min(memory // 4, GIB),
            scratch_size=min(memory // 4, 4 * GIB),
        )


def machine_memory() -> int:
    """Bytes this process can hope for: what is built in, or what its control group allows."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limit = Path(path).read_text().strip()
        except OSError:
            continue
        if limit.isdigit():
            total = min(total, int(limit))
    return total
