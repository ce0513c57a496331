"""Section Sandbox: what holds the code, what it uses, what it asked of the network, trust."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from codeact_kernel.kernel.panel import fields as read
from codeact_kernel.kernel.panel.panel import Comm, Panel
from codeact_kernel.kernel.panel.requests import Verb
from codeact_kernel.sandbox.gauges import Reading
from codeact_kernel.sandbox.policy import Policy

if TYPE_CHECKING:
    from codeact_kernel.kernel.display.firewall import Firewall
    from codeact_kernel.kernel.run.network import Network


def verbs(
    policy: Policy,
    readings: Callable[[], tuple[Reading, ...]],
    network: Network | None,
    firewall: Firewall,
    panel: Panel,
) -> Mapping[str, Verb]:
    """`readings()` are those of the sandbox that lives now."""

    async def sandbox(comm: Comm) -> dict[str, Any]:
        return {
            "profile": policy.profile,
            "workspace": "" if policy.workspace is None else str(policy.workspace),
            "workspace_mode": policy.workspace_mode,
            "step_seconds": policy.step_seconds,
            "cell_seconds": policy.cell_seconds,
            "readings": [asdict(reading) for reading in readings()],
            "network": _network(policy, network),
        }

    async def trust(comm: Comm, display: bool) -> dict[str, Any]:
        firewall.trusted = display
        panel.greet_all()
        return {}

    return {
        "sandbox": Verb(carry_out=sandbox),
        "trust": Verb(carry_out=trust, fields={"display": read.flag}),
    }


def _network(policy: Policy, network: Network | None) -> dict[str, Any] | None:
    """None: there is no network at all."""
    if policy.egress is None or network is None:
        return None
    network.flush()
    return {
        "hosts": [str(entry) for entry in policy.egress.entries],
        "bytes": network.spent,
        "requests": [asdict(request) for request in network.recent],
    }
