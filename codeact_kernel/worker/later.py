"""Modules that are there but not executed until somebody asks for something in them.

Rule: only for what the kernel itself never uses, though ipykernel imports it on its way: the
client side of jupyter_client, the application around the kernel. Together they take as long to
import as everything else. Code in cells sees the real thing at the first attribute it touches.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Has its name, its spec and its path; any other attribute executes the module."""

    def __getattr__(self, name: str) -> Any:
        finish = self.__dict__.pop("__finish__", None)
        if finish is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        finish()
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        finish = self.__dict__.pop("__finish__", None)
        if finish is not None:
            finish()
        return sorted(self.__dict__)


def defer(name: str, then: Callable[[], object] = lambda: None) -> None:
    """Put the module in place; `then` is called when it has been executed."""
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    loader = spec.loader
    module = _Later(name)
    module.__spec__ = spec
    module.__loader__ = loader
    module.__file__ = spec.origin
    module.__package__ = spec.parent
    if spec.submodule_search_locations is not None:
        module.__path__ = spec.submodule_search_locations

    def finish() -> None:
        loader.exec_module(module)
        then()

    module.__dict__["__finish__"] = finish
    sys.modules[name] = module
