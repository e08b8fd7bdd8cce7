"""What a suite may ask provider `azure` for."""

from __future__ import annotations

from pathlib import Path

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.azure.cloud import AzureCloud
from e2e_ansible.providers.azure.order import image_reference, named_firewall
from e2e_ansible.providers.base import DeploymentSpec
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.cloud.settings import text

__all__ = ["AzureProvider"]


class AzureProvider(CloudProvider):
    """Virtual machines of the subscription that the environment names."""

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        super().__init__(AzureCloud((pace or Pace()).look), home, pace)

    def prepare(self, spec: DeploymentSpec) -> Path:
        """See `CloudProvider.prepare`; parameters that cannot be are refused."""
        image_reference(text(spec.parameters, "image") or AzureCloud.image)
        named_firewall(spec.parameters)
        subnet = text(spec.parameters, "subnet")
        if subnet and not subnet.startswith("/") and not spec.parameters.get("network"):
            raise UsageError(
                f"azure: nothing says in which network subnet {subnet!r} is",
                hint="parameters: {network: ..., subnet: ...}, or the whole path of the subnet",
            )
        return super().prepare(spec)
