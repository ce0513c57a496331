"""The table of docs/threat-model.md, from the corpus: `python -m tests.escape.table` prints it."""

from __future__ import annotations

import sys
from collections import Counter

from tests.escape.corpus import HERE, Program, programs

PLACES = ("root-namespaces", "root-landlock", "user-namespaces", "user-landlock")


def rows() -> list[str]:
    """One row for each class: its name, what it tries, how many are stopped of how many there are."""
    corpus = programs("programs")
    said = {
        path.stem: path.read_text().split('"""')[1].strip()
        for path in sorted((HERE / "programs").glob("*.py"))
    }
    kinds = Counter(program.kind for program in corpus)
    return [
        f"| {kind.replace('_', ' ')} | {said[kind]} | {_of(corpus, kind, 'namespaces')} "
        f"| {_of(corpus, kind, 'landlock')} |"
        for kind in kinds
    ]


def _of(corpus: list[Program], kind: str, grade: str) -> str:
    tried = [each for each in corpus if each.kind == kind and grade not in each.never]
    gaps = [each for each in tried if any(place.endswith(grade) for place in each.gaps)]
    return f"{len(tried) - len(gaps)} of {len(tried)}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(rows()) + "\n")
