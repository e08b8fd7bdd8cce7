"""Types of instances, as far as they are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2e_ansible.providers.aws.api import Api
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["Size", "Sizes"]

_IN_ONE_CALL = 100


@dataclass(frozen=True)
class Size:
    """A type of instances; 0 where its processors are not told."""

    vcpus: int = 0
    local_disk: bool = False


class Sizes:
    """What was asked for once is not asked for again."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[str, Size] = {}

    def known(self, region: str, names: set[str]) -> Mapping[str, Size]:
        """What is known about these types of instances. Without the right to ask, it is nothing."""
        unknown = sorted(names - set(self._known))
        for start in range(0, len(unknown), _IN_ONE_CALL):
            self._ask(region, unknown[start : start + _IN_ONE_CALL])
        return self._known

    def vcpus(self, region: str, names: Sequence[str]) -> int:
        """Of instances of these types, all together."""
        known = self.known(region, set(names))
        return sum(known[name].vcpus for name in names)

    def _ask(self, region: str, names: Sequence[str]) -> None:
        nothing = {name: Size() for name in names}
        try:
            told = self._api.every(region, "describe_instance_types", "InstanceTypes", InstanceTypes=names)
        except CloudError as error:
            if error.trouble is Trouble.TRANSIENT:
                raise
            told = []
        self._known |= nothing
        for each in told:
            vcpus = int(each["VCpuInfo"]["DefaultVCpus"])
            self._known[each["InstanceType"]] = Size(vcpus, bool(each.get("InstanceStorageSupported")))
