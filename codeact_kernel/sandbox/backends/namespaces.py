"""Namespaces of our own making, where bubblewrap is not there or refused: the same walls.

Rule: the same plan and the same options as bubblewrap's; only the program that reads them differs.
"""

from __future__ import annotations

import os
import sys

from codeact_kernel.sandbox import visible as visibles
from codeact_kernel.sandbox.backends import bubblewrap
from codeact_kernel.sandbox.plan import Plan

user = bubblewrap.user
orders = bubblewrap.orders
shortcomings = bubblewrap.shortcomings


def unfit() -> str | None:
    """Why it cannot be tried here: nothing that could be known before."""
    return None


def command(plan: Plan, launcher: list[str]) -> list[str]:
    """Our own program with bubblewrap's options, then the launcher."""
    program = os.path.join(visibles.package_folder(), "sandbox", "enclose.py")
    return [sys.executable, "-I", "-S", program, *bubblewrap.options(plan), "--", *launcher]
