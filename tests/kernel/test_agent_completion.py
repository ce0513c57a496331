"""Tab in the first line of an agent cell: options, their values, names of models."""

from __future__ import annotations

import pytest

from codeact_kernel.kernel.cells.agent_completion import complete
from codeact_kernel.models import names
from tests.kernel.boxes import obedient
from tests.kernel.conftest import Front

MODELS = ("anthropic/one", "openai/two")


@pytest.mark.parametrize(
    ("typed", "start", "some"),
    [
        ("%%agent --mo", 8, ("--model",)),
        ("%%agent --model an", 16, ("anthropic/one",)),
        ("%%agent --model ", 16, MODELS),
        ("%%agent --model m --approve r", 28, ("risky",)),
        ("%agent con", 7, ("continue",)),
        ("%agent continue --st", 16, ("--steps",)),
        ("\n%%agent --vision --a", 18, ("--approve", "--api-base")),
        ("%%agent --steps ", 16, ()),
        ("%%agent count the ", 18, ()),
        ("%%agent --steps 3 count --mo", 24, ()),
    ],
)
def test_what_fits_is_offered(typed: str, start: int, some: tuple[str, ...]) -> None:
    """At the place it replaces, and nothing once a task has begun."""
    found = complete(f"{typed}\nthe task", len(typed), MODELS)
    assert found is not None
    assert (found.start, found.matches) == (start, some)


def test_an_option_is_offered_once() -> None:
    """One that is there already is not offered again."""
    found = complete("%%agent --model m --", 20)
    assert found is not None
    assert "--model" not in found.matches
    assert "--steps" in found.matches


@pytest.mark.parametrize(
    "typed", ["%%agent --model m\nthe ta", "x = 1\n%agent --mo", "%%agents --mo", "%%agent", "--mo"]
)
def test_everything_else_is_left_to_python(typed: str) -> None:
    """The task itself, other cells and other magics."""
    assert complete(typed, len(typed)) is None


def test_models_are_known_by_their_providers() -> None:
    """Each name has a provider, so that it can be used as it is."""
    assert any(name.startswith("anthropic/claude") for name in names.known())
    assert all("/" in name for name in names.known())


async def test_a_client_is_answered(front: Front) -> None:
    """Agent cells here, with the names of models; other code inside."""
    front.box.script = obedient
    code = "%%agent --model anthropic/claude-s"
    reply = (await front.reply(front.client.complete(code, len(code))))["content"]
    assert (reply["status"], reply["cursor_start"], reply["cursor_end"]) == ("ok", 16, len(code))
    assert all(match.startswith("anthropic/claude-s") for match in reply["matches"])
    assert reply["matches"]
    assert "matches" not in (await front.reply(front.client.complete("# %agent", 8)))["content"]
