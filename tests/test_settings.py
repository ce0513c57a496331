"""Settings: defaults, then the user's file, then the environment; what is wrong is said by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeact_kernel import settings
from codeact_kernel.errors import SettingsError
from codeact_kernel.settings import Settings


def config(folder: Path, text: str) -> dict[str, str]:
    path = folder / "config.toml"
    path.write_text(text)
    return {"CODEACT_CONFIG": str(path)}


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    """No file, no variable."""
    assert settings.load({"HOME": str(tmp_path)}) == Settings()


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    """Each setting comes from the last place that names it."""
    environ = config(tmp_path, 'model = "a"\nsteps = 7\npreload = ["numpy"]\nvision = true\n')
    loaded = settings.load({**environ, "CODEACT_MODEL": "b", "CODEACT_BUDGET": "0.5"})
    assert (loaded.model, loaded.steps, loaded.budget) == ("b", 7, 0.5)
    assert loaded.preload == ("numpy",)
    assert loaded.vision is True


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    """`CODEACT_MODEL=` does not hide the file."""
    environ = config(tmp_path, 'model = "a"\n')
    assert settings.load({**environ, "CODEACT_MODEL": ""}).model == "a"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model = [", "cannot be read"),
        ('modle = "x"', "'modle', which is not a setting"),
        ("steps = 0", "steps must be a positive"),
        ("steps = true", "steps must be a positive"),
        ("steps = 2.5", "steps must be a positive"),
        ('budget = "much"', "budget must be a positive"),
        ("budget = nan", "budget must be a positive"),
        ('isolation = "maybe"', "isolation must be one of auto, namespaces, landlock, none"),
        ('vision = "perhaps"', "vision must be true or false"),
        ("preload = [1]", "preload must be a list"),
        ("model = 7", "model must be text"),
    ],
)
def test_what_is_wrong_is_said_by_name(tmp_path: Path, text: str, said: str) -> None:
    """One sentence with the file, the setting and what is allowed."""
    environ = config(tmp_path, text)
    with pytest.raises(SettingsError, match=said) as caught:
        settings.load(environ)
    assert "config.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_misspelt_variable_is_said(tmp_path: Path) -> None:
    """A safety setting that is not heard would be the worst kind of silence."""
    with pytest.raises(SettingsError, match="CODEACT_ISOLATOIN"):
        settings.load({"HOME": str(tmp_path), "CODEACT_ISOLATOIN": "namespaces"})


@pytest.mark.parametrize("raw", [b"model = '\xff'", b"\x00"])
def test_a_file_that_is_no_text_is_said(tmp_path: Path, raw: bytes) -> None:
    """Bytes are not a configuration."""
    (tmp_path / "config.toml").write_bytes(raw)
    with pytest.raises(SettingsError, match="cannot be read"):
        settings.load({"CODEACT_CONFIG": str(tmp_path / "config.toml")})


def test_a_named_file_that_is_missing_is_said(tmp_path: Path) -> None:
    """Who names a file wants it read."""
    with pytest.raises(SettingsError, match=r"none\.toml"):
        settings.load({"CODEACT_CONFIG": str(tmp_path / "none.toml")})


def test_what_is_given_to_a_kernel_is_what_it_loads(tmp_path: Path) -> None:
    """Options of the command line travel to the kernel as variables and mean the same there."""
    given = settings.variables({"profile": "strict", "isolation": None, "steps": 3})
    assert given == {"CODEACT_PROFILE": "strict", "CODEACT_STEPS": "3"}
    loaded = settings.load({**given, "HOME": str(tmp_path)})
    assert (loaded.profile, loaded.steps) == ("strict", 3)


def test_a_wrong_option_is_said_before_anything_starts() -> None:
    """`variables` refuses what `load` would."""
    with pytest.raises(SettingsError, match="profile must be one of"):
        settings.variables({"profile": "lax"})


def test_files_live_where_the_desktop_says(tmp_path: Path) -> None:
    """XDG folders are honoured, with the usual fall-backs."""
    home = {"HOME": str(tmp_path)}
    assert settings.config_path(home) == tmp_path / ".config" / "codeact" / "config.toml"
    assert settings.state_path(home) == tmp_path / ".local" / "state" / "codeact"
    xdg = {"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}
    assert settings.config_path(xdg) == Path("/c/codeact/config.toml")
    assert settings.state_path(xdg) == Path("/s/codeact")


@pytest.mark.parametrize(
    ("environ", "style"),
    [
        ({}, "dumb"),
        ({"TERM": "dumb"}, "dumb"),
        ({"TERM": "xterm-256color"}, "colour"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "plain"),
        ({"TERM": "xterm", "NO_COLOR": ""}, "colour"),
    ],
)
def test_what_a_terminal_may_be_sent(environ: dict[str, str], style: str) -> None:
    """TERM=dumb and NO_COLOR are respected."""
    assert settings.terminal_style(environ) == style


def test_headers_to_inject_take_variables(tmp_path: Path) -> None:
    """A token stays in the environment; the file names it, and the settings do not print it."""
    environ = config(
        tmp_path,
        'allow_net = ["api.example.org"]\n[inject_headers."api.example.org"]\n'
        'Authorization = "Bearer $TOKEN"\n',
    )
    loaded = settings.load({**environ, "TOKEN": "t-123"})
    assert loaded.allow_net == ("api.example.org",)
    assert loaded.inject_headers == {"api.example.org": {"Authorization": "Bearer t-123"}}
    assert "t-123" not in repr(loaded)
    with pytest.raises(SettingsError, match="TOKEN, which is not set"):
        settings.load(environ)


@pytest.mark.parametrize(
    "text", ["inject_headers = 1", "[inject_headers.a]\nb = 1", '[inject_headers.a]\nb = "$ x"']
)
def test_wrong_headers_are_said(tmp_path: Path, text: str) -> None:
    """What is no table of texts is refused by its name."""
    with pytest.raises(SettingsError, match="inject_headers"):
        settings.load(config(tmp_path, text))


def test_a_list_goes_through_a_variable() -> None:
    """--allow-net given twice arrives in the kernel as two hosts."""
    given = settings.variables({"allow_net": ["a.example", "b.example:80"]})
    assert settings.load({**given, "HOME": "/nowhere"}).allow_net == ("a.example", "b.example:80")
