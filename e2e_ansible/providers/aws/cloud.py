"""The calls of `Cloud` for instances of EC2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.aws.api import Api
from e2e_ansible.providers.aws.image import DEBIAN
from e2e_ansible.providers.aws.machine import (
    ENDING,
    interfaces,
    read_machine,
    region_of,
    state_of,
    tagged,
    volumes,
)
from e2e_ansible.providers.aws.order import request
from e2e_ansible.providers.aws.quota import remaining
from e2e_ansible.providers.aws.size import Sizes
from e2e_ansible.providers.aws.travel import Leg, Travel
from e2e_ansible.providers.base import Finding, Operation
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.machine import (
    DEPLOYMENT_TAG,
    Cloud,
    Machine,
    Order,
    Pending,
    Place,
    Resource,
)
from e2e_ansible.providers.cloud.record import CloudStore
from e2e_ansible.providers.cloud.settings import text
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["AwsCloud"]

_ANY_REGION = "us-east-1"  # who one is, is the same everywhere
_LISTED = ("pending", "running", "stopping", "stopped", "shutting-down")
_MOST_TOKENS = 20


class AwsCloud(Cloud):
    """EC2 in the region that boto3 is set to, and in those of the deployments that are recorded below `home`."""

    name = "aws"
    user = "admin"
    image = DEBIAN
    size = "t3.small"

    def __init__(self, home: Path | None = None) -> None:
        self._store = CloudStore(self.name, home)
        self._api = Api()
        self._sizes = Sizes(self._api)

    def findings(self) -> Sequence[Finding]:
        """boto3, the region, the credentials and their right to list instances, up to the first that is bad."""
        looks = {"region": self._default_region, "credentials": self._who, "rights": self._may_list}
        return sdk.findings(self.name, ["boto3"], looks)

    def region(self, settings: Mapping[str, object] | None = None) -> str:
        """The region of these settings, else the one boto3 is set to.

        Raises:
            UsageError: there is none.
        """
        region = text(settings or {}, "region") or self._api.default_region()
        if not region:
            raise UsageError(
                "aws: no region is set", hint="set AWS_REGION, or parameters: {region: eu-central-1}"
            )
        return region

    def checked_region(self, settings: Mapping[str, object]) -> str:
        """The same, of those that there are.

        Raises:
            UsageError: there is none, or none of that name.
        """
        region = self.region(settings)
        self._api.check_region(region)
        return region

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`."""
        return [each for region in self._regions(deployment) for each in self._listed(region, deployment)]

    def has_local_disk(self, deployment: str, node: str) -> bool:
        """Whether the instance of a node has a disk that does not outlive a stop."""
        return any(each.local_disk for each in self.machines(deployment) if each.node == node)

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """Volumes and network interfaces; normally they go with their instance. See `Cloud.resources`."""
        found = [
            each
            for read in (volumes, interfaces)
            for region in self._regions(deployment)
            for each in read(self._api, region, deployment)
        ]
        return [each for each in found if deployment in ("", each.tags.get(DEPLOYMENT_TAG))]

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """By the quota of vCPUs of the size's group of families; None where the account may not ask for it."""
        return remaining(self._api, self._sizes, self.region(settings), place.size)

    def create(self, order: Order) -> None:
        """See `Cloud.create`. The client token makes a repeated call harmless, whoever repeats it."""
        region = self.region(order.settings)
        wanted = request(self._api, region, order)
        for number in range(_MOST_TOKENS):
            # For an hour the token of an instance that is gone brings back the word of that one.
            token = f"{order.token}-{number}" if number else order.token
            told = self._api.call(region, "run_instances", ClientToken=token, **wanted)
            if told["Instances"][0]["State"]["Name"] not in ENDING:
                return
        said = f"aws: {order.machine} was made and ended {_MOST_TOKENS} times within an hour"
        raise CloudError(said, Trouble.OTHER, hint="use another name for the deployment")

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`. Its volumes and its network interface go with it."""
        self._api.remove(region_of(machine), "terminate_instances", InstanceIds=[machine.id])

    def remove(self, resource: Resource) -> None:
        """See `Cloud.remove`."""
        region, _, name = resource.id.partition("/")
        if resource.kind == "volume":
            self._api.remove(region, "delete_volume", VolumeId=name)
        else:
            self._api.remove(region, "delete_network_interface", NetworkInterfaceId=name)

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`. Of a reboot and of an NMI the provider never tells that they are done."""
        region = region_of(machine)
        ids: dict[str, Any] = {"InstanceIds": [machine.id]}
        on = Leg("stopped", "running", lambda: self._api.call(region, "start_instances", **ids))
        off = Leg("running", "stopped", lambda: self._api.call(region, "stop_instances", **ids))
        hard = Leg("running", "stopped", lambda: self._hard_stop(region, machine), also_from="stopping")
        match operation:
            case Operation.ON:
                way = [on]
            case Operation.OFF:
                way = [off]
            case Operation.HARD_OFF:
                way = [hard]
            case Operation.RESET:
                way = [hard, on]
            case Operation.REBOOT:
                self._api.call(region, "reboot_instances", **ids)
                return lambda: True
            case Operation.NMI:
                self._api.call(region, "send_diagnostic_interrupt", InstanceId=machine.id)
                return lambda: True
        travel = Travel(machine, way, lambda: state_of(self._api, region, machine))
        travel()
        return travel

    def _hard_stop(self, region: str, machine: Machine) -> None:
        """`Force` alone tries an orderly stop first, which is no crash."""
        if not self._api.knows(region, "StopInstances", "SkipOsShutdown"):
            raise CloudError(
                f"aws: this boto3 cannot power {machine.node} off hard: it does not know SkipOsShutdown",
                Trouble.OTHER,
                hint="pip install -U 'boto3>=1.40'; or use crash_node method ssh",
            )
        self._api.call(region, "stop_instances", InstanceIds=[machine.id], Force=True, SkipOsShutdown=True)

    def _regions(self, deployment: str) -> Sequence[str]:
        if deployment and (recorded := self._store.find(deployment)):
            return [self.region(recorded.record.settings)]
        records = [self._store.load(name).record for name in self._store.ids()]
        known = {text(record.settings, "region") for record in records}
        regions = sorted({self._api.default_region(), *known} - {""})
        return regions or [self.region()]

    def _listed(self, region: str, deployment: str) -> list[Machine]:
        states = {"Name": "instance-state-name", "Values": list(_LISTED)}
        instances = self._api.instances(region, Filters=[states, tagged(deployment)])
        sizes = self._sizes.known(region, {each["InstanceType"] for each in instances})
        machines = [read_machine(each, sizes) for each in instances]
        # A filter of EC2 knows wildcards, and we do not.
        return [each for each in machines if deployment in ("", each.deployment)]

    def _default_region(self) -> str:
        """No finding to stop at: a suite may name its region itself."""
        return self._api.default_region() or "not set: every suite must name it (parameters: {region: ...})"

    def _who(self) -> str:
        region = self._api.default_region() or _ANY_REGION
        told = self._api.call(region, "get_caller_identity", service="sts")
        return f"{told['Arn']} of account {told['Account']}"

    def _may_list(self) -> str:
        if not self._api.default_region():
            return "not asked: no region is set"
        return f"{len(self.machines())} instances with our tags are there"
