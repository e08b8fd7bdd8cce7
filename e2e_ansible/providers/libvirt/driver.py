"""The provider `libvirt`: that of all clouds, which makes the image ready before a deployment is created."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from e2e_ansible.providers.base import DeploymentSpec
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.cloud.refusal import refuse
from e2e_ansible.providers.libvirt.base import OWN_IMAGE
from e2e_ansible.providers.libvirt.cloud import LibvirtCloud

__all__ = ["LibvirtProvider"]


class LibvirtProvider(CloudProvider):
    """Nodes are virtual machines of the daemon at `$E2E_LIBVIRT_URI`."""

    cannot: ClassVar[Mapping[str, str]] = {
        "instance_type": "say libvirt_memory_gb and libvirt_vcpus",
        "zones": "one daemon is one place; $E2E_LIBVIRT_URI names another one",
        "region": "one daemon is one place; $E2E_LIBVIRT_URI names another one",
        "subnet": "name only the network",
        "security_groups": "filters are a matter of the network",
        "public_address": "machines have the address that their network gives them",
    }

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        self._libvirt = LibvirtCloud(home)
        super().__init__(self._libvirt, home, pace or Pace(look=0.5))

    def prepare(self, spec: DeploymentSpec) -> Path:
        """Record the deployment and, when missing, make the image (about two minutes). See `Provider.prepare`.

        The parameter `image` is the path of a disk image with cloud-init; without it one is made of the packages of
        Debian, of the release that `suite` names.

        Raises:
            UsageError: as `CloudProvider.prepare`, or there is no such image, or a parameter means nothing here.
            ProviderError: as there, or the image could not be made, or no daemon answers.
        """
        refuse(self.name, spec.parameters, self.cannot)
        image = str(spec.parameters.get("image") or OWN_IMAGE)
        if image != OWN_IMAGE:
            image = str(Path(image).expanduser().resolve())
        parameters = {**spec.parameters, "image": image}
        self._libvirt.make_ready(image, parameters)
        return super().prepare(spec.model_copy(update={"parameters": parameters}))
