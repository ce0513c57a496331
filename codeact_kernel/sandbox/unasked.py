"""What an agent's code leaves in a folder it may write that would later run, or be read, unasked.

Rule: such names are not kept, wherever they appear: what was made is renamed in place, in one call,
following no link, so that nothing is lost and nothing runs. Found after the code has run, not
before: for a moment it was there. What was there when the run began is the user's and stays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

NAMES = frozenset((
    ".git", ".hg", ".svn", ".jj", ".gitmodules", ".gitattributes", ".gitconfig", ".husky", ".pre-commit-config.yaml",
    ".env", ".envrc", ".direnvrc", ".autoenv", ".autoenv.zsh", ".mise.toml", ".rvmrc",
    ".bashrc", ".bash_profile", ".bash_logout", ".profile", ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".inputrc",
    ".vscode", ".idea", ".devcontainer", ".devcontainer.json", ".fleet", ".zed", ".cursor", ".claude", ".mcp.json",
    ".exrc", ".vimrc", ".nvimrc", ".nvim.lua", ".lvimrc", ".gvimrc", ".dir-locals.el", ".gdbinit", ".lldbinit",
    ".ipython", ".jupyter", ".condarc", ".pip", ".pypirc", ".netrc", ".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs",
    ".ssh", ".aws", ".github", ".gitlab-ci.yml", ".circleci",
    "sitecustomize.py", "usercustomize.py",
))  # fmt: skip
"""In small letters. Not every dotfile: programs leave many, and editors and we ourselves make some for
a moment."""
_ENDINGS = (".pth", ".code-workspace", ".desktop")
_CONFIGURED, _CONFIGURATIONS = ("jupyter", "ipython"), ("config.py", "config.json")
_ENVIRONMENTS = ("site-packages", "node_modules")
"""Are full of such names, which work only for who chooses that environment."""
_MOST, _DEEPEST = 20_000, 8
_SHOWN = 5


def runs_unasked(name: str) -> bool:
    """Does a program that is started in this folder, or one above it, run or obey a file of this name?"""
    name = name.lower()
    configures = name.startswith(_CONFIGURED) and name.endswith(_CONFIGURATIONS)
    return name in NAMES or name.endswith(_ENDINGS) or configures


class Unasked:
    """Looks after folders while an agent is at work in them: `workspace`, while the sandbox that lives
    is seen to write there (`writes`), and `others`."""

    def __init__(self, workspace: Path | None = None, others: Sequence[str] = ()) -> None:
        self._workspace = workspace
        self._others = tuple(others)
        self.writes = False
        self._known: frozenset[str] | None = None
        """What is the user's; None while no code but theirs has run."""
        self._renamed: list[str] = []
        self._unseen: list[str] = []

    def run_begins(self) -> None:
        """From here on what appears is the agent's."""
        if self._known is None:
            self._known = frozenset(path for _, _, path in self._found())
        else:
            self.put_aside()

    def own_cell_begins(self) -> None:
        """Until here it was; from here on it is the user's."""
        self.put_aside()
        self._known = None

    def put_aside(self) -> None:
        """Rename what has appeared."""
        if self._known is not None:
            for at, name, path in self._found():
                if path not in self._known:
                    self._rename(at, name, path)

    def _rename(self, at: int, name: str, path: str) -> None:
        new = f"made-by-code.{name.lstrip('.')}.aside-{os.urandom(3).hex()}"
        try:
            os.rename(name, new, src_dir_fd=at, dst_dir_fd=at)
        except OSError as error:
            self._renamed.append(f"{_shown(name)} (it could not be renamed: {error.strerror})")
        else:
            self._renamed.append(f"{_shown(name)} is now {_shown(new)}")

    def told(self) -> str:
        """A sentence about what was renamed since it was asked for last; "" for nothing."""
        renamed, self._renamed = self._renamed, []
        unseen, self._unseen = dict.fromkeys(self._unseen), []
        more = f" and {len(renamed) - _SHOWN:,} more" if len(renamed) > _SHOWN else ""
        sentences = []
        if renamed:
            sentences.append(
                "Code has made files that would later run or be read unasked, which were renamed: "
                f"{', '.join(renamed[:_SHOWN])}{more}. Look into them before you rename them back."
            )
        if unseen:
            sentences.append(
                "Whether code has made files that would later run unasked could not be seen in "
                f"{', '.join(unseen)}."
            )
        return " ".join(sentences)

    def _found(self) -> Iterator[tuple[int, str, str]]:
        """(descriptor of its folder, name, path) of each such name, outer folders first."""
        workspace = (self._workspace,) if self._workspace is not None and self.writes else ()
        for top in map(os.path.realpath, (*workspace, *self._others)):
            try:
                yield from _below(top)
            except OSError as error:
                self._unseen.append(f"{_shown(top)} ({error.strerror})")


def _below(top: str) -> Iterator[tuple[int, str, str]]:
    looked = 0
    for root, folders, files, at in os.fwalk(top, follow_symlinks=False):
        looked += len(folders) + len(files)
        for name in filter(runs_unasked, (*folders, *files)):
            yield at, name, os.path.join(root, name)
        deeper = looked < _MOST and root.count("/") - top.count("/") < _DEEPEST
        folders[:] = [name for name in folders if deeper and not _is_closed(name)]


def _shown(name: str) -> str:
    return ascii(name)[1:-1][:80]


def _is_closed(name: str) -> bool:
    return name.lower() in _ENVIRONMENTS or runs_unasked(name)
