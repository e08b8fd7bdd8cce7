"""What a suite may ask provider `aws` for."""

from __future__ import annotations

from pathlib import Path

from e2e_ansible.providers.aws.cloud import AwsCloud
from e2e_ansible.providers.aws.image import image_words
from e2e_ansible.providers.base import DeploymentSpec, Operation, PowerResult
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.cloud.settings import text

__all__ = ["AwsProvider"]


class AwsProvider(CloudProvider):
    """Instances of EC2. Their region is fixed when a deployment is prepared, and recorded."""

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        self._aws = AwsCloud(home)
        super().__init__(self._aws, home, pace)

    def prepare(self, spec: DeploymentSpec) -> Path:
        """See `CloudProvider.prepare`.

        Raises:
            UsageError: as there, or there is no region or no such region, or the image is not named as it must be.
        """
        region = self._aws.checked_region(spec.parameters)
        image_words(text(spec.parameters, "image") or self._aws.image)
        return super().prepare(spec.model_copy(update={"parameters": {**spec.parameters, "region": region}}))

    def power(self, deployment: str, node: str, operation: Operation, deadline_seconds: float) -> PowerResult:
        """See `CloudProvider.power`. A reset is a hard stop and a start, so a local disk is lost by it as well."""
        done = super().power(deployment, node, operation, deadline_seconds)
        if operation is not Operation.RESET or not self._aws.has_local_disk(deployment, node):
            return done
        return done.model_copy(update={"side_effects": (*done.side_effects, "its local disk is lost")})
