"""What every Python that code starts does first, where there is no /dev/shm: its folder is on the path.

Rule: the environment's own sitecustomize, which this one hides, has its turn.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec


def _hidden() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    others = [path for path in sys.path if os.path.abspath(path) != here]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


importlib.import_module("codeact_shared_memory").install()
_hidden()
