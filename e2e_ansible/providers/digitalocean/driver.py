"""What a suite may ask provider `digitalocean` for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from e2e_ansible.providers.base import DeploymentSpec
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.cloud.refusal import refuse
from e2e_ansible.providers.cloud.settings import is_public
from e2e_ansible.providers.digitalocean.cloud import DigitalOceanCloud

__all__ = ["DigitalOceanProvider"]


class DigitalOceanProvider(CloudProvider):
    """Droplets of the team that the token belongs to."""

    cannot: ClassVar[Mapping[str, str]] = {
        "data_volumes_per_node": "Droplets have the disk of their size",
        "root_volume_size": "the disk comes with the size; choose an instance_type",
        "subnet": "name only the network, by the id of its VPC",
        "security_groups": "a firewall of DigitalOcean is for tags; make one for the tag e2e-deployment:ID",
    }

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        super().__init__(DigitalOceanCloud(), home, pace)

    def prepare(self, spec: DeploymentSpec) -> Path:
        """See `CloudProvider.prepare`; parameters that cannot be are refused."""
        hidden = "" if is_public(spec.parameters) else "no"
        reason = {"public_address": "every Droplet has a public address"}
        refuse(self.name, {"public_address": hidden}, reason)
        return super().prepare(spec)
