"""A server of Hetzner Cloud as a machine."""

from __future__ import annotations

from typing import Any

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.cloud.machine import Machine, Place

__all__ = ["read_machine"]

_POWER = {"running": PowerState.ON, "off": PowerState.OFF}


def read_machine(server: Any) -> Machine:
    """What the SDK says about it."""
    private = next((net.ip for net in server.private_net or () if net.ip), "")
    public = server.public_net.ipv4.ip if server.public_net and server.public_net.ipv4 else ""
    return Machine(
        id=str(server.id),
        machine=server.name,
        power=_POWER.get(server.status, PowerState.UNKNOWN),
        state=server.status,
        address=public,
        private_address=private,
        place=Place(zone=server.location.name, size=server.server_type.name),
        tags=server.labels,
        ending=server.status == "deleting",
        created=server.created.timestamp() if server.created else 0,
    )
