"""Modules that are there but not executed until somebody asks for something in them.

Rule: only for what the kernel itself never uses, though ipykernel imports it on its way: ZMQ, the
client side of jupyter_client, the application around the kernel. Together they take as long to
import as everything else. Code in cells sees the real thing at the first attribute it touches.

What is imported from such a module by name (`from zmq.x import Y`) needs a stand-in, which is there
until `settle`: whoever imports after that gets the real one. What is `known` of it (a constant, a
logger) is the real one, and stays.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from types import MappingProxyType, ModuleType
from typing import Any


class _Later(ModuleType):
    """Has its name, its spec and its path; any other attribute executes the module."""

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":  # asked by every import from it; a package has one from the start
            raise AttributeError(name)
        if not _execute(self):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        _execute(self)
        return sorted(self.__dict__)


def _execute(module: ModuleType) -> bool:
    """Once; False: it has been done. Again when an interrupt broke it off, as with any import."""
    finish = module.__dict__.pop("__finish__", None)
    if finish is None:
        return False
    try:
        finish()
    except BaseException:
        module.__dict__["__finish__"] = finish
        raise
    return True


_standing: dict[str, dict[str, object]] = {}
"""By module: the stand-ins in it."""


def defer(
    name: str,
    then: Callable[[], object] = lambda: None,
    known: Mapping[str, object] = MappingProxyType({}),
    **stand_ins: object,
) -> None:
    """Put the module in place; `then` is called when it has been executed.

    One that has been imported already stays as it is; one that is not installed is left to fail
    where it is imported.
    """
    if name in sys.modules:
        return
    spec = _find(name)
    if spec is None or spec.loader is None:
        return
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

    module.__dict__.update({**known, **stand_ins, "__finish__": finish})
    _standing[name] = stand_ins
    sys.modules[name] = module


def call(path: str) -> Callable[..., Any]:
    """A stand-in for the function `module.name`: calls the real one, which is imported then."""
    module, _, name = path.rpartition(".")
    return lambda *args, **kwargs: getattr(sys.modules[module], name)(*args, **kwargs)


def settle() -> None:
    """Take the stand-ins away and make each module an attribute of its package, as an import does."""
    for name, stand_ins in _standing.items():
        module = sys.modules.get(name)
        parent, _, last = name.rpartition(".")
        if parent in sys.modules and module is not None:
            sys.modules[parent].__dict__.setdefault(last, module)
        if isinstance(module, _Later) and "__finish__" in module.__dict__:
            for each in stand_ins:
                del module.__dict__[each]
    _standing.clear()


def _find(name: str) -> ModuleSpec | None:
    """As importlib.util.find_spec, which would import the packages around it."""
    parent = name.rpartition(".")[0]
    path = None
    if parent:
        module = sys.modules.get(parent)
        around = _find(parent) if module is None else module.__spec__
        path = around.submodule_search_locations if around is not None else None
        if path is None:
            return None
    specs = (finder.find_spec(name, path) for finder in sys.meta_path)
    return next((spec for spec in specs if spec is not None), None)
