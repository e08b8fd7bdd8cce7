"""What a suite may ask provider `yandex` for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.yandex.cloud import YandexCloud

__all__ = ["YandexProvider"]


class YandexProvider(CloudProvider):
    """Instances of the folder that the environment names."""

    cannot: ClassVar[Mapping[str, str]] = {"region": "zones are named in full, such as ru-central1-a"}

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        super().__init__(YandexCloud(), home, pace)
