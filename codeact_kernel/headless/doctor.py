"""`codeact doctor`: the sandbox room's diagnosis of this machine, for the settings that hold here."""

from __future__ import annotations

import argparse
from pathlib import Path

from codeact_kernel import settings
from codeact_kernel.headless.arguments import sandbox_options
from codeact_kernel.kernel.start import policy_of, staged
from codeact_kernel.sandbox.doctor import Diagnosis, doctor


def diagnose(arguments: argparse.Namespace) -> Diagnosis:
    """Start a sandbox as a kernel in this folder would, and say what was seen. Raises SettingsError."""
    given = settings.variables(sandbox_options(arguments))
    policy = policy_of(settings.load(settings.child_environment(given)), Path.cwd())
    policy, area = staged(policy, "")
    try:
        return doctor(policy)
    finally:
        if area is not None:
            area.close()
