"""No walls: a process with a cleared environment and the wire. Only ever by its name."""

from __future__ import annotations

import json
import sys

from codeact_kernel.sandbox import plan as plans
from codeact_kernel.sandbox.plan import Plan

NAME = "none"


def unfit(plan: Plan) -> str | None:
    """It always can."""
    return None


def command(plan: Plan, wire: int) -> list[str]:
    """The launcher with its orders."""
    scratch = plan.folder.scratch
    backend = {"walls": False, "uid": None}
    orders = plans.orders(plan, scratch=scratch, tmp=scratch, backend=backend)
    return [sys.executable, "-I", "-S", plans.launcher(), str(wire), json.dumps(orders)]
