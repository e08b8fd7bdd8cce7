"""What a suite may ask provider `gcp` for."""

from __future__ import annotations

from pathlib import Path

from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.gcp.cloud import GcpCloud

__all__ = ["GcpProvider"]


class GcpProvider(CloudProvider):
    """Instances of the project that the credentials or the environment name."""

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        super().__init__(GcpCloud(), home, pace)
