"""The InteractiveShell of the worker: ipykernel's own, with our names in its namespace."""

from __future__ import annotations

from typing import Any

from ipykernel.zmqshell import ZMQInteractiveShell

from codeact_kernel.worker.magics import AgentMagics


class WireShell(ZMQInteractiveShell):
    """ipykernel's shell. `extra_names` are bound at the start and again after `%reset`."""

    extra_names: dict[str, Any] = {}  # noqa: RUF012  traitlets' class; replaced, never changed

    def init_user_ns(self) -> None:
        super().init_user_ns()
        self.bind_extra_names()

    def bind_extra_names(self) -> None:
        """Bind them as IPython's own names: usable, and in no listing of variables."""
        self.user_ns.update(self.extra_names)
        self.user_ns_hidden.update(self.extra_names)

    def init_magics(self) -> None:
        super().init_magics()
        self.register_magics(AgentMagics)
