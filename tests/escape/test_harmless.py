"""What people really do works on every grade: a wall that breaks it would be taken down."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Session, started
from tests.escape.corpus import Program, programs

CORPUS = programs("harmless")


@pytest.fixture(scope="module", params=["namespaces", "landlock"])
def notebook(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Session]]:
    """A real kernel in a folder with a notebook, all programs as cells of it."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "plain").mkdir()
    (folder / "notebook.ipynb").write_text("{}")
    environ = {"CODEACT_ISOLATION": request.param}
    if request.param == "landlock":
        environ["CODEACT_WORKSPACE_MODE"] = "rw"  # nothing can be staged there
    with started(folder, environ) as session:
        session.run("pass")  # the first cell is told of a weaker isolation
        yield request.param, session


@pytest.mark.parametrize("program", CORPUS, ids=lambda program: program.id)
def test_it_works(
    notebook: tuple[str, Session], program: Program, request: pytest.FixtureRequest
) -> None:
    """The cell ends well, and what it asserts is so."""
    grade, session = notebook
    if grade in program.never:
        pytest.skip(f"makes no sense with {grade}")
    if program.needs and importlib.util.find_spec(program.needs) is None:
        pytest.skip(f"{program.needs} is not installed")
    if grade in program.gaps:
        request.node.add_marker(pytest.mark.xfail(strict=True, reason=program.gaps[grade]))
    session.run("%reset -f")  # no program has another's imports
    result = session.run(program.code)
    assert result.reply["status"] == "ok", "\n".join(result.reply.get("traceback", []))[-2000:]
    assert "sandbox" not in result.stream("stderr").lower()


def test_the_corpus_is_a_corpus() -> None:
    """It is as large as it is said to be."""
    assert len(CORPUS) >= 60
