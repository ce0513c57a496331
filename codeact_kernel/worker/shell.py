"""The InteractiveShell of the worker: ipykernel's own, with our names in its namespace."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.error import UsageError
from IPython.core.events import EventManager, available_events

from codeact_kernel.worker.magics import AgentMagics, EnvironmentMagics, refuse_to_install

_OURS = str(Path(__file__).parent)
_DEBUGGER = ("_pydevd_bundle", "/debugpy/_vendored/")


class CellEvents(EventManager):
    """IPython's, but an interrupt that meets a callback is the cell's.

    IPython shows it as the callback's error and runs the cell: the interrupt is lost.
    """

    def trigger(self, event: str, *args: Any, **kwargs: Any) -> None:
        for callback in self.callbacks[event][:]:
            try:
                callback(*args, **kwargs)
            except Exception:  # noqa: BLE001  a cell runs whatever its callbacks do
                print(f"Error in callback {callback} (for {event}):")  # noqa: T201  for the cell
                self.shell.showtraceback()


class WireShell(ZMQInteractiveShell):
    """ipykernel's shell. `extra_names` are bound at the start and again after `%reset`."""

    extra_names: dict[str, Any] = {}  # noqa: RUF012  traitlets' class; replaced, never changed

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.run_cell_async = _known(self.run_cell_async)  # type: ignore[method-assign]
        if not _has_terminals():
            self.system = self.system_raw  # type: ignore[method-assign]

    def init_user_ns(self) -> None:
        super().init_user_ns()
        self.bind_extra_names()

    def bind_extra_names(self) -> None:
        """Bind them as IPython's own names: usable, and in no listing of variables."""
        self.user_ns.update(self.extra_names)
        self.user_ns_hidden.update(self.extra_names)

    def enable_gui(self, gui: Any = None) -> None:
        """As ipykernel's, which looks for its application to find the kernel we know."""
        from ipykernel.eventloops import enable_gui

        try:
            enable_gui(gui, kernel=self.kernel)
        except ValueError as error:
            raise UsageError(str(error)) from error
        self.active_eventloop = gui

    def init_events(self) -> None:
        super().init_events()
        events = CellEvents(self, available_events)
        events.callbacks = self.events.callbacks
        self.events = events

    def init_magics(self) -> None:
        super().init_magics()
        self.register_magics(AgentMagics, EnvironmentMagics)

    @contextmanager
    def transforming_once(self) -> Iterator[None]:
        """ipykernel has a cell transformed to look at it and once more to run it: once is enough.

        When it fails nothing is kept, so that the traceback that is shown has no frame of ours.
        """
        transform: Callable[[str], str] = self.transform_cell
        current = transform

        def go_on_with(how: Callable[[str], str]) -> None:
            nonlocal current
            if self.transform_cell == current:  # else code has put one of its own there
                self.transform_cell = current = how  # type: ignore[method-assign]

        def first(raw_cell: str) -> str:
            go_on_with(transform)
            transformed = transform(raw_cell)

            def second(again: str) -> str:
                go_on_with(transform)
                return transformed if again is raw_cell else transform(again)

            go_on_with(second)
            return transformed

        go_on_with(first)
        try:
            yield
        finally:
            go_on_with(transform)

    def var_expand(self, cmd: str, depth: int = 0, *args: Any, **kwargs: Any) -> str:
        """As IPython's. Every `!command` comes through here with its final text."""
        text: str = super().var_expand(cmd, depth + 1, *args, **kwargs)
        refuse_to_install(text)
        return text

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        kind, value, traceback = super()._get_exc_info(exc_tuple)
        return kind, value, _without_ours(traceback)


def _known(method: Callable[..., Any]) -> Callable[..., Any]:
    """The same, with a signature that is at hand: ipykernel asks for it with every cell."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    call.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]
    return call


# Libraries know a notebook by this name (rich, plotly, many others), and people configure it:
# %config ZMQInteractiveShell.ast_node_interactivity = "all".
WireShell.__name__ = WireShell.__qualname__ = ZMQInteractiveShell.__name__


def _has_terminals() -> bool:
    """Can `!command` be given a pseudo-terminal? Where files are guarded by Landlock alone it cannot."""
    try:
        ends = os.openpty()
    except OSError:
        return False
    for end in ends:
        os.close(end)
    return True


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    """Cut a traceback where it enters this room or the debugger: an error is shown in its code."""
    step = traceback
    while step is not None and step.tb_next is not None:
        name = step.tb_next.tb_frame.f_code.co_filename
        if name.startswith(_OURS) or any(part in name for part in _DEBUGGER):
            step.tb_next = None
            break
        step = step.tb_next
    return traceback
