"""What a suite may ask provider `hetzner` for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.hetzner.cloud import HetznerCloud

__all__ = ["HetznerProvider"]


class HetznerProvider(CloudProvider):
    """Servers of the project that the token belongs to."""

    cannot: ClassVar[Mapping[str, str]] = {
        "data_volumes_per_node": "servers have the disk of their type",
        "root_volume_size": "the disk comes with the type; choose an instance_type",
        "subnet": "name only the network",
    }

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        super().__init__(HetznerCloud(), home, pace)
