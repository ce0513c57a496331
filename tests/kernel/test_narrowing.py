"""What a cell may choose beside what its user configured."""

from __future__ import annotations

import pytest

from codeact_kernel import settings
from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.cells.agent_options import Options
from codeact_kernel.kernel.run.narrowing import choose
from codeact_kernel.settings import Settings

MINE = {
    "CODEACT_CONFIG": "",
    "CODEACT_MODEL": "openai/mine",
    "CODEACT_API_KEY": "sk-SECRET",
    "CODEACT_APPROVE": "risky",
    "CODEACT_BUDGET": "1",
    "CODEACT_STEPS": "5",
}
EVIL = "https://evil.example/v1"


def loaded(**more: str) -> Settings:
    """The user's settings."""
    return settings.load({"HOME": "/nowhere", **MINE, **more})


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (Options(approve="never"), "CODEACT_APPROVE"),
        (Options(steps=6), "codeact run --steps"),
        (Options(budget=999.0), "codeact run --budget"),
        (Options(model="huggingface/https://evil.example"), "CODEACT_API_BASE"),
        (Options(model="replay//etc/passwd"), "below the notebook's folder"),
        (Options(model="replay/../other/a.ipynb"), "below the notebook's folder"),
        (Options(model="replay/~/a.ipynb"), "below the notebook's folder"),
        (Options(api_base="https://me@evil.example/v1"), "plain http or https"),
        (Options(api_base="ftp://evil.example"), "plain http or https"),
        (Options(api_base="https://evil.example/v1 is fine"), "plain http or https"),
        (Options(api_base=EVIL, model="vertex_ai/x"), "openai/NAME"),
    ],
)
def test_a_cell_that_widens_is_refused(written: Options, words: str) -> None:
    """Each is one sentence that says where the user can allow it."""
    with pytest.raises(UsageError) as caught:
        choose(loaded(), Options(), written)
    assert words in str(caught.value)


def test_a_cell_narrows() -> None:
    """Stricter approval, fewer steps and less money are the cell's to choose."""
    chosen = choose(loaded(), Options(), Options(approve="ask", steps=2, budget=0.5)).settings
    assert (chosen.approve, chosen.steps, chosen.budget) == ("ask", 2, 0.5)


def test_what_the_user_did_not_configure_is_the_cells() -> None:
    """The default of 20 steps and no budget are nobody's decision."""
    written = Options(steps=50, budget=3.0, model="openai/x")
    chosen = choose(Settings(), Options(), written).settings
    assert (chosen.steps, chosen.budget, chosen.model) == (50, 3.0, "openai/x")


def test_overrides_are_the_users_own() -> None:
    """What a front end or the command line says may widen, and goes before the cell."""
    own = Options(approve="never", steps=50, budget=9.0, api_base=EVIL)
    chosen = choose(loaded(), own, Options(approve="ask", steps=2, api_base="http://x"))
    assert chosen.foreign == ""
    assert (chosen.settings.approve, chosen.settings.steps) == ("never", 50)
    assert (chosen.settings.api_base, chosen.settings.api_key) == (EVIL, "sk-SECRET")


def test_a_foreign_address_never_gets_the_key() -> None:
    """It has to be allowed, and goes without the key even then; one's own needs no question."""
    foreign = choose(loaded(), Options(), Options(api_base=EVIL))
    assert foreign.foreign == EVIL
    assert foreign.settings.api_key == ""
    mine = loaded(CODEACT_API_BASE="http://mine/v1")
    own = choose(mine, Options(), Options(api_base="http://mine/v1/"))
    assert (own.foreign, own.settings.api_key) == ("", "sk-SECRET")
    assert choose(mine, Options(), Options(api_base=EVIL)).settings.api_key == ""


def test_another_provider_never_gets_the_key() -> None:
    """Without an address the key is for the provider of the configured model."""
    same = choose(loaded(), Options(), Options(model="openai/other")).settings
    other = choose(loaded(), Options(), Options(model="anthropic/x")).settings
    assert (same.api_key, other.api_key) == ("sk-SECRET", "")


def test_a_cell_switches_tools_off_and_none_on() -> None:
    """What its user has switched off stays so, in the configuration as in the panel."""
    mine = loaded(CODEACT_WITHOUT="shell")
    written = Options(without=("search",))
    assert choose(mine, Options(), written).settings.without == ("shell", "search")
    panel = Options(without=("plot",))
    assert choose(mine, panel, written).settings.without == ("plot", "search")
    assert choose(mine, Options(without=()), Options()).settings.without == ()
