"""How large a virtual machine is: by the labels of its node where a suite says so, else by the provider's usual."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.cloud.machine import LABEL_TAG, Order
from e2e_ansible.suite.hardware import Hardware, hardware_of, read_hardware

__all__ = ["Size", "largest_memory_mb", "number", "size_of"]

_DEFAULT_MEMORY_GB = 2
_DEFAULT_VCPUS = 2
_LEAST_MEMORY_MB = 256
_MIB = 1024


@dataclass(frozen=True)
class Size:
    """Memory and root disk are in MiB; the disk is at least as large as its image."""

    memory_mb: int
    vcpus: int
    root_mb: int


def size_of(order: Order) -> Size:
    """What the machine of an order has.

    Raises:
        UsageError: less memory than a machine boots with.
    """
    labels = [name[len(LABEL_TAG) :] for name in order.tags if name.startswith(LABEL_TAG)]
    return _size(order.settings, hardware_of(labels, read_hardware(order.settings.get("hardware"))))


def largest_memory_mb(settings: Mapping[str, object]) -> int:
    """Of all machines that are made with these settings."""
    said = read_hardware(settings.get("hardware")).values()
    return max(_size(settings, hardware).memory_mb for hardware in (None, *said))


def _size(settings: Mapping[str, object], hardware: Hardware | None) -> Size:
    said = hardware or Hardware.nothing()
    memory = said.memory_gb or number(settings, "libvirt_memory_gb", _DEFAULT_MEMORY_GB)
    if memory * _MIB < _LEAST_MEMORY_MB:
        raise UsageError(f"{memory:g} GiB is no memory that a machine boots with", hint="memory_gb: 0.5")
    return Size(
        memory_mb=round(memory * _MIB),
        vcpus=math.ceil(said.cpus or number(settings, "libvirt_vcpus", _DEFAULT_VCPUS)),
        root_mb=round((said.disk_gb or number(settings, "root_volume_size", 0)) * _MIB),
    )


def number(settings: Mapping[str, object], name: str, default: int) -> int:
    """A whole number of the settings, or what it is by default."""
    value = settings.get(name)
    return int(str(value)) if value not in (None, "") else default
