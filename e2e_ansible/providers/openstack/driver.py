"""What a suite may ask provider `openstack` for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.openstack.cloud import OpenStackCloud

__all__ = ["OpenStackProvider"]


class OpenStackProvider(CloudProvider):
    """Servers of the project that the credentials belong to."""

    cannot: ClassVar[Mapping[str, str]] = {
        "region": "set OS_REGION_NAME, or region_name in clouds.yaml",
        "data_volumes_per_node": "servers have the disks of their flavor",
        "root_volume_size": "the disk comes with the flavor; choose an instance_type",
        "subnet": "name only the network",
        "public_address": "addresses are those of the network; choose one that is reached from here",
    }

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        super().__init__(OpenStackCloud(), home, pace)
