"""`codeact doctor`: the sandbox room's diagnosis of this machine."""

from __future__ import annotations

import argparse

from codeact_kernel.headless.verbs import sandbox_variables
