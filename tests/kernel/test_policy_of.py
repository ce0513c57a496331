"""What the user's settings become: the policy of the sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeact_kernel.kernel.start import policy_of
from codeact_kernel.settings import Settings


@pytest.mark.parametrize(
    ("settings", "mode"),
    [
        (Settings(), "cow"),
        (Settings(profile="strict"), "ro"),
        (Settings(profile="strict", workspace_mode="cow"), "cow"),
        (Settings(workspace_mode="rw"), "rw"),
    ],
)
def test_the_profile_says_what_may_be_written_unless_the_user_does(
    tmp_path: Path, settings: Settings, mode: str
) -> None:
    """A folder is staged by default and read-only in strict; a mode the user sets goes before both."""
    assert policy_of(settings, tmp_path).workspace_mode == mode
