"""A kernel that is used for long: only where a sandbox can be had."""

from __future__ import annotations

from tests.e2e.conftest import sandbox

__all__ = ["sandbox"]
