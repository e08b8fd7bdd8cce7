"""What a test costs: nodes wherever they are, and processors, memory and disk where they are on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from e2e_ansible.compile.plan import Plan
from e2e_ansible.quota.amounts import Amounts, total
from e2e_ansible.suite.hardware import Hardware, hardware_of, read_hardware

__all__ = ["cost_of"]

#: A container with PostgreSQL, and with Patroni and etcd, that does little: an estimate, on the high side.
_CONTAINER = Amounts(1, millicpus=25, memory_mb=256, disk_mb=1024)
#: Processors of virtual machines may be promised more than once; their memory may not.
_MACHINE = Amounts(1, millicpus=250, memory_mb=2048, disk_mb=4096)
_GIB = 1024


def cost_of(plan: Plan) -> Amounts:
    """What all nodes of a plan cost together."""
    hardware = read_hardware(plan.parameters.get("hardware"))
    usual = _usual(plan.provider, plan.parameters)
    return total(_node(usual, hardware_of(node.labels, hardware)) for node in plan.nodes)


def _usual(provider: str, parameters: Mapping[str, Any]) -> Amounts:
    """What a node costs that nothing was said of."""
    if provider == "local":
        return _CONTAINER
    if provider == "libvirt" and _is_here():
        memory, disk = parameters.get("libvirt_memory_gb"), parameters.get("root_volume_size")
        return Amounts(
            1,
            millicpus=_MACHINE.millicpus,
            memory_mb=int(memory) * _GIB if memory else _MACHINE.memory_mb,
            disk_mb=int(disk) * _GIB if disk else _MACHINE.disk_mb,
        )
    return Amounts(1)


def _is_here() -> bool:
    """Whether the daemon of virtual machines is on this machine."""
    return not urlsplit(os.environ.get("E2E_LIBVIRT_URI", "")).hostname


def _node(usual: Amounts, hardware: Hardware | None) -> Amounts:
    if hardware is None or usual == Amounts(1):
        return usual
    return Amounts(
        1,
        millicpus=usual.millicpus if hardware.cpus is None else round(hardware.cpus * 1000),
        memory_mb=usual.memory_mb if hardware.memory_gb is None else round(hardware.memory_gb * _GIB),
        disk_mb=usual.disk_mb if hardware.disk_gb is None else round(hardware.disk_gb * _GIB),
    )
