"""The disks of a machine: its root over the base image, the seed that tells it who it is, and empty ones for data."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from e2e_ansible.errors import ProviderError, UsageError
from e2e_ansible.providers.cloud.machine import Order
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.libvirt.base import Base
from e2e_ansible.providers.libvirt.domain import Disk
from e2e_ansible.providers.libvirt.seed import SERIAL, make_seed
from e2e_ansible.providers.libvirt.size import number, size_of
from e2e_ansible.providers.libvirt.storage import Pool, Volume

__all__ = ["checked_disks", "converted", "make_disks"]

T = TypeVar("T")

_GIB = 1024**3
_MIB = 1024**2
_DATA_GB = 10
_MOST_DATA_DISKS = 20


def checked_disks(settings: Mapping[str, object]) -> None:
    """Refuse more disks than a machine takes.

    Raises:
        UsageError: there are more.
    """
    disks = number(settings, "data_volumes_per_node", 0)
    if disks > _MOST_DATA_DISKS:
        raise UsageError(
            f"data_volumes_per_node is {disks}", hint=f"a virtual machine takes at most {_MOST_DATA_DISKS}"
        )


def make_disks(pool: Pool, order: Order, base: Base) -> list[Disk]:
    """Those that are there already, from an attempt that was cut short, are made anew."""
    volumes = {part: Volume(order.deployment, order.node, part).name for part in _parts(order.settings)}
    pool.remove([name for name in pool.names() if name in volumes.values()])
    root, seed, *data = volumes.items()
    size = max(base.size, size_of(order).root_mb * _MIB)
    pool.make_disk(root[1], size, base.volume, base.kind)
    with tempfile.TemporaryDirectory(prefix="e2e-seed-") as folder:
        file = converted(lambda: make_seed(order, Path(folder)))
        pool.upload(seed[1], file, "raw", file.stat().st_size)
    for _, name in data:
        pool.make_disk(name, number(order.settings, "data_volume_size", _DATA_GB) * _GIB)
    return [
        Disk(pool.path(root[1]), "e2e-root"),
        Disk(pool.path(seed[1]), SERIAL, kind="raw", readonly=True),
        *(Disk(pool.path(name), f"e2e-{part.partition('.')[0]}") for part, name in data),
    ]


def converted(call: Callable[[], T]) -> T:
    """Errors of building and of programs, as errors of this cloud."""
    try:
        return call()
    except CloudError:
        raise
    except ProviderError as error:
        raise CloudError(str(error), Trouble.OTHER, hint=error.hint) from error


def _parts(settings: Mapping[str, object]) -> list[str]:
    disks = number(settings, "data_volumes_per_node", 0)
    return ["root.qcow2", "seed.iso", *(f"data{index + 1}.qcow2" for index in range(disks))]
