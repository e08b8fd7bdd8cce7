"""A server of nova as a machine."""

from __future__ import annotations

from typing import Any

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.cloud.machine import Machine, Place
from e2e_ansible.providers.cloud.timestamp import seconds
from e2e_ansible.providers.openstack.trouble import blame

__all__ = ["read_machine"]

_POWER = {"ACTIVE": PowerState.ON, "SHUTOFF": PowerState.OFF}
_RUNNING = 1  # nova's power_state of a guest that runs


def read_machine(server: Any) -> Machine:
    """What nova says about it."""
    task, status = server.task_state, str(server.status)
    fixed = _address(server, "fixed")
    failure = _failure(server) if status == "ERROR" else ""
    runs_not = status == "ACTIVE" and server.power_state not in (None, 0, _RUNNING)
    return Machine(
        id=server.id,
        machine=server.name,
        power=PowerState.UNKNOWN if task or runs_not else _POWER.get(status, PowerState.UNKNOWN),
        state=task or (f"{status}: {failure}" if failure else status),
        address=_address(server, "floating") or server.access_ipv4 or fixed,
        private_address=fixed,
        place=Place(zone=server.availability_zone or "", size=_size(server.flavor)),
        tags=dict(server.metadata or {}),
        ending=task == "deleting",
        created=seconds(server.created_at or ""),
        failure=failure,
        trouble=blame(failure),
    )


def _failure(server: Any) -> str:
    return str((server.fault or {}).get("message") or "no reason is told").strip()


def _address(server: Any, kind: str) -> str:
    """The first address of that kind, version 4 before version 6."""
    every = [each for addresses in (server.addresses or {}).values() for each in addresses]
    of_kind = [each for each in every if each.get("OS-EXT-IPS:type", "fixed") == kind]
    return next((str(each["addr"]) for each in sorted(of_kind, key=lambda each: each["version"])), "")


def _size(flavor: Any) -> str:
    """New clouds tell the name of the flavor, old ones its id."""
    return str(flavor.original_name or flavor.name or flavor.id or "") if flavor else ""
