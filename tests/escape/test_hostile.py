"""No program of the corpus does anything to the world outside, on any grade."""

from __future__ import annotations

import pytest

from tests.escape.corpus import HERE, Program, programs
from tests.escape.outside import Outside
from tests.escape.table import rows

CORPUS = programs("programs")


@pytest.mark.parametrize("program", CORPUS, ids=lambda program: program.id)
def test_nothing_gets_out(
    outside: Outside, program: Program, request: pytest.FixtureRequest
) -> None:
    """No secret comes out, nobody is called, no file, process or machine outside is changed."""
    if outside.grade in program.never:
        pytest.skip(f"makes no sense with {outside.grade}")
    if outside.label in program.gaps:
        reason = program.gaps[outside.label]
        request.node.add_marker(pytest.mark.xfail(strict=True, reason=reason))
    assert outside.run(program) == [], outside.said[-2000:]


@pytest.mark.parametrize(
    "program", [program for program in CORPUS if program.bites], ids=lambda program: program.id
)
def test_the_canaries_sing_where_there_are_no_walls(wall_less: Outside, program: Program) -> None:
    """The same programs do get out of isolation = none: it is the walls that stop them."""
    assert wall_less.run(program) or wall_less.later(), wall_less.said[-2000:]


def test_the_corpus_is_a_corpus() -> None:
    """It is as large as it is said to be, and a third of it is known to bite."""
    assert len(CORPUS) >= 120
    assert sum(program.bites for program in CORPUS) >= len(CORPUS) // 3


def test_the_threat_model_says_what_the_corpus_says() -> None:
    """The table in the documentation has a row for each class, with the numbers of today."""
    text = (HERE.parents[1] / "docs/threat-model.md").read_text()
    assert [row for row in rows() if row not in text] == []
