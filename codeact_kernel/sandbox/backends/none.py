"""No walls: a process with a cleared environment and the wire. Only ever by its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from codeact_kernel.sandbox import plan as plans
from codeact_kernel.sandbox.plan import Plan
from codeact_kernel.sandbox.policy import Policy


def unfit() -> str | None:
    """It always can be had."""
    return None


def user(policy: Policy) -> int:
    """Nobody else than we are."""
    return os.getuid()


def shortcomings(plan: Plan) -> Iterator[str]:
    """Everything."""
    yield "There is no sandbox: code can do whatever you can do on this machine."


def orders(plan: Plan) -> dict[str, Any]:
    """For the launcher."""
    scratch = plan.folder.scratch
    backend = {"walls": False, "guard": True, "uid": None}
    return plans.orders(
        plan, scratch=scratch, tmp=scratch, font_list=plan.folder.fonts, backend=backend
    )


def command(plan: Plan, launcher: list[str]) -> list[str]:
    """The launcher alone."""
    return launcher
